/** Whether the disks beneath what the deployment keeps are encrypted. */
import type { MountSource } from '../../docker/mounted-files';
import { ENVIRONMENT_LABEL } from '../../../config/deployment-names';
import { programPaths } from '../../../config/docker/program-paths';
import type { Environment } from '../../../config/environment';
import { type Node, nodesOf, onHost } from '../../../config/node';
import { embeddedVault } from '../../../config/vault/vault';
import type { LoadedEnvironment } from '../../state/load';
import { CheckFailure, type Evidence, type FullCheck } from '../check';
import { type Encryption, encryptionOfMount, encryptionOfSwap, type HostFiles } from './block-devices';
import { mountsIn, swapsIn } from './mounts';

const diskEncryption: FullCheck = {
  from: 'deployment',
  id: 'disk-encryption',
  title: 'The disks beneath are encrypted, where the environment requires it',
  proves:
    'With `requireDiskEncryption`, dm-crypt is beneath every drive, volume and folder of the deployment, the logs of ' +
    'containers and swap. Without it, the evidence says which are.',
  doesNotProve:
    'That the key of a disk is kept apart from it. A drive, hypervisor or cloud that encrypts below the kernel is not seen.',
  severity: 'high',
  run: async ({ loaded }) => {
    const [host, here] = await Promise.all([placesOnHosts(loaded), placesHere(loaded)]);
    return judgePlaces([...host, ...here], loaded);
  },
};

/** In the order in which they are reported. */
export const diskChecks: readonly FullCheck[] = [diskEncryption];

/** Where something of the deployment is kept. */
export interface Place {
  readonly name: string;
  readonly found: Encryption | typeof NOTHING;
}

const NOTHING = { state: 'none', what: 'no swap is in use' } as const;

/** @throws CheckFailure that names each place that is not shown to be encrypted, if every one must be */
export function judgePlaces(
  places: readonly Place[],
  { environment, file }: Pick<LoadedEnvironment, 'environment' | 'file'>,
): Evidence {
  const seen = Object.fromEntries(places.map(({ name, found }) => [name, { state: found.state, by: found.what }]));
  const open = (['not encrypted', 'cannot be told'] as const).flatMap((state) => {
    const reasons = new Set(places.flatMap(({ found }) => (found.state === state ? [found.what] : [])));
    return [...reasons].map((what) => {
      const names = places.flatMap(({ name, found }) => (found.state === state && found.what === what ? [name] : []));
      const more = names.length > NAMED ? ` and ${names.length - NAMED} more` : '';
      return `${state}: ${what} (beneath ${names.slice(0, NAMED).join(', ')}${more})`;
    });
  });
  const evidence = { required: environment.requireDiskEncryption, places: seen };
  if (open.length === 0) return evidence;
  if (!environment.requireDiskEncryption) return { ...evidence, note: `${open.join('; ')}. ${WHAT_IT_MEANS}` };
  throw new CheckFailure(
    open.join('; '),
    `put it on LUKS, docs/security.md#disk-encryption has the commands; where something below the kernel encrypts, remove requireDiskEncryption from ${file}: the check then says what it sees`,
    evidence,
  );
}

/** The evidence has them all. */
const NAMED = 4;

const WHAT_IT_MEANS = 'docs/security.md#disk-encryption says what is plain on a disk, and how to encrypt it';

const NOT_THERE: Encryption = { state: 'cannot be told', what: 'it is not on the Docker host' };

interface Source {
  readonly name: string;
  readonly at: MountSource;
}

/** What the deployment keeps on the Docker host. File volumes are among it, because they hold private keys. */
export function sourcesOf(environment: Environment, nodes: readonly Node[] = nodesOf(environment)): Source[] {
  const { keyStore } = environment;
  const vault = embeddedVault(environment);
  const volume = (name: string): Source => ({ name: `volume ${name}`, at: { volume: name } });
  return nodes.flatMap((node) => [
    ...node.minio.drives.map(({ kind, source }): Source => ({
      name: `drive ${source}`,
      at: kind === 'volume' ? { volume: source } : { folder: source },
    })),
    volume(node.minio.files),
    volume(node.kes.files),
    ...(vault === undefined || node.vault === undefined
      ? []
      : [node.vault.dataVolume, node.vault.auditVolume, node.vault.files].map(volume)),
    ...(vault?.unseal === 'auto' && node.vault !== undefined ? [volume(node.vault.unsealer.files)] : []),
    ...(keyStore.type !== 'filesystem'
      ? []
      : keyStore.path === undefined
        ? [volume(node.kes.keyVolume)]
        : [{ name: `master keys ${keyStore.path}`, at: { folder: keyStore.path } }]),
  ]);
}

async function placesOnHosts({ environment }: LoadedEnvironment): Promise<Place[]> {
  const places = await Promise.all(nodesOf(environment).map(async (node) => placesOnHost(environment, node)));
  return places.flat();
}

async function placesOnHost(environment: Environment, node: Node): Promise<Place[]> {
  // loading them takes longer than most checks run
  const [{ dockerEngine }, { DATA_ROOT_FILE, hostMounts, placeOf }, { filesOfHost }] = await Promise.all([
    import('../../docker/docker.js'),
    import('../../docker/hosts/host-mounts.js'),
    import('./host-files.js'),
  ]);
  const docker = dockerEngine(node.docker);
  const minio = docker.getContainer(node.minio.container);
  const at = {
    image: (await minio.inspect()).Image,
    mc: programPaths(environment).mc,
    owner: { name: ENVIRONMENT_LABEL, value: environment.name },
  };
  const host = filesOfHost(docker, minio, at);
  const sources = sourcesOf(environment, [node]);
  // Docker would make a volume that is not there
  const { Volumes } = await docker.listVolumes();
  const there = sources.filter(
    ({ at: source }) => 'folder' in source || Volumes.some(({ Name }) => Name === source.volume),
  );
  const [text, swaps] = await Promise.all([
    hostMounts(
      docker,
      at,
      there.map((source) => source.at),
    ),
    placesOfSwap(node.host === undefined ? 'the Docker host' : `host ${node.host.name}`, host),
  ]);
  const mounts = mountsIn(text);
  const beneath = async (point: string): Promise<Encryption> => {
    const mount = mounts.findLast((one) => one.point === point);
    return mount === undefined ? NOT_THERE : encryptionOfMount(mount, host);
  };
  return [
    ...(await Promise.all(
      sources.map(async (source): Promise<Place> => {
        const index = there.indexOf(source);
        return { name: `${source.name}${onHost(node)}`, found: index < 0 ? NOT_THERE : await beneath(placeOf(index)) };
      }),
    )),
    { name: `logs of containers${onHost(node)}`, found: await beneath(DATA_ROOT_FILE) },
    ...swaps,
  ];
}

async function placesHere({ state }: LoadedEnvironment): Promise<Place[]> {
  const { filesOfThisMachine } = await import('./host-files.js');
  const host = filesOfThisMachine();
  const mount = await host.mountOf(state.root);
  const found: Encryption =
    mount === undefined
      ? { state: 'cannot be told', what: 'this system has no /proc/self/mountinfo' }
      : await encryptionOfMount(mount, host);
  return [{ name: `state folder ${state.root}`, found }, ...(await placesOfSwap('this machine', host))];
}

async function placesOfSwap(machine: string, host: HostFiles): Promise<Place[]> {
  const text = await host.read('/proc/swaps');
  const name = `swap of ${machine}`;
  if (text === undefined) return [{ name, found: { state: 'cannot be told', what: 'there is no /proc/swaps' } }];
  const swaps = swapsIn(text);
  if (swaps.length === 0) return [{ name, found: NOTHING }];
  return Promise.all(
    swaps.map(async (swap) => ({ name: `${name}, ${swap.path}`, found: await encryptionOfSwap(swap, host) })),
  );
}
