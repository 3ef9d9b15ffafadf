import { randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { extract, pack } from 'tar-stream';
import { SERVICE_UID } from '../../../config/docker/service-user';
import { NotYet, waitFor } from '../../../operations/lib/wait';
import type { Workbench } from '../../helpers/e2e/workbench';
import type { PlantedFault } from './planted-fault';

const IAM = '/data/.minio.sys/config/iam';

export const atRestFaults: readonly PlantedFault[] = [
  {
    name: 'a policy on the drive is one that a MinIO without KMS wrote',
    red: {
      'configuration-on-disk': {
        message: /^\.minio\.sys\/config\/iam\/policies\/of-a-test\/policy\.json\/xl\.meta is not encrypted$/,
        fix: /^it was written while MinIO had no KMS, .*`\.\/scripts\/encrypt /,
      },
    },
    plant: async (bench) => {
      const minio = bench.container('minio');
      bench.mendBy(async () => {
        const { code, output } = await bench.execute(minio, ['busybox', 'rm', '-rf', `${IAM}/policies/of-a-test`]);
        if (code !== 0) throw new Error(`the policy could not be taken away: ${output}`);
      });
      await minio.putArchive(await policiesOfPlainMinio(bench), { path: IAM });
    },
  },
];

/** The folder `policies` of a MinIO that never had a KMS, as a tar archive. */
async function policiesOfPlainMinio(bench: Workbench): Promise<Buffer> {
  const { Image, Labels, Entrypoint } = (await bench.container('minio').inspect()).Config;
  const password = randomBytes(16).toString('hex');
  const container = await bench.docker.createContainer({
    Image,
    Labels,
    ...(Entrypoint === undefined ? {} : { Entrypoint }),
    // its data is in the container itself, where only root may write
    User: '0',
    Cmd: ['server', '--quiet', '/plain'],
    Env: [
      'MINIO_ROOT_USER=tester',
      `MINIO_ROOT_PASSWORD=${password}`,
      `MC_HOST_here=http://tester:${password}@127.0.0.1:9000`,
    ],
    HostConfig: { NetworkMode: 'none' },
  });
  bench.mendBy(async () => container.remove({ force: true, v: true }));
  await container.start();
  const policy = JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action: ['s3:GetObject'], Resource: ['arn:aws:s3:::of-a-test/*'] }],
  });
  const create = `echo '${policy}' > /policy.json && mc --config-dir /mc admin policy create here of-a-test /policy.json`;
  await waitFor({ what: 'a MinIO without KMS to take a policy', timeoutMs: 180_000 }, async () => {
    const { code, output } = await bench.execute(container, ['busybox', 'sh', '-c', create]);
    return code === 0 ? true : new NotYet(output);
  });
  return ownedByService(await container.getArchive({ path: '/plain/.minio.sys/config/iam/policies' }));
}

/** The same archive, whose files will belong to whom MinIO runs as. */
async function ownedByService(archive: NodeJS.ReadableStream): Promise<Buffer> {
  const owned = pack();
  for await (const entry of archive.pipe(extract())) {
    owned.entry({ ...entry.header, uid: SERVICE_UID, gid: SERVICE_UID }, await buffer(entry));
  }
  owned.finalize();
  return buffer(owned);
}
