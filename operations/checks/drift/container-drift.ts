/** Whether the containers still are as they were declared. */
import type { ContainerInspectInfo } from 'dockerode';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Environment } from '../../../config/environment';
import { embeddedVault } from '../../../config/vault/vault';
import { KEY_FOLDER } from '../../../config/kes/kes-configuration';
import type { LoadedEnvironment } from '../../state/load';
import {
  AUDIT_QUEUE_FOLDER,
  EVENT_QUEUE_FOLDER,
  minioKms,
  minioVariables,
} from '../../../config/minio/minio-variables';
import { networksOfService } from '../../../config/docker/networks';
import {
  kesPublication,
  minioPublication,
  type Publication,
  s3Publication,
  urlHost,
  vaultPublication,
} from '../../../config/docker/reachable';
import { SERVICE_UID } from '../../../config/docker/service-user';
import {
  auditQueueOf,
  eventQueueOf,
  type Node,
  type NodeService,
  nodesOf,
  SERVERS,
  VAULT_CLUSTER_PORT,
} from '../../../config/node';
import { CheckFailure, type Evidence, type FullCheck } from '../check';
import { containerOf, type ServiceContainer } from '../at-rest/containers';
import { differences, someOf } from './differences';

const containersHardened: FullCheck = {
  from: 'deployment',
  id: 'containers-hardened',
  title: 'Every container runs confined, and is reachable only where it was declared',
  proves:
    'No process is root, may become it, has a capability, shares processes or memory with others or writes to its ' +
    'image; Docker’s own seccomp and AppArmor profiles are not switched off; the declared volumes are mounted, each as ' +
    'it was declared, and of the machine nothing but a declared folder of keys; each port is published on its declared ' +
    'address only, no foreign network is attached, and MinIO and Vault have none in common.',
  doesNotProve: 'That the kernel and Docker keep what they promise, or that only trusted people may use Docker.',
  severity: 'high',
  run: async (context) => {
    const { environment } = context.loaded;
    const containers: Record<string, Evidence> = {};
    const problems: string[] = [];
    const wrong: ServiceContainer[] = [];
    for (const node of nodesOf(environment)) {
      for (const { alias, name, ...declared } of declaredContainers(environment, node)) {
        const container = await containerOf(node, name);
        const actual = confinementOf(await container.inspect());
        const found = differences({ ...CONFINED, ...declared }, actual);
        if (found.length > 0) wrong.push(container);
        problems.push(...found.map((problem) => `${container.shown}: ${problem}`));
        containers[node.host === undefined ? alias : `${alias} on ${node.host.name}`] = actual;
      }
    }
    if (problems.length > 0) throw new CheckFailure(someOf(problems), makeAnew(context.loaded, wrong), { containers });
    return { containers };
  },
};

const minioConfiguration: FullCheck = {
  from: 'deployment',
  id: 'minio-configuration',
  title: 'MinIO runs with the declared settings',
  proves:
    'The variables of MinIO’s container that decide about KES, default key and auto-encryption are the declared ones, ' +
    'and there is no other. Its credentials file is the one that was made for it.',
  doesNotProve: 'That MinIO acts accordingly: the round trips do that.',
  severity: 'high',
  run: async (context) => {
    const { environment, state } = context.loaded;
    const { dockerEngine } = await import('../../docker/docker.js');
    const problems: string[] = [];
    const wrong: ServiceContainer[] = [];
    let settings: Readonly<Record<string, string>> = {};
    for (const node of nodesOf(environment)) {
      const container = await containerOf(node, node.minio.container);
      const { Config, Image } = await container.inspect();
      const image = await dockerEngine(node.docker).getImage(Image).inspect();
      const declared: Readonly<Record<string, string>> = {
        ...ofMinio(image.Config.Env),
        ...minioVariables(environment.minio, minioKms(environment), node.host !== undefined),
      };
      settings = declared;
      const found = differences(declared, ofMinio(Config.Env), (name) => !(name in declared));
      const file = await container.read('/files/config.env');
      if (!file.equals(readFileSync(state.secret.minioConfigEnv))) {
        found.push(`config.env is not what is in ${state.secret.minioConfigEnv}`);
      }
      if (found.length > 0) wrong.push(container);
      problems.push(...found.map((problem) => (node.host === undefined ? problem : `${container.shown}: ${problem}`)));
    }
    const evidence = { settings };
    if (problems.length === 0) return evidence;
    throw new CheckFailure(someOf(problems), makeAnew(context.loaded, wrong), evidence);
  },
};

/** In the order in which they are reported. */
export const containerDriftChecks: readonly FullCheck[] = [containersHardened, minioConfiguration];

/** What differs between the containers that are declared, in the words of {@link confinementOf}. */
interface DeclaredContainer {
  readonly alias: string;
  readonly name: string;
  readonly networks: string;
  readonly ports: string;
  readonly [mount: `mount at ${string}`]: string;
}

function declaredContainers(environment: Environment, node: Node): DeclaredContainer[] {
  const { keyStore, minio } = environment;
  const vault = embeddedVault(environment);
  const declared = (
    service: 'vault' | 'kes' | 'minio',
    { alias, container, files }: NodeService,
    mounts: Readonly<Record<string, string>> = {},
    ...ports: readonly string[]
  ): DeclaredContainer => ({
    alias,
    name: container,
    ...mountsAt({ '/files': `volume ${files}, read-only`, ...mounts }),
    networks: [...networksOfService(environment, service)].sort().join(', '),
    ports: [...ports].sort().join(', '),
  });
  const published = ({ address, port }: Publication, inside: number): string =>
    `${urlHost(address)}:${port} to ${inside}/tcp`;
  const keys =
    keyStore.type === 'filesystem' && keyStore.path !== undefined
      ? `bind ${path.posix.resolve(keyStore.path)}`
      : `volume ${node.kes.keyVolume}`;
  return [
    ...(vault === undefined || node.vault === undefined
      ? []
      : [
          declared(
            'vault',
            node.vault,
            { '/vault/data': `volume ${node.vault.dataVolume}`, '/vault/audit': `volume ${node.vault.auditVolume}` },
            published(vaultPublication(vault, node), node.vault.port),
            ...(node.host === undefined
              ? []
              : [published({ address: node.host.address, port: VAULT_CLUSTER_PORT }, VAULT_CLUSTER_PORT)]),
          ),
        ]),
    ...(vault?.unseal === 'auto' && node.vault !== undefined ? [declared('vault', node.vault.unsealer)] : []),
    declared(
      'kes',
      node.kes,
      keyStore.type === 'filesystem' ? { [KEY_FOLDER]: keys } : {},
      published(kesPublication(environment, node), node.kes.port),
    ),
    declared(
      'minio',
      node.minio,
      {
        ...Object.fromEntries(
          node.minio.drives.map(({ kind, source, path }) => [
            path,
            `${kind === 'volume' ? 'volume' : 'bind'} ${source}`,
          ]),
        ),
        ...(minio.audit === undefined ? {} : { [AUDIT_QUEUE_FOLDER]: `volume ${auditQueueOf(node.minio)}` }),
        ...(minio.webhooks.length === 0 ? {} : { [EVENT_QUEUE_FOLDER]: `volume ${eventQueueOf(node.minio)}` }),
      },
      published(minioPublication(environment, node), node.minio.port),
    ),
    // it leads MinIO to KES, and KES to Vault, each by a network of theirs
    ...(node.balancer === undefined
      ? []
      : [declared('kes', node.balancer, {}, published(s3Publication(environment, node), SERVERS.minio.port))]),
  ];
}

/** What constructs/docker/service-container.ts declares for all, in the words of {@link confinementOf}. */
const CONFINED: Evidence = {
  user: `${SERVICE_UID}:${SERVICE_UID}`,
  readOnly: true,
  privileged: false,
  capabilitiesDropped: 'ALL',
  capabilitiesAdded: 'none',
  securityOptions: 'no-new-privileges',
  devices: 0,
  processes: 'own',
  sharedMemory: 'own',
};

/** But for the volumes without a name that Docker makes where an image wants some: they go with the container. */
function mountsOf({ Config, Mounts }: Pick<ContainerInspectInfo, 'Config' | 'Mounts'>): Record<string, string> {
  const { Volumes } = Config as { readonly Volumes?: object | null };
  const ofImage = Object.keys(Volumes ?? {});
  const isOfImage = ({ Type, Name = '', Destination }: ContainerInspectInfo['Mounts'][number]): boolean =>
    Type === 'volume' && /^[0-9a-f]{64}$/.test(Name) && ofImage.includes(Destination);
  return mountsAt(
    Object.fromEntries(
      Mounts.filter((mount) => !isOfImage(mount)).map(({ Type, Name, Source, Destination, RW }) => {
        const what = Type === 'volume' ? Name : path.posix.resolve(Source);
        return [Destination, `${Type} ${what ?? ''}${RW ? '' : ', read-only'}`];
      }),
    ),
  );
}

function mountsAt(mounts: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(mounts).map(([where, what]) => [`mount at ${where}`, what]));
}

function confinementOf({ Config, HostConfig, Mounts, NetworkSettings }: ContainerInspectInfo): Evidence {
  const ipc = HostConfig.IpcMode ?? '';
  const bindings = (HostConfig.PortBindings ?? {}) as Record<string, { HostIp: string; HostPort: string }[] | null>;
  return {
    user: Config.User,
    readOnly: HostConfig.ReadonlyRootfs ?? false,
    privileged: HostConfig.Privileged ?? false,
    capabilitiesDropped: listOf(HostConfig.CapDrop),
    capabilitiesAdded: listOf(HostConfig.CapAdd),
    securityOptions: listOf(
      (HostConfig.SecurityOpt as string[] | null)?.map((option) =>
        // Docker keeps it as it was asked for
        /^no-new-privileges[:=]true$/.test(option) ? 'no-new-privileges' : option,
      ),
    ),
    devices: (HostConfig.Devices as unknown[] | null)?.length ?? 0,
    processes: HostConfig.PidMode === undefined || HostConfig.PidMode === '' ? 'own' : HostConfig.PidMode,
    sharedMemory: ['', 'none', 'private', 'shareable'].includes(ipc) ? 'own' : ipc,
    networks: Object.keys(NetworkSettings.Networks).sort().join(', '),
    ports: Object.entries(bindings)
      .flatMap(([inside, all]) =>
        (all ?? []).map(({ HostIp, HostPort }) => `${urlHost(HostIp)}:${HostPort} to ${inside}`),
      )
      .sort()
      .join(', '),
    ...mountsOf({ Config, Mounts }),
  };
}

/** Docker says `null` where there is nothing. */
function listOf(names: unknown): string {
  return Array.isArray(names) && names.length > 0 ? names.join(', ') : 'none';
}

/** Variables by which MinIO, and Go in it, can be configured; `MC_` and the like are the business of other programs. */
const OF_MINIO = /^(?:MINIO_|GODEBUG=)/;

function ofMinio(variables: readonly string[] | null): Record<string, string> {
  return Object.fromEntries(
    (variables ?? []).flatMap((entry) => {
      const at = entry.indexOf('=');
      return OF_MINIO.test(entry) ? [[entry.slice(0, at), entry.slice(at + 1)]] : [];
    }),
  );
}

function makeAnew({ argument, environment }: LoadedEnvironment, containers: readonly ServiceContainer[]): string {
  const remove =
    environment.hosts === undefined
      ? `\`docker rm -f ${containers.map(({ name }) => name).join(' ')}\``
      : `remove ${containers.map(({ shown }) => shown).join(', ')} (\`docker rm -f\`)`;
  return `${remove}, then ./scripts/up ${argument}: it creates them again, and their volumes stay`;
}
