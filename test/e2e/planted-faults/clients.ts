import { OBJECTS_USER } from '../../../config/deployment-names';
import { OWN_POLICIES } from '../../../config/minio/own-identities';
import { DeleteBucketLifecycleCommand } from '@aws-sdk/client-s3';
import { randomBytes } from 'node:crypto';
import { s3Endpoint } from '../../../config/state/endpoints';
import { Secret } from '../../../operations/lib/secret';
import { clientInput } from '../../../operations/minio/clients/client-input';
import { changeIam, noChanges } from '../../../operations/minio/clients/iam';
import { provisionClients } from '../../../operations/minio/clients/provision-clients';
import { provisionBuckets } from '../../../operations/minio/objects/provision-buckets';
import { MinioAdmin } from '../../../operations/minio/minio-admin';
import type { Workbench } from '../../helpers/e2e/workbench';
import type { PlantedFault } from './planted-fault';

async function asRoot(bench: Workbench, act: (admin: MinioAdmin) => Promise<void>): Promise<void> {
  const admin = new MinioAdmin(bench.realS3, bench.deployed.environment.minio.region, bench.credentials);
  try {
    await act(admin);
  } finally {
    admin.close();
  }
}

function bucketInput({ deployed: { environment, state } }: Workbench): Parameters<typeof provisionBuckets>[0] {
  return {
    endpoint: s3Endpoint(environment, state),
    region: environment.minio.region,
    operationsFile: state.secret.minioRoot,
    iamFile: state.secret.minioRoot,
    buckets: environment.buckets,
    denySseC: false,
  };
}

export const clientFaults: readonly PlantedFault[] = [
  {
    name: 'somebody removed the life cycle and the quota of a bucket',
    red: {
      'bucket-rules': {
        message:
          /^bucket archive: lifecycle is none, declared expired\/ expires after 30 days older versions .*; bucket archive: quota is 0 bytes, declared \d+ bytes$/,
        fix: /^it was changed by hand: set it back with mc/,
      },
    },
    plant: async (bench) => {
      bench.mendBy(async () => provisionBuckets(bucketInput(bench)));
      await bench.s3().send(new DeleteBucketLifecycleCommand({ Bucket: 'archive' }));
      await asRoot(bench, async (admin) => admin.setQuota('archive', 0));
    },
  },
  {
    name: 'the policy of a client allows everything in S3',
    red: {
      'clients-declared': {
        message: /^client laptops: policy ebs-client-laptops is not the declared one$/,
        fix: /^\.\/scripts\/client mend \S+ sets back what was changed by hand$/,
      },
      'clients-confined': {
        message:
          /^client laptops may delete below laptops\/ in bucket archive \(HTTP 204\); client laptops may delete an older /,
        fix: /^\.\/scripts\/client mend \S+ sets back/,
      },
    },
    plant: async (bench) => {
      bench.mendBy(async () => provisionClients(clientInput(bench.deployed)));
      await asRoot(bench, async (admin) =>
        admin.putPolicy('ebs-client-laptops', {
          Version: '2012-10-17',
          Statement: [{ Effect: 'Allow', Action: ['s3:*'], Resource: ['arn:aws:s3:::*'] }],
        }),
      );
    },
  },
  {
    name: 'somebody made a user of MinIO by hand',
    red: {
      'clients-declared': {
        message: /^user made-by-hand is not declared$/,
        fix: /^declare it in clients, or remove it: mc admin user rm ALIAS NAME/,
      },
    },
    plant: async (bench) => {
      bench.mendBy(async () => asRoot(bench, async (admin) => admin.deleteUser('made-by-hand')));
      const users = { 'made-by-hand': new Secret(randomBytes(20).toString('hex')) };
      await asRoot(bench, async (admin) => changeIam(admin, { ...noChanges(), users }));
    },
  },
  {
    name: 'somebody widened the policy of a user by which the project acts',
    red: {
      'identities-declared': {
        message: /^policy ebs-objects is not the declared one$/,
        fix: /^remove \S+minio-identities\.json, and \.\/scripts\/up \S+ sets users and policies back; /,
      },
    },
    plant: async (bench) => {
      const put = async (policy: object) => asRoot(bench, async (admin) => admin.putPolicy(OBJECTS_USER, policy));
      bench.mendBy(async () => put(OWN_POLICIES[OBJECTS_USER]));
      await put({
        Version: '2012-10-17',
        Statement: [{ Effect: 'Allow', Action: ['s3:*'], Resource: ['arn:aws:s3:::*'] }],
      });
    },
  },
  {
    name: 'root is to be refused, and is let in',
    red: {
      'root-refused': {
        message:
          /^MinIO answers its root user with HTTP 200 \(S3\), not a refusal; MinIO answers its root user with HTTP 200 \(administration\), not a refusal$/,
        fix: /^root was let in: remove \S+minio-identities\.json, and \.\/scripts\/up \S+ has it refused again$/,
      },
    },
    alsoRed: { 'minio-configuration': 'the container has the variable that lets root in' },
    plant: async (bench) => {
      bench.declare((environment) => ({ ...environment, minio: { ...environment.minio, rootAccess: false } }));
      return Promise.resolve();
    },
  },
];
