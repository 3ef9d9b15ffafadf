import { type ITerraformDependable, TerraformStack } from 'cdktf';
import { Construct } from 'constructs';
import { storageNetwork } from '../../config/docker/networks';
import { programPaths } from '../../config/docker/program-paths';
import { minioPublication } from '../../config/docker/reachable';
import {
  AUDIT_QUEUE_FOLDER,
  EVENT_QUEUE_FOLDER,
  LOST_PEERS_KERNEL,
  minioVariables,
} from '../../config/minio/minio-variables';
import { auditQueueOf, engineOf, eventQueueOf, type MinioNode, type Nodes } from '../../config/node';
import type { CertificateFiles, TlsEndpoint } from '../../config/operation-inputs';
import { s3CertificateFiles } from '../../config/state/certificate-files';
import { minioNodeEndpoint } from '../../config/state/endpoints';
import type { DeploymentBase } from '../deployment';
import { DataVolume, FileVolume, Forgotten, ServiceContainer } from '../docker';
import type { Kms } from '../kes/master-keys';
import { Operation } from '../operation';
import type { IssuedCertificate } from '../tls/certificates';

export interface MinioServerProps {
  readonly deployment: DeploymentBase;
  /** The KMS that has its data keys. */
  readonly kes: Kms;
  /**
   * Certificate from the private CA, for the alias of the node; clients are shown it where none comes from elsewhere.
   * MinIO ends TLS itself, always: it refuses SSE-C otherwise.
   */
  readonly certificate: IssuedCertificate;
}

/** One MinIO server with its drives, whose every secret is in a file and whose every object is encrypted through KES. */
export class MinioServer extends Construct {
  /** How the machine that deploys reaches it. */
  readonly endpoint: TlsEndpoint;
  readonly container: ServiceContainer;
  private readonly reload: Operation<'reload-container'>;
  private readonly gate: Operation<'await-minio-node'> | undefined;

  constructor(scope: Construct, id: string, { deployment, kes, certificate }: MinioServerProps) {
    super(scope, id);
    const { environment, runner, state } = deployment;
    const { minio } = environment;
    const node = deployment.node.minio;
    const image = deployment.image(this, 'minio');
    const programs = programPaths(environment);
    const { host } = deployment.node;
    this.endpoint = minioNodeEndpoint(environment, state, deployment.node);

    // or it ends, for want of its default key; and a key is not created where there is a volume: it may have been lost
    const after = TerraformStack.of(kes.keys) === TerraformStack.of(this) ? [kes.keys.dependable] : [];
    const publicCertificates = s3CertificateFiles(environment, state);
    const files = new FileVolume(this, 'Files', {
      deployment,
      name: node.files,
      image,
      files: [
        ...certificateFolders(publicCertificates, certificate).flatMap(([folder, shown]) => [
          { path: `${folder}/public.crt`, source: shown.certificate },
          { path: `${folder}/private.key`, source: shown.privateKey },
        ]),
        { path: 'certs/CAs/private-ca.crt', source: state.caCertificate },
        { path: 'certs/CAs/trusted-cas.crt', source: state.trustedCAs },
        { path: 'kes/client.crt', source: kes.client.certificate },
        { path: 'kes/client.key', source: kes.client.privateKey },
        { path: 'config.env', source: state.secret.minioConfigEnv },
      ],
    });
    const volumes = node.drives.flatMap(({ kind, source, path }, index) => {
      if (kind === 'folder') return [];
      const data = new DataVolume(this, node.drives.length === 1 ? 'Data' : `Data${index + 1}`, {
        deployment,
        name: source,
        dependsOn: after,
        ...(deployment.hasPublishedImages ? { takeOverWith: image } : {}),
      });
      return [{ data, path }];
    });
    const folders = node.drives.filter(({ kind }) => kind === 'folder');
    folders.forEach((_, index) => {
      const volume = new Construct(this, node.drives.length === 1 ? 'Data' : `Data${index + 1}`);
      new Forgotten(volume, 'Resource', 'docker_volume');
    });
    const queueVolume = (construct: string, volume: string) =>
      // no image of MinIO has a folder for it, and each can give one away
      new DataVolume(this, construct, { deployment, name: volume, takeOverWith: image });
    const queues = [
      ...(minio.audit === undefined
        ? []
        : [{ volume: queueVolume('AuditQueue', auditQueueOf(node)), path: AUDIT_QUEUE_FOLDER }]),
      ...(minio.webhooks.length === 0
        ? []
        : [{ volume: queueVolume('EventQueue', eventQueueOf(node)), path: EVENT_QUEUE_FOLDER }]),
    ];
    const published = minioPublication(environment, deployment.node);
    this.container = new ServiceContainer(this, 'Server', {
      deployment,
      name: node.container,
      image,
      command: [
        programs.minio,
        'server',
        '--quiet',
        '--certs-dir',
        '/files/certs',
        '--address',
        `:${node.port}`,
        // by default it waits 30 s for the headers of each connection, and anybody can open many
        '--read-header-timeout',
        '10s',
        ...drivesArguments(deployment.nodes, node),
      ],
      networks: [deployment.reference(this, storageNetwork(environment).name)],
      alias: node.alias,
      volumes: [
        { name: files.name, path: '/files', readOnly: true },
        ...volumes.map(({ data, path }) => ({ name: data.name, path, readOnly: false })),
        ...queues.map(({ volume, path }) => ({ name: volume.name, path, readOnly: false })),
      ],
      ...(folders.length === 0
        ? {}
        : { folders: folders.map(({ source, path }) => ({ host: source, path, readOnly: false })) }),
      hosts: deployment.peers('minio'),
      ports: [{ container: node.port, host: published.port, address: published.address }],
      variables: minioVariables(minio, kes, host !== undefined),
      ...(host === undefined ? {} : { kernelParameters: LOST_PEERS_KERNEL }),
      healthCheck: {
        // "cluster" health: storage and IAM are loaded. Not the KMS, or an outage of Vault would mark MinIO sick
        command: [
          'env',
          'SSL_CERT_FILE=/files/certs/CAs/private-ca.crt',
          `MC_HOST_local=${node.url}`,
          programs.mc,
          '--config-dir',
          '/tmp/mc',
          '--resolve',
          `${node.alias}:${node.port}=127.0.0.1`,
          'ready',
          'local',
        ],
        intervalSeconds: 10,
      },
      memoryMb: minio.memoryMb,
      stopSeconds: 30,
      // minio/minio, cmd/server-main.go: of its files it reads these only then
      readAtStart: ['certs/CAs/private-ca.crt', 'certs/CAs/trusted-cas.crt', 'config.env'].map((path) =>
        files.versionOf(path),
      ),
      dependsOn: [
        files.dependable,
        ...volumes.map(({ data }) => data.dependable),
        ...queues.map(({ volume }) => volume.dependable),
        ...after,
      ],
    });
    const { url, caFile } = this.endpoint;
    // MinIO watches its files, but when several change at once it may miss the last one
    this.reload = new Operation(this, 'Reload', {
      runner,
      operation: 'reload-container',
      input: {
        container: node.container,
        signal: 'SIGHUP',
        proof: {
          kind: 'certificates',
          url,
          certificates: [
            ...publicCertificates.map((shown) => ({
              file: shown.certificate,
              ...(caFile === undefined ? {} : { caFile }),
            })),
            { file: certificate.certificate, caFile: state.caCertificate },
          ],
        },
      },
      triggers: files.versions,
      dependsOn: [files.dependable, this.container.dependable],
    });
    if (host === undefined) return;
    this.gate = new Operation(this, 'Await', {
      runner,
      operation: 'await-minio-node',
      input: {
        host: host.name,
        nodes: deployment.nodes.map((peer) => ({
          host: peer.host?.name ?? '',
          engine: engineOf(peer),
          container: peer.minio.container,
          endpoint: minioNodeEndpoint(environment, state, peer),
        })),
        region: minio.region,
        operationsFile: state.secret.minioOperations,
        rootFile: state.secret.minioRoot,
        drives: node.drives.map(({ path }) => `${node.url}${path}`),
        awayDrives: state.awayDrives,
      },
      triggers: { container: this.container.containerId },
      dependsOn: [this.reload.dependable],
    });
  }

  /** For the `dependsOn` of what needs MinIO with its present certificates. */
  get dependable(): ITerraformDependable {
    return (this.gate ?? this.reload).dependable;
  }

  /** Changes when MinIO was made to read other files. */
  get runId(): string {
    return this.reload.runId;
  }
}

/**
 * How MinIO is told of its drives, and of those of other nodes: several by an ellipsis of its own, which makes a pool
 * (minio/minio, cmd/endpoint-ellipses.go).
 */
function drivesArguments(nodes: Nodes, { drives: [first, ...others], alias, port }: MinioNode): string[] {
  const drives = others.length === 0 ? first.path : first.path.replace(/1$/, `{1...${others.length + 1}}`);
  if (nodes.length === 1) return [drives];
  const pools = [...new Set(nodes.map(({ pool }) => pool))];
  return pools.map((pool) => {
    const numbers = nodes.filter((node) => node.pool === pool).map(({ number }) => number);
    const range = `{${Math.min(...numbers)}...${Math.max(...numbers)}}`;
    return `https://${alias.replace(/\d+$/, range)}:${port}${drives}`;
  });
}

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
