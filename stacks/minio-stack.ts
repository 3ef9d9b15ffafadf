import { TerraformOutput } from 'cdktf';
import type { Construct } from 'constructs';
import { s3Url } from '../config/minio/s3-endpoint';
import { s3CaFile } from '../config/state/endpoints';
import type { DeploymentBase } from '../constructs/deployment';
import { fileText, literal } from '../constructs/expressions';
import type { MasterKeys } from '../constructs/kes/master-keys';
import { Buckets } from '../constructs/minio/buckets';
import { Clients } from '../constructs/minio/clients';
import { MinioServer } from '../constructs/minio/minio-server';
import type { Certificates } from '../constructs/tls/certificates';
import { EnvironmentStack } from './environment-stack';
import { ofHost } from './host-stack';

/** MinIO, and where it is the only one its buckets: what the backup clients talk to. */
export class MinioStack extends EnvironmentStack {
  readonly server: MinioServer;

  constructor(scope: Construct, deployment: DeploymentBase, ca: Certificates, keys: MasterKeys) {
    super(scope, ofHost('minio', deployment), deployment);
    deployment.useDocker(this);
    this.server = new MinioServer(this, 'Minio', {
      deployment,
      kes: keys.asKmsFor('minio'),
      certificate: ca.issue('minio', deployment.node),
    });
  }

  declareBuckets(deployment: DeploymentBase): DeclaredBuckets {
    return declareBuckets(this, deployment, [this.server]);
  }
}

/** The buckets of several MinIO. */
export class BucketsStack extends EnvironmentStack {
  readonly declared: DeclaredBuckets;

  constructor(scope: Construct, deployment: DeploymentBase, servers: readonly [MinioServer, ...MinioServer[]]) {
    super(scope, 'minio', deployment);
    this.declared = declareBuckets(this, deployment, servers);
  }
}

/** The buckets, and who uses them. */
export interface DeclaredBuckets {
  readonly buckets: Buckets;
  /** Undefined where none are declared and none were. */
  readonly clients: Clients | undefined;
}

/** The buckets, and what their clients must be told. */
function declareBuckets(
  stack: EnvironmentStack,
  deployment: DeploymentBase,
  [minio, ...replicas]: readonly [MinioServer, ...MinioServer[]],
): DeclaredBuckets {
  const { environment, state } = deployment;
  const buckets = new Buckets(stack, 'Buckets', { deployment, minio, replicas });
  const withClients = environment.clients.length > 0 || deployment.hadClients;
  const clients = withClients ? new Clients(stack, 'Clients', { deployment, buckets }) : undefined;
  const output = (id: string, value: unknown, description: string) =>
    new TerraformOutput(stack, id, { value, description, staticId: true });
  const caFile = s3CaFile(environment, state);
  output('s3_endpoint', s3Url(environment), 'Address of the S3 API');
  if (caFile !== undefined) {
    output('ca_certificate', literal(caFile), 'CA certificate that S3 clients must trust');
    output('ca_certificate_pem', fileText(caFile), 'The same certificate itself, PEM');
  }
  output('region', environment.minio.region, 'Region to tell S3 clients');
  output(
    'buckets',
    environment.buckets.map(({ name }) => name),
    'Buckets',
  );
  return { buckets, clients };
}
