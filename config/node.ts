/** The hosts of a deployment, and the one source of the names of what is on them. */
import type { DockerSettings } from './docker/docker-engine';
import type { DrivesSetting, Environment, HostSettings, VaultDistribution } from './environment';
import { distributionOf, embeddedVault } from './vault/vault';

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
  /** How others reach it there; from other hosts, too, where there are several. */
  readonly url: string;
  /** How programs of the node reach whichever server of the deployment can answer. With one host: the same. */
  readonly sharedUrl: string;
  /** Name of its certificate, and of the files of that. */
  readonly certificate: string;
}

export interface VaultNode extends NodeServer {
  /** What runs in its container. */
  readonly program: VaultDistribution;
  /** Its name in Raft. */
  readonly raftId: string;
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

/** What leads the programs and clients of a host to what can answer, on whichever host that is. */
export interface BalancerNode extends NodeService {
  /** Its names in the networks of the node, by which programs ask for the deployment’s KES and Vault. */
  readonly aliases: { readonly kes: string; readonly vault: string };
}

/** A host, and the part of a deployment that is on it. */
export interface Node {
  /** What is on it is named after it. Hosts have engines of their own, so that it is the same on each. */
  readonly id: string;
  /** From 1 on, in the order of the hosts. */
  readonly number: number;
  /** The pool of MinIO that it is in, from 1 on. */
  readonly pool: number;
  /** Absent: it is the only one. */
  readonly host?: {
    readonly name: string;
    /** By which the other hosts and the deploying machine reach what is published on it. */
    readonly address: string;
  };
  /** How its Docker engine is reached. */
  readonly docker: DockerSettings;
  readonly networks: {
    /** MinIO and KES are in it. */
    readonly storage: string;
    /** An embedded Vault, its unsealer and KES are in it, and nothing else: MinIO cannot reach Vault. */
    readonly vault: string;
  };
  /** Absent: it is a host without Vault. */
  readonly vault?: VaultNode;
  readonly kes: KesNode;
  readonly minio: MinioNode;
  /** Absent: it is the only host, and there is nothing to choose. */
  readonly balancer?: BalancerNode;
}

/** A node that has a Vault. */
export type VaultHost = Node & { readonly vault: VaultNode };

export type Nodes = readonly [Node, ...Node[]];

/** Where nodes reach each other's MinIO, by default. */
export const DEFAULT_NODE_PORT = 9010;

/** Where the Vaults of several hosts reach each other, besides their API. */
export const VAULT_CLUSTER_PORT = 8201;

/**
 * How many hosts may have a Vault: a majority of three bears the loss of one, of five that of two. An even number bears no
 * more than the odd one below it, and more than five only cost time.
 */
export const VAULT_COUNTS: readonly number[] = [3, 5];

/** The names of the hosts that have a Vault: by default of the first pool, so that another one changes nothing of Vault. */
function vaultHosts(settings: NodeSettings, hosts: readonly HostSettings[]): readonly string[] {
  const [ofFirstPool] = poolsOf(settings);
  return embeddedVault(settings)?.hosts ?? hosts.slice(0, ofFirstPool < 5 ? 3 : 5).map(({ name }) => name);
}

/** How many hosts each pool of MinIO has, in the order of the hosts. */
export type Pools = readonly [number, ...number[]];

/** One host is one pool. */
export function poolsOf({ hosts, minio }: Pick<NodeSettings, 'hosts' | 'minio'>): Pools {
  const [first = hosts?.length ?? 1, ...others] = minio.pools ?? [];
  return [first, ...others];
}

/** What the note of a host says of its pool: nothing where there is one. */
export function notedPool(
  settings: Pick<NodeSettings, 'hosts' | 'minio'>,
  { pool }: Pick<Node, 'pool'>,
): { readonly pool?: { readonly number: number; readonly hosts: number } } {
  const pools = poolsOf(settings);
  return pools.length === 1 ? {} : { pool: { number: pool, hosts: pools[pool - 1] ?? 0 } };
}

/** @param number of a host, from 1 on */
function poolOf(pools: Pools, number: number): number {
  let last = 0;
  return pools.findIndex((hosts) => (last += hosts) >= number) + 1;
}

/** What is the same for the servers of every deployment. */
export const SERVERS = {
  vault: { alias: 'vault', port: 8200, certificate: 'vault-server' },
  kes: { alias: 'kes', port: 7373, certificate: 'kes-server' },
  minio: { alias: 'minio', port: 9000, certificate: 'minio-server' },
} as const;

/** What the nodes of an environment follow from. */
export type NodeSettings = Pick<Environment, 'name' | 'tls' | 'minio' | 'docker' | 'hosts' | 'kes' | 'keyStore'>;

/** The nodes of an environment. */
export function nodesOf(environment: NodeSettings): Nodes {
  const { name, docker, hosts } = environment;
  const id = nodeId(name);
  const only = {
    id,
    number: 1,
    pool: 1,
    docker: { host: docker.host, certPath: docker.certPath },
    networks: { storage: id, vault: `${id}-vault` },
    vault: vaultNode(id, distributionOf(environment)),
    kes: kesNode(id),
    minio: minioNode(id, { certificates: certificatesFromElsewhere(environment), drives: environment.minio.drives }),
  };
  const [first, ...others] = hosts ?? [];
  if (first === undefined) return [only];
  const pools = poolsOf(environment);
  const withVault = vaultHosts(environment, [first, ...others]);
  const nodeOf = (host: HostSettings, index: number): Node => {
    const number = index + 1;
    const { vault, ...rest } = ofHost({ ...only, number, pool: poolOf(pools, number) }, host, environment);
    return withVault.includes(host.name) ? { ...rest, vault } : rest;
  };
  return [nodeOf(first, 0), ...others.map((host, index) => nodeOf(host, index + 1))];
}

const certificatesFromElsewhere = ({ tls }: NodeSettings): number =>
  tls.mode === 'self-signed' ? 0 : 1 + tls.additional.length;

/**
 * A node of several. Its servers listen on the ports on which they are published, so that a name and a port mean the same
 * server inside and outside, and a node's own name is that of its network: MinIO wants it to be an address of its own.
 */
function ofHost(only: VaultHost, { name, docker, certificates, address }: HostSettings, environment: NodeSettings) {
  const { kes, keyStore, minio } = environment;
  const { number } = only;
  const vaultPort = keyStore.type === 'vault' && keyStore.vault.mode === 'embedded' ? keyStore.vault.port : undefined;
  const own = <Server extends NodeServer>(server: Server, port: number): Server => {
    const alias = `${server.alias}-${number}`;
    return {
      ...server,
      alias,
      port,
      url: `https://${alias}:${port}`,
      sharedUrl: `https://${server.alias}:${port}`,
      certificate: `${server.certificate}-${name}`,
    };
  };
  const vault = own(only.vault, vaultPort ?? only.vault.port);
  return {
    ...only,
    host: { name, address },
    docker: {
      host: docker,
      certPath: certificates,
      writtenAt: { host: `hosts[${number - 1}].docker`, certPath: `hosts[${number - 1}].certificates` },
    },
    vault: { ...vault, raftId: vault.alias },
    kes: own(only.kes, kes.port),
    minio: own(only.minio, minio.nodePort ?? DEFAULT_NODE_PORT),
    balancer: {
      ...serviceOf(only.id, 'balancer'),
      aliases: { kes: only.kes.alias, vault: only.vault.alias },
    },
  };
}

/** How the engine of a host is reached, for an operation that asks several. */
export function engineOf({ docker: { host = '', certPath } }: Node): { host: string; certPath?: string } {
  return { host, ...(certPath === undefined ? {} : { certPath }) };
}

/** A host in a message: ` on host b`; empty where there is one. */
export const onHost = ({ host }: Pick<Node, 'host'>): string => (host === undefined ? '' : ` on host ${host.name}`);

/** Where the containers of a deployment are looked at: ` on each host`; empty where there is one. */
export const onEachHost = ({ hosts }: Pick<NodeSettings, 'hosts'>): string =>
  hosts === undefined ? '' : ' on each host';

/** The nodes that have a Vault. The first one of them begins the Raft. */
export function vaultNodes(nodes: Nodes): readonly [VaultHost, ...VaultHost[]] {
  const [first, ...others] = nodes.flatMap((node) =>
    node.vault === undefined ? [] : [{ ...node, vault: node.vault }],
  );
  if (first === undefined) throw new Error('no host has a Vault');
  return [first, ...others];
}

/** The first host that has a Vault. What is there has the same names on each. */
export const firstVault = (environment: NodeSettings): VaultHost => vaultNodes(nodesOf(environment))[0];

/** The id of the node of an environment that has one. */
export const nodeId = (environment: string): string => `ebs-${environment}`;

/** @param program neither of them can read the storage of the other, so each has volumes of its own */
export function vaultNode(id: string, program: VaultDistribution = 'vault'): VaultNode {
  const server = serverOf(id, 'vault');
  const { container, alias } = server;
  return {
    ...server,
    program,
    raftId: container,
    dataVolume: `${id}-${program}-data`,
    auditVolume: `${id}-${program}-audit`,
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
  const url = `https://${alias}:${port}`;
  return { ...serviceOf(id, alias), port, url, sharedUrl: url, certificate };
}

const FILES = '-files';

/** Whether a volume holds what a deploy delivers again; whatever is named otherwise is taken for data. */
export const holdsFiles = (volume: string): boolean => volume.endsWith(FILES);

/** The volume of records that a MinIO could not send yet. */
export const auditQueueOf = ({ container }: Pick<MinioNode, 'container'>): string => `${container}-audit-queue`;

/** The same of events of buckets. */
export const eventQueueOf = ({ container }: Pick<MinioNode, 'container'>): string => `${container}-event-queue`;

/** The container that carries files into a volume, and is never started. */
export const loaderOf = (volume: string): string => `${volume}-loader`;

/** The container that gives a new volume to the service user, and ends. */
export const ownerOf = (volume: string): string => `${volume}-owner`;

/** The container that answers in the place of another while that is restarted. */
export const standbyOf = (container: string): string => `${container}-standby`;
