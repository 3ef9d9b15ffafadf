import type { ITerraformDependable } from 'cdktf';
import { Construct } from 'constructs';
import { type MinioKms, minioVariables } from '../../config/minio/minio-variables';
import { kesName } from '../../config/names';
import type { MinioNode } from '../../config/node';
import type { CertificateFiles, TlsEndpoint } from '../../config/operation-inputs';
import { DeclarationError } from '../declaration-error';
import { DataVolume, FileVolume, Forgotten, type Publication, ServiceContainer } from '../docker';
import { Operation, type OperationRunner } from '../operation';

export interface MinioServerProps {
  readonly runner: OperationRunner;
  readonly environment: string;
  /** Another number of public certificates takes another volume of files. */
  readonly node: MinioNode;
  readonly image: string;
  /** Paths of the `minio` and `mc` programs in the image. */
  readonly program: string;
  readonly mcProgram: string;
  readonly network: string;
  readonly publish: Publication;
  readonly region: string;
  /**
   * DNS name below which `BUCKET.domain` means a bucket. The certificates cover it and every name below it.
   *
   * @default - a bucket is only in the path
   */
  readonly domain?: string;
  /** Drives that may be lost without a loss of objects. @default - MinIO's own */
  readonly parity?: number;
  /**
   * Certificate from the private CA, for the alias of the node. MinIO ends TLS itself, always: it refuses SSE-C otherwise.
   */
  readonly certificate: CertificateFiles;
  /** CA that KES, other MinIO nodes and the certificate above are verified with. */
  readonly ca: string;
  /** Third-party CAs that MinIO trusts as well: a file that may hold none, and is never empty. */
  readonly trustedCAs: string;
  /**
   * Certificates from elsewhere, which clients are shown by the name that they ask for; the first also to those who ask
   * for none.
   *
   * @default - clients are shown the certificate from the private CA
   */
  readonly publicCertificates?: readonly CertificateFiles[];
  /** How clients reach the S3 API, and verify it. */
  readonly endpoint: TlsEndpoint;
  readonly kms: MinioKms & { readonly client: CertificateFiles };
  /** File of `KEY=VALUE` lines with the root credentials. */
  readonly configEnvFile: string;
  readonly memoryMb: number;
  /** Processes and threads of the service user on the Docker host. @default - see ServiceContainer */
  readonly processLimit?: number | undefined;
  readonly allowDataLoss: boolean;
  /** Whether the image leaves new volumes to root, as published images do. */
  readonly takeOverVolumes: boolean;
}

/** One MinIO server with its drives, whose every secret is in a file and whose every object is encrypted through KES. */
export class MinioServer extends Construct {
  /** How the machine that deploys reaches it. */
  readonly endpoint: TlsEndpoint;
  readonly container: ServiceContainer;
  private readonly reload: Operation<'reload-container'>;

  constructor(scope: Construct, id: string, props: MinioServerProps) {
    super(scope, id);
    const { kms, environment, image, node } = props;
    if (!kesName.test(kms.defaultKey)) {
      throw new DeclarationError(this, `\`kms.defaultKey\` ${kesName.rule}, got: ${kms.defaultKey}`);
    }
    if (kms.endpoints.length === 0 || kms.endpoints.some((endpoint) => !endpoint.startsWith('https://'))) {
      throw new DeclarationError(
        this,
        `\`kms.endpoints\` must be https:// addresses of KES, got: ${kms.endpoints.join(', ') || 'none'}`,
      );
    }

    const publicCertificates = props.publicCertificates ?? [];
    const files = new FileVolume(this, 'Files', {
      name: node.files,
      environment,
      image,
      files: [
        ...certificateFolders(publicCertificates, props.certificate).flatMap(
          ([folder, { certificate, privateKey }]) => [
            { path: `${folder}/public.crt`, source: certificate },
            { path: `${folder}/private.key`, source: privateKey },
          ],
        ),
        { path: 'certs/CAs/private-ca.crt', source: props.ca },
        { path: 'certs/CAs/trusted-cas.crt', source: props.trustedCAs },
        { path: 'kes/client.crt', source: kms.client.certificate },
        { path: 'kes/client.key', source: kms.client.privateKey },
        { path: 'config.env', source: props.configEnvFile },
      ],
    });
    const volumes = node.drives.flatMap(({ kind, source, path }, index) => {
      if (kind === 'folder') return [];
      const data = new DataVolume(this, node.drives.length === 1 ? 'Data' : `Data${index + 1}`, {
        name: source,
        environment,
        allowDataLoss: props.allowDataLoss,
        ...(props.takeOverVolumes ? { takeOverWith: image } : {}),
      });
      return [{ data, path }];
    });
    const folders = node.drives.filter(({ kind }) => kind === 'folder');
    folders.forEach((_, index) => {
      const volume = new Construct(this, node.drives.length === 1 ? 'Data' : `Data${index + 1}`);
      new Forgotten(volume, 'Resource', 'docker_volume');
    });
    this.container = new ServiceContainer(this, 'Server', {
      name: node.container,
      environment,
      image,
      command: [
        props.program,
        'server',
        '--quiet',
        '--certs-dir',
        '/files/certs',
        '--address',
        `:${node.port}`,
        // by default it waits 30 s for the headers of each connection, and anybody can open many
        '--read-header-timeout',
        '10s',
        drivesArgument(node.drives),
      ],
      networks: [props.network],
      alias: node.alias,
      volumes: [
        { name: files.name, path: '/files', readOnly: true },
        ...volumes.map(({ data, path }) => ({ name: data.name, path, readOnly: false })),
      ],
      ...(folders.length === 0
        ? {}
        : { folders: folders.map(({ source, path }) => ({ host: source, path, readOnly: false })) }),
      ports: [{ container: node.port, host: props.publish.port, address: props.publish.address }],
      variables: minioVariables(props, kms),
      healthCheck: {
        // "cluster" health: storage and IAM are loaded. Not the KMS, or an outage of Vault would mark MinIO sick
        command: [
          'env',
          'SSL_CERT_FILE=/files/certs/CAs/private-ca.crt',
          `MC_HOST_local=${node.url}`,
          props.mcProgram,
          '--config-dir',
          '/tmp/mc',
          '--resolve',
          `${node.alias}:${node.port}=127.0.0.1`,
          'ready',
          'local',
        ],
        intervalSeconds: 10,
      },
      memoryMb: props.memoryMb,
      processLimit: props.processLimit,
      stopSeconds: 30,
      // minio/minio, cmd/server-main.go: of its files it reads these only then
      readAtStart: ['certs/CAs/private-ca.crt', 'certs/CAs/trusted-cas.crt', 'config.env'].map((path) =>
        files.versionOf(path),
      ),
      dependsOn: [files.dependable, ...volumes.map(({ data }) => data.dependable)],
    });
    this.endpoint = props.endpoint;
    const { url, caFile } = props.endpoint;
    // MinIO watches its files, but when several change at once it may miss the last one
    this.reload = new Operation(this, 'Reload', {
      runner: props.runner,
      operation: 'reload-container',
      input: {
        container: node.container,
        signal: 'SIGHUP',
        proof: {
          kind: 'certificates',
          url,
          certificates: [
            ...publicCertificates.map(({ certificate }) => ({
              file: certificate,
              ...(caFile === undefined ? {} : { caFile }),
            })),
            { file: props.certificate.certificate, caFile: props.ca },
          ],
        },
      },
      triggers: files.versions,
      dependsOn: [files.dependable, this.container.dependable],
    });
  }

  /** For the `dependsOn` of what needs MinIO with its present certificates. */
  get dependable(): ITerraformDependable {
    return this.reload.dependable;
  }

  /** Changes when MinIO was made to read other files. */
  get runId(): string {
    return this.reload.runId;
  }
}

/** How MinIO is told of its drives: several as one set, by an ellipsis of its own. */
const drivesArgument = ([first, ...others]: MinioNode['drives']): string =>
  others.length === 0 ? first.path : first.path.replace(/1$/, `{1...${others.length + 1}}`);

/**
 * Where MinIO looks for its certificates: the default one, which clients get who ask for an address, and a folder for
 * each other one, which clients get who ask for one of its names.
 */
function certificateFolders(
  [first, ...others]: readonly CertificateFiles[],
  inside: CertificateFiles,
): [string, CertificateFiles][] {
  if (first === undefined) return [['certs', inside]];
  return [
    ['certs', first],
    ...others.map((files, index): [string, CertificateFiles] => [`certs/additional-${index + 1}`, files]),
    ['certs/inside', inside],
  ];
}
