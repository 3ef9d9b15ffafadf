/**
 * Rebuilds what a backup is of, in the order that keeps keys safe.
 *
 * | step           | what                                                                                          |
 * |----------------|-----------------------------------------------------------------------------------------------|
 * | plan           | everything that can be refused is refused here, before anything is touched                    |
 * | state          | CA, certificates, private keys, root credentials; the canaries only if their Vault is there   |
 * | key store      | Vault, mount, AppRole and a new SecretID                                                      |
 * | master keys    | written where there are none, with the rights of KES: never over another key                  |
 * | canaries       | from here on no deploy makes a key of its own under these names                               |
 * | KES, MinIO     | KES proves every canary before MinIO is started                                               |
 * | IAM, buckets   | only into an empty drive: on one with data they are there already                             |
 * | checks         | as on every deploy                                                                            |
 */
import { existsSync, linkSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { declaredSeal, describeSeal, sealAccess } from '../../../config/vault/seal';
import { embeddedVault } from '../../../config/vault/vault';
import type { LoadedEnvironment } from '../../state/load';
import { masterKeys } from '../../../config/keys/master-keys';
import { RESTORE_PREVIEW, type StateLayout, stateLayout } from '../../../config/state/layout';
import { drivesText, type Node, nodesOf, onHost, ownerOf, vaultNodes } from '../../../config/node';
import { everyShare, parseSealNote, readSealNote } from '../../state/notes/seal-note';
import { noteDrives } from '../../state/notes/drives-note';
import { writeCanaries } from '../../state/notes/canaries';
import { dockerEngine, type OwnerLabel, volumeExists } from '../../docker/docker';
import { onEachNode } from '../../docker/hosts/each-node';
import { UsageError } from '../../lib/errors';
import { readIfExists, writeFileAtomically } from '../../lib/files';
import { openKeyMaterial } from '../../keys/material/open';
import { openAdmin } from '../../minio/minio-admin';
import { identityInput, metricsReaderFiles } from '../../../config/minio/own-identities';
import { provisionMetricsReader } from '../../minio/metrics-reader';
import { provisionIdentities } from '../../minio/provision-identities';
import { dockerResourcesOf } from '../../docker/tear-down';
import { checkDisk } from '../../toolchain/disk';
import type { Bundle } from '../bundle/bundle';
import { minioDeploymentOf, minioDeploymentOn } from '../contents';
import { requireKnownKeys } from '../freshness';
import { restartMinio, restoreSettings } from '../minio-settings';
import type { RestoreTarget } from './restore-target';
import { keyStoreBefore, type KeyStoreBefore, lostKeys, requireWritableKeys } from './restored-keys';

/** A note in the state folder while a restore is under way; main.ts refuses any other deploy meanwhile. */
const restoreNote = z.object({
  createdAt: z.string(),
  deployment: z.string(),
  /** What was there when it began. */
  drive: z.enum(['empty', 'with data']),
  vaultSurvived: z.boolean(),
  /** MinIO's id of the drive that this restore made out of an empty one; absent until MinIO has answered. */
  madeDrive: z.string().optional(),
});
type RestoreNote = z.infer<typeof restoreNote>;

/** A restore that nothing speaks against. */
export interface RestorePlan extends RestoreTarget {
  readonly bundle: Bundle;
  /** Whether MinIO's data volume is there. */
  readonly drive: RestoreNote['drive'];
  /** Whether the volume of the embedded Vault is there, with the keys in it. */
  readonly vaultSurvived: boolean;
  /** Whether it was there when an interrupted restore began, and was removed since: it did not fit. */
  readonly vaultRemoved: boolean;
  /** Whether an interrupted restore of this very backup is gone on with. */
  readonly resumed: boolean;
  /** Whether there is something in the way, which was confirmed to be set aside. */
  readonly replace: boolean;
}

/** What a plan asks of what is there. */
export interface Surroundings {
  readonly minioDeployment: () => Promise<string | undefined>;
  readonly containers: () => Promise<readonly unknown[]>;
  readonly volumeExists: (volume: string, on?: Node) => Promise<boolean>;
  readonly keyStore: KeyStoreBefore;
}

export function surroundingsOf({ target }: RestoreTarget, owner: OwnerLabel): Surroundings {
  const nodes = nodesOf(target.environment);
  return {
    minioDeployment: async () => {
      const ids = await onEachNode(nodes, async (node) => ({ node, id: await minioDeploymentOn(node) }));
      return commonDeployment(
        ids.flatMap(({ node, id }) => (id === undefined ? [] : [{ node, id }])),
        nodes.length,
      );
    },
    containers: async () =>
      (await onEachNode(nodes, async (_, docker) => (await dockerResourcesOf(docker, owner)).containers)).flat(),
    volumeExists: (volume, on = nodes[0]) => volumeExists(dockerEngine(on.docker), volume),
    keyStore: keyStoreBefore(target),
  };
}

/**
 * MinIO's id of the data on the drives of several hosts.
 *
 * @param found of each host that has data
 * @throws UsageError if they are not of one MinIO, or too few for it to start
 */
export function commonDeployment(
  found: readonly { readonly node: Pick<Node, 'host'>; readonly id: string }[],
  hosts: number,
): string | undefined {
  const [first] = found;
  if (first === undefined) return undefined;
  if (new Set(found.map(({ id }) => id)).size > 1) {
    throw new UsageError(
      `the drives hold data of more than one MinIO: ${found.map(({ node, id }) => `${id}${onHost(node)}`).join(', ')}`,
      'leave those of one attached',
    );
  }
  if (found.length * 2 < hosts) {
    throw new UsageError(
      `the drives of ${found.length} of ${hosts} hosts hold data of MinIO (${found.map(({ node }) => node.host?.name).join(', ')}), and it does not start with so few`,
      'attach the drives of the other hosts; or, if those are lost, take these away, too: then MinIO begins with empty drives',
    );
  }
  return first.id;
}

/**
 * The lock of the environment must be held.
 *
 * @param confirmed name of the environment that may be replaced
 * @param without master keys that were given up although this machine knows them
 * @throws UsageError or ExternalError if something speaks against it; nothing was touched then
 */
export async function planRestore(
  bundle: Bundle,
  into: RestoreTarget,
  confirmed: string | undefined,
  around: Surroundings,
  without: readonly string[] = [],
): Promise<RestorePlan> {
  const { environment, state } = into.target;
  const { header } = bundle;
  const note = readNote(state);
  const resumed = note?.createdAt === header.createdAt && note.deployment === header.deployment;
  if (note !== undefined && !resumed) {
    throw new UsageError(
      `a restore of ${environment.name} from the backup of ${note.createdAt} was begun and not ended`,
      `resume with that backup, or abandon the restore by removing ${state.root}`,
    );
  }
  const data = await around.minioDeployment();
  const { drives } = nodesOf(environment)[0].minio;
  if (data !== undefined && data !== header.minioDeployment && !mayBeMadeBy(note, data)) {
    throw new UsageError(
      `the ${drivesText(drives)} ${drives.length === 1 ? 'holds' : 'hold'} data of MinIO ${data}, and the backup is of ${header.minioDeployment}: its keys do not open that data`,
      'take the backup of that data, or attach the drives that belong to this one',
    );
  }
  const containers = await around.containers();
  const occupied = !resumed && (existsSync(state.deployment) || existsSync(state.secrets) || containers.length > 0);
  if (occupied && confirmed !== environment.name) {
    throw new UsageError(
      `environment ${environment.name} exists here: ${containers.length} container(s), state in ${state.root}`,
      `to set that aside and restore, write --replace ${environment.name}: containers are removed, the state folder is renamed, data volumes stay`,
    );
  }
  requireKnownKeys(bundle, state, without);
  const bytes = [...bundle.stateFiles.values()].reduce((sum, { length }) => sum + length, 64 * 1024 * 1024);
  await checkDisk([{ folder: state.root, bytes, purpose: 'the restored state' }]);
  // volumes beside a note that there were none are those that the interrupted restore has made so far
  const vaultIsThere =
    embeddedVault(environment) !== undefined && note?.vaultSurvived !== false && (await hasVault(into.target, around));
  const plan: RestorePlan = {
    ...into,
    bundle,
    // one that was attached since is taken for what it is
    drive: data === header.minioDeployment ? 'with data' : (note?.drive ?? 'empty'),
    vaultSurvived: vaultIsThere && note?.vaultSurvived !== false,
    vaultRemoved: !vaultIsThere && note?.vaultSurvived === true,
    resumed,
    replace: occupied,
  };
  if (plan.vaultSurvived) requireFittingSeal(plan);
  await requireKeysToRestore(plan, around);
  return plan;
}

/** A Vault that is kept does not start with another seal than its own. */
function requireFittingSeal({ bundle, target: { environment, file, state } }: RestorePlan): void {
  const vault = embeddedVault(environment);
  if (vault === undefined) return;
  const seal = declaredSeal(vault);
  const declared = seal === undefined ? 'unseal shares' : describeSeal(sealAccess(seal));
  const inBackup = (file: string): Buffer | undefined => bundle.stateFiles.get(path.relative(state.root, file));
  const saved = inBackup(state.vaultSeal);
  const hasShares = everyShare(state.secret.unsealShare(1)).some((file) => inBackup(file) !== undefined);
  const notes = [saved === undefined ? undefined : parseSealNote(saved.toString()), readSealNote(state)];
  // without a note and without shares, which may be kept elsewhere, a backup says nothing
  const openers = notes.flatMap((note) => (note === undefined ? [] : [describeSeal(note)]));
  if (saved === undefined && hasShares) openers.unshift('unseal shares');
  const opener = openers.find((name) => name !== declared);
  if (opener === undefined) return;
  const [{ vault: node }] = vaultNodes(nodesOf(environment));
  throw new UsageError(
    `vault.unseal: the volume ${node.dataVolume} is there, and its Vault is opened by ${opener}; ${file} declares ${declared}`,
    `declare what opens it. If that is lost for good: docker rm -f ${node.container} ${ownerOf(node.dataVolume)}; docker volume rm ${node.dataVolume}; then run the restore again, which writes the master keys into a new Vault`,
  );
}

/**
 * Whether the volumes of the embedded Vault are there. Fewer than a majority of them elect no leader.
 *
 * @throws UsageError if there are so few
 */
async function hasVault({ environment }: LoadedEnvironment, { volumeExists }: Surroundings): Promise<boolean> {
  const nodes = vaultNodes(nodesOf(environment));
  const seen = await Promise.all(
    nodes.map(async (node) => ({ node, exists: await volumeExists(node.vault.dataVolume, node) })),
  );
  const there = seen.flatMap(({ node, exists }) => (exists ? [node] : []));
  if (there.length === 0 || there.length > nodes.length / 2) return there.length > 0;
  const [{ vault }] = nodes;
  throw new UsageError(
    `volume ${vault.dataVolume} of Vault is on ${there.length} of ${nodes.length} hosts alone (${there.map(({ host }) => host?.name).join(', ')}), which is no majority: Vault would elect no leader`,
    'put the volumes of the other hosts back; or remove that one, too: the restore writes the master keys of the backup into a new Vault',
  );
}

/** As far as the key store can be asked now; {@link restoreMasterKeys} asks again. */
async function requireKeysToRestore(plan: RestorePlan, around: Surroundings): Promise<void> {
  const keys = keysOf(plan);
  if (await isGone(plan, around)) {
    const lost = keys.needed.filter((key) => !keys.backedUp.has(key));
    if (lost.length > 0) throw lostKeys(lost, keys.file, keys.createdAt);
    return;
  }
  const { open, look } = around.keyStore;
  const material = await open();
  try {
    await requireWritableKeys({ ...keys, material, look, beforehand: true });
  } finally {
    await material?.close();
  }
}

/** What the backup holds, and what else must be there: a key under which there may be data must not be made anew. */
function keysOf({ bundle, target, drive }: RestorePlan) {
  return {
    file: target.file,
    createdAt: bundle.header.createdAt,
    backedUp: bundle.masterKeys,
    needed: drive === 'empty' ? [] : masterKeys(target.environment),
  };
}

/** Whether the data may be on a drive that an interrupted restore had MinIO make out of an empty one. */
function mayBeMadeBy(note: RestoreNote | undefined, data: string): boolean {
  return note?.drive === 'empty' && (note.madeDrive ?? data) === data;
}

/** Whether the key store that the data was written with is known to be gone, and another one is made in its place. */
async function isGone({ target, vaultSurvived }: RestorePlan, { volumeExists }: Surroundings): Promise<boolean> {
  const { keyStore } = target.environment;
  if (keyStore.type === 'vault') return keyStore.vault.mode === 'embedded' && !vaultSurvived;
  // whoever mounts a volume makes it
  return (
    keyStore.type === 'filesystem' &&
    keyStore.path === undefined &&
    !(await volumeExists(nodesOf(target.environment)[0].kes.keyVolume))
  );
}

/** Puts the state folder in place; what was there is renamed, never deleted. The lock of the environment must be held. */
export async function restoreState(plan: RestorePlan): Promise<string> {
  const { bundle, target, drive, resumed, replace, vaultSurvived, vaultRemoved, writeEnvironmentFile } = plan;
  const { environment, file, state } = target;
  let aside = '';
  if (replace && readdirSync(state.root).some((name) => path.join(state.root, name) !== state.lock)) {
    const name = `${state.root}.before-restore-${new Date().toISOString().replaceAll(':', '-')}`;
    setAside(state, name);
    aside = `; what was there is now ${name}`;
  }
  const { createdAt, deployment } = bundle.header;
  const note: RestoreNote = { ...readNote(state), createdAt, deployment, drive, vaultSurvived };
  if (!resumed || vaultRemoved) writeFileAtomically(state.restore, `${JSON.stringify(note)}\n`);
  noteDrives(environment, state);
  if (writeEnvironmentFile) writeFileAtomically(file, bundle.environmentFile, 0o644);
  // a new Vault has unseal shares of its own, and must not take the canaries for those of keys that it lost
  const later = vaultSurvived
    ? []
    : [
        ...[state.canaries, state.vaultSeal],
        ...Array.from({ length: 10 }, (_, index) => [
          state.secret.unsealShare(index + 1),
          state.secret.recoveryShare(index + 1),
        ]).flat(),
      ];
  // an empty drive has none of the objects of which it tells
  if (drive === 'empty') later.push(state.earlierObjects);
  if (vaultRemoved) await Promise.all(later.map((file) => rm(file, { force: true })));
  for (const [name, content] of bundle.stateFiles) {
    const place = path.join(state.root, name);
    // an interrupted restore went on from here: what it made since is newer
    if (later.includes(place) || (resumed && existsSync(place))) continue;
    writeFileAtomically(place, content, place.startsWith(state.secrets) ? 0o600 : 0o644);
  }
  return `${environment.name} in ${state.root}${aside}`;
}

/** Renames the state folder, with the lock that is held in it left where everybody looks for it. */
function setAside({ root, lock }: StateLayout, name: string): void {
  const renamed = path.join(name, path.relative(root, lock));
  renameSync(root, name);
  mkdirSync(root, { mode: 0o700 });
  // unlike another rename it never replaces a file that was made meanwhile
  linkSync(renamed, lock);
  rmSync(renamed);
}

/**
 * Writes the master keys into the key store, where they are not there already, and then their canaries.
 *
 * @throws ExternalError if a key is lost: the next step would make another one under its name
 */
export async function restoreMasterKeys(plan: RestorePlan, around?: KeyStoreBefore): Promise<string> {
  const { bundle, target } = plan;
  const keys = keysOf(plan);
  const { look } = around ?? keyStoreBefore(target);
  const store = (await around?.open()) ?? (await openKeyMaterial(target));
  let created = 0;
  try {
    await requireWritableKeys({ ...keys, material: store, look, beforehand: false });
    for (const [key, material] of keys.backedUp) {
      if ((await store.create(key, material)) === 'created') created += 1;
    }
  } finally {
    await store.close();
  }
  writeCanaries(target.state.canaries, bundle.canaries);
  return `${created} of ${bundle.header.masterKeys.length} written, the others were there`;
}

/** Remembers which drive MinIO made out of an empty one, so that no other one is taken for it. */
export async function noteMadeDrive({ target }: RestorePlan, minioDeployment = minioDeploymentOf): Promise<void> {
  const note = readNote(target.state);
  if (note === undefined) throw new Error('no restore is under way');
  const madeDrive = await minioDeployment(target);
  writeFileAtomically(target.state.restore, `${JSON.stringify({ ...note, madeDrive })}\n`);
}

/**
 * Gives `use` the target as preflights must see it: with what the restored state folder will hold of what they ask for,
 * and without what will be set aside.
 */
export async function withStateToCome<T>(
  { bundle, target, resumed, replace }: RestorePlan,
  use: (target: LoadedEnvironment) => Promise<T>,
): Promise<T> {
  if (resumed) return use(target);
  const { environment, state } = target;
  const toCome = stateLayout(environment.name, `${state.root}${RESTORE_PREVIEW}`);
  const asked = [toCome.tls, toCome.secret.tls, path.dirname(toCome.secret.awsCredentials)];
  // what a kill left
  await rm(toCome.root, { recursive: true, force: true });
  // fails where it was made meanwhile: keys go there
  mkdirSync(toCome.root, { mode: 0o700 });
  try {
    for (const [name, content] of bundle.stateFiles) {
      const place = path.join(toCome.root, name);
      if (asked.some((folder) => place.startsWith(`${folder}${path.sep}`))) writeFileAtomically(place, content);
    }
    return await use({ ...target, state: replace ? toCome : { ...toCome, terraform: state.terraform } });
  } finally {
    await rm(toCome.root, { recursive: true, force: true });
  }
}

/** Users, policies, settings of MinIO and of buckets: into a drive that was empty when the restore began. */
export async function restoreIam({ bundle, target }: RestorePlan): Promise<string> {
  const admin = openAdmin(target, 'minioIam');
  try {
    const refused = await restoreSettings(admin, bundle, () => restartMinio(target));
    const missing = [...refused.map((problem) => `${problem} (MinIO refused it)`), ...bundle.header.notSaved];
    const { environment, state } = target;
    // the backup may have other policies of our own identities, and let root in
    await provisionIdentities(identityInput(environment, state));
    // … and the earlier secret key of the user that reads metrics, while its token is made of the new one
    const metrics = metricsReaderFiles(environment, state);
    if (metrics !== undefined) await provisionMetricsReader(admin, metrics);
    const again = missing.length === 0 ? '' : `. NOT restored, set it again: ${missing.join('; ')}`;
    return `users, policies, settings of MinIO and of buckets${again}`;
  } finally {
    admin.close();
  }
}

function readNote(state: StateLayout): RestoreNote | undefined {
  const text = readIfExists(state.restore);
  return text === undefined ? undefined : restoreNote.parse(JSON.parse(text));
}
