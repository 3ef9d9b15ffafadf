import type { ITerraformDependable } from 'cdktf';
import { Construct } from 'constructs';
import { MINIO_ALIAS, MINIO_PORT } from '../../config/deployment-names';
import { type MinioKms, minioVariables } from '../../config/minio-variables';
import { kesName } from '../../config/names';
import type { TlsEndpoint } from '../../config/operation-inputs';
import { DeclarationError } from '../declaration-error';
import { DataVolume, FileVolume, type Publication, ServiceContainer } from '../docker';
import { Operation, type OperationRunner } from '../operation';
import type { CertificateFiles } from '../tls/certificates';

/** The drive inside the container. */
export const MINIO_DRIVE = '/data';

export interface MinioServerProps {
  readonly runner: OperationRunner;
  readonly environment: string;
  readonly namePrefix: string;
  readonly image: string;
  /** Paths of the `minio` and `mc` programs in the image. */
  readonly program: string;
  readonly mcProgram: string;
  readonly network: string;
  readonly publish: Publication;
  readonly region: string;
  /** Certificate of the S3 API. MinIO ends TLS itself, always: it refuses SSE-C otherwise. */
  readonly certificate: CertificateFiles;
  /** CA that the S3 API's own certificate, KES and other MinIO nodes are verified with. */
  readonly ca: string;
  readonly kms: MinioKms & { readonly client: CertificateFiles };
  /** File of `KEY=VALUE` lines with the root credentials. */
  readonly configEnvFile: string;
  readonly memoryMb: number;
  readonly dataVolume: string;
  readonly allowDataLoss: boolean;
  /** Whether the image leaves new volumes to root, as published images do. */
  readonly takeOverVolumes: boolean;
}

/** One MinIO server with one drive, whose every secret is in a file and whose every object is encrypted through KES. */
export class MinioServer extends Construct {
  /** How the machine that deploys reaches it. */
  readonly endpoint: TlsEndpoint;
  readonly container: ServiceContainer;
  private readonly reload: Operation<'reload-container'>;

  constructor(scope: Construct, id: string, props: MinioServerProps) {
    super(scope, id);
    const { kms, environment, image } = props;
    if (!kesName.test(kms.defaultKey)) {
      throw new DeclarationError(this, `\`kms.defaultKey\` ${kesName.rule}, got: ${kms.defaultKey}`);
    }
    if (kms.endpoints.length === 0 || kms.endpoints.some((endpoint) => !endpoint.startsWith('https://'))) {
      throw new DeclarationError(
        this,
        `\`kms.endpoints\` must be https:// addresses of KES, got: ${kms.endpoints.join(', ') || 'none'}`,
      );
    }

    const name = `${props.namePrefix}-${MINIO_ALIAS}`;
    const files = new FileVolume(this, 'Files', {
      name: `${name}-files`,
      environment,
      image,
      files: [
        { path: 'certs/public.crt', source: props.certificate.certificate },
        { path: 'certs/private.key', source: props.certificate.privateKey },
        { path: 'certs/CAs/private-ca.crt', source: props.ca },
        { path: 'kes/client.crt', source: kms.client.certificate },
        { path: 'kes/client.key', source: kms.client.privateKey },
        { path: 'config.env', source: props.configEnvFile },
      ],
    });
    const data = new DataVolume(this, 'Data', {
      name: props.dataVolume,
      environment,
      allowDataLoss: props.allowDataLoss,
      ...(props.takeOverVolumes ? { takeOverWith: image } : {}),
    });
    this.container = new ServiceContainer(this, 'Server', {
      name,
      environment,
      image,
      command: [
        props.program,
        'server',
        '--quiet',
        '--certs-dir',
        '/files/certs',
        '--address',
        `:${MINIO_PORT}`,
        MINIO_DRIVE,
      ],
      network: { name: props.network, alias: MINIO_ALIAS },
      volumes: [
        { name: files.name, path: '/files', readOnly: true },
        { name: data.name, path: MINIO_DRIVE, readOnly: false },
      ],
      ports: [{ container: MINIO_PORT, host: props.publish.port, address: props.publish.address }],
      variables: minioVariables(props.region, kms),
      healthCheck: {
        // "cluster" health: storage and IAM are loaded. Not the KMS, or an outage of Vault would mark MinIO sick
        command: [
          'env',
          'SSL_CERT_FILE=/files/certs/CAs/private-ca.crt',
          `MC_HOST_local=https://127.0.0.1:${MINIO_PORT}`,
          props.mcProgram,
          '--config-dir',
          '/tmp/mc',
          'ready',
          'local',
        ],
        intervalSeconds: 10,
      },
      memoryMb: props.memoryMb,
      stopSeconds: 30,
      dependsOn: [files.dependable, data.dependable],
    });
    this.endpoint = { url: `https://${props.publish.reachableAs}:${props.publish.port}`, caFile: props.ca };
    // MinIO watches its files, but when several change at once it may miss the last one
    this.reload = new Operation(this, 'Reload', {
      runner: props.runner,
      operation: 'reload-container',
      input: {
        container: name,
        signal: 'SIGHUP',
        proof: { kind: 'certificate', endpoint: this.endpoint, certificateFile: props.certificate.certificate },
      },
      triggers: files.versions,
      dependsOn: [files.dependable, this.container.dependable],
    });
  }

  /** For the `dependsOn` of what needs MinIO with its present certificates. */
  get dependable(): ITerraformDependable {
    return this.reload.dependable;
  }
}
