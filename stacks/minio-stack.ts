import type { Construct } from 'constructs';
import { TerraformOutput } from 'cdktf';
import { CLIENTS } from '../config/deployment-names';
import { minioKms } from '../config/minio/minio-variables';
import { storageNetwork } from '../config/docker/networks';
import { s3CaFile, s3Endpoint } from '../config/state/endpoints';
import { s3CertificateFiles } from '../config/state/certificate-files';
import { s3Url } from '../config/minio/s3-endpoint';
import { programPaths } from '../config/docker/program-paths';
import { imageReference } from '../constructs/docker';
import { fileText, literal } from '../constructs/expressions';
import { Buckets } from '../constructs/minio/buckets';
import { MinioServer } from '../constructs/minio/minio-server';
import type { Certificates } from '../constructs/tls/certificates';
import { type Deployment, imageSource } from './deployment';
import { EnvironmentStack } from './environment-stack';

/** MinIO with its buckets: what the backup clients talk to. */
export class MinioStack extends EnvironmentStack {
  readonly server: MinioServer;
  readonly buckets: Buckets;

  constructor(scope: Construct, deployment: Deployment, certificates: Certificates) {
    super(scope, 'minio', deployment);
    this.useDocker();
    const { environment, state, runner } = deployment;
    const { minio } = environment;
    this.server = new MinioServer(this, 'Minio', {
      runner,
      environment: environment.name,
      node: this.host.minio,
      image: imageReference(imageSource(deployment, 'minio')),
      program: programPaths(environment).minio,
      mcProgram: programPaths(environment).mc,
      network: storageNetwork(environment).name,
      publish: { address: environment.docker.publishAddress, port: minio.port },
      region: minio.region,
      ...(minio.domain === undefined ? {} : { domain: minio.domain }),
      ...(minio.parity === undefined ? {} : { parity: minio.parity }),
      certificate: certificates.leaf(this.host.minio.certificate),
      ca: certificates.ca,
      trustedCAs: state.trustedCAs,
      publicCertificates: s3CertificateFiles(environment, state),
      endpoint: s3Endpoint(environment, state),
      kms: { ...minioKms(environment), client: certificates.leaf(CLIENTS.minio) },
      configEnvFile: state.secret.minioConfigEnv,
      memoryMb: minio.memoryMb,
      processLimit: environment.docker.processLimit,
      allowDataLoss: environment.allowDataLoss === environment.name,
      takeOverVolumes: environment.images.source === 'registry',
    });
    this.buckets = new Buckets(this, 'Buckets', {
      runner,
      endpoint: this.server.endpoint,
      region: minio.region,
      rootFile: state.secret.minioRoot,
      buckets: environment.buckets,
      denySseC: minio.sseC === 'deny',
      triggers: { container: this.server.container.containerId },
      dependsOn: [this.server.dependable],
    });

    const output = (id: string, value: unknown, description: string) =>
      new TerraformOutput(this, id, { value, description, staticId: true });
    const caFile = s3CaFile(environment, state);
    output('s3_endpoint', s3Url(environment), 'Address of the S3 API');
    if (caFile !== undefined) {
      output('ca_certificate', literal(caFile), 'CA certificate that S3 clients must trust');
      output('ca_certificate_pem', fileText(caFile), 'The same certificate itself, PEM');
    }
    output('region', minio.region, 'Region to tell S3 clients');
    output(
      'buckets',
      environment.buckets.map(({ name }) => name),
      'Buckets',
    );
  }
}
