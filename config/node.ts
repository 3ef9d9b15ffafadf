/** The hosts of a deployment, and the one source of the names of what is on them. */
import type { DrivesSetting, Environment } from './environment';

/** A program of a node. */
export interface NodeService {
  readonly container: string;
  /** What others call it in the networks of the node. */
  readonly alias: string;
  /** The volume of what it reads. */
  readonly files: string;
}

/** One that others connect to. */
export interface NodeServer extends NodeService {
  /** Where it listens in the networks of the node. */
  readonly port: number;
  /** How others reach it there. */
  readonly url: string;
  /** Name of its certificate, and of the files of that. */
  readonly certificate: string;
}

export interface VaultNode extends NodeServer {
  readonly dataVolume: string;
  readonly auditVolume: string;
  readonly unsealer: NodeService;
}

export interface KesNode extends NodeServer {
  /** The volume of master keys that are files. */
  readonly keyVolume: string;
}

export interface MinioNode extends NodeServer {
  /** In the order in which MinIO is told of them, which it keeps for ever. */
  readonly drives: readonly [Drive, ...Drive[]];
}

/** A drive of MinIO: a Docker volume, or a folder of the host. */
export interface Drive {
  readonly kind: 'volume' | 'folder';
  /** Name of the volume, or absolute path of the folder on the host. */
  readonly source: string;
  /** Where it is in MinIO's container. */
  readonly path: string;
}

/** A host, and the part of a deployment that is on it. */
export interface Node {
  /** What is on it is named after it. */
  readonly id: string;
  readonly networks: {
    /** MinIO and KES are in it. */
    readonly storage: string;
    /** An embedded Vault, its unsealer and KES are in it, and nothing else: MinIO cannot reach Vault. */
    readonly vault: string;
  };
  readonly vault: VaultNode;
  readonly kes: KesNode;
  readonly minio: MinioNode;
}

/** What is the same for the servers of every deployment. */
export const SERVERS = {
  vault: { alias: 'vault', port: 8200, certificate: 'vault-server' },
  kes: { alias: 'kes', port: 7373, certificate: 'kes-server' },
  minio: { alias: 'minio', port: 9000, certificate: 'minio-server' },
} as const;

/** The nodes of an environment. */
export function nodesOf({ name, tls, minio }: Pick<Environment, 'name' | 'tls' | 'minio'>): readonly [Node, ...Node[]] {
  const id = nodeId(name);
  const certificates = tls.mode === 'self-signed' ? 0 : 1 + tls.additional.length;
  return [
    {
      id,
      networks: { storage: id, vault: `${id}-vault` },
      vault: vaultNode(id),
      kes: kesNode(id),
      minio: minioNode(id, { certificates, drives: minio.drives }),
    },
  ];
}

/** The id of the node of an environment that has one. */
export const nodeId = (environment: string): string => `ebs-${environment}`;

export function vaultNode(id: string): VaultNode {
  const server = serverOf(id, 'vault');
  const { container, alias } = server;
  return {
    ...server,
    dataVolume: `${container}-data`,
    auditVolume: `${container}-audit`,
    unsealer: serviceOf(id, `${alias}-unsealer`),
  };
}

export function kesNode(id: string): KesNode {
  const server = serverOf(id, 'kes');
  return { ...server, keyVolume: `${server.container}-keys` };
}

/**
 * @param certificates how many there are for the S3 API that the private CA does not issue
 * @param drives number of Docker volumes, or folders of the host
 */
export function minioNode(
  id: string,
  { certificates = 0, drives = 1 }: { readonly certificates?: number; readonly drives?: DrivesSetting } = {},
): MinioNode {
  const server = serverOf(id, 'minio');
  const { container } = server;
  return {
    ...server,
    // MinIO looks for certificates when it starts, and a volume keeps what was once in it: others are another volume
    ...(certificates === 0 ? {} : { files: `${container}-${certificates}-certificates${FILES}` }),
    drives: drivesOf(`${container}-data`, drives),
  };
}

/**
 * One drive keeps the names of before there were several. Several are in a folder that no drive is, because Docker copies
 * what is in a folder of the image into a new volume there.
 */
function drivesOf(volume: string, setting: DrivesSetting): readonly [Drive, ...Drive[]] {
  const sources =
    typeof setting === 'number'
      ? Array.from({ length: setting }, (_, index) => (setting === 1 ? volume : `${volume}-${index + 1}`))
      : setting.map((drive) => (typeof drive === 'string' ? drive : drive.path));
  const kind = typeof setting === 'number' ? 'volume' : 'folder';
  const [first = volume, ...others] = sources;
  if (others.length === 0) return [{ kind, source: first, path: '/data' }];
  return [
    { kind, source: first, path: '/drives/1' },
    ...others.map((source, index): Drive => ({ kind, source, path: `/drives/${index + 2}` })),
  ];
}

/** The drives in words: `volume NAME`, `folders /a, /b, /c and /d`. */
export function drivesText(drives: readonly Pick<Drive, 'kind' | 'source'>[]): string {
  const sources = drives.map(({ source }) => source);
  const [kind = 'volume'] = drives.map((drive) => drive.kind);
  if (sources.length <= 1) return `${kind} ${sources.join('')}`;
  return `${kind}s ${sources.slice(0, -1).join(', ')} and ${sources.at(-1) ?? ''}`;
}

function serviceOf(id: string, alias: string): NodeService {
  const container = `${id}-${alias}`;
  return { container, alias, files: `${container}${FILES}` };
}

function serverOf(id: string, server: keyof typeof SERVERS): NodeServer {
  const { alias, port, certificate } = SERVERS[server];
  return { ...serviceOf(id, alias), port, url: `https://${alias}:${port}`, certificate };
}

const FILES = '-files';

/** Whether a volume holds what a deploy delivers again; whatever is named otherwise is taken for data. */
export const holdsFiles = (volume: string): boolean => volume.endsWith(FILES);

/** The container that carries files into a volume, and is never started. */
export const loaderOf = (volume: string): string => `${volume}-loader`;

/** The container that gives a new volume to the service user, and ends. */
export const ownerOf = (volume: string): string => `${volume}-owner`;

/** The container that answers in the place of another while that is restarted. */
export const standbyOf = (container: string): string => `${container}-standby`;
