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
import { existsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { namesOf } from '../../config/deployment-names';
import { type LoadedEnvironment, parseEnvironment } from '../../config/load';
import { stateLayout } from '../../config/state';
import { projectRoot } from '../../config/toolchain';
import { dockerEngine, type OwnerLabel, volumeExists } from '../docker';
import { UsageError } from '../errors';
import { readIfExists, writeFileAtomically } from '../files';
import { openKeyMaterial } from '../key-material/open';
import { openAdmin } from '../minio-admin';
import { belongingsOf } from '../tear-down';
import { checkDisk } from '../toolchain/disk';
import type { Bundle } from './bundle';
import { BUCKETS_ENTRY, ENVIRONMENT_ENTRY, IAM_ENTRY, KEY_FOLDER, minioDeploymentOf, STATE_FOLDER } from './contents';

/** A note in the state folder while a restore is under way; main.ts refuses any other deploy meanwhile. */
const restoreNote = z.object({
  createdAt: z.string(),
  deployment: z.string(),
  /** What was there when it began. */
  drive: z.enum(['empty', 'with data']),
  vaultSurvived: z.boolean(),
});
type RestoreNote = z.infer<typeof restoreNote>;

/** A restore that nothing speaks against. */
export interface RestorePlan {
  readonly bundle: Bundle;
  readonly target: LoadedEnvironment;
  /** Whether the environment file has to be written, too: it was not given, and this machine has none. */
  readonly writeEnvironmentFile: boolean;
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

/**
 * @param given the environment file to restore into. Default: the one of this clone, or else the one in the backup
 * @param confirmed name of the environment that may be replaced
 * @throws UsageError if something speaks against it; nothing was touched then
 */
export async function planRestore(
  bundle: Bundle,
  given: LoadedEnvironment | undefined,
  confirmed: string | undefined,
  ownerOf: (environment: string) => OwnerLabel,
): Promise<RestorePlan> {
  const { target, writeEnvironmentFile } = targetOf(bundle, given);
  const { environment, state } = target;
  const { header } = bundle;
  if (environment.name !== header.environment) {
    throw new UsageError(
      `the backup is of environment ${header.environment}, and ${target.file} is of ${environment.name}`,
      'give the environment file of the one that was backed up; it may name another key store, Vault or port',
    );
  }
  const note = readNote(target);
  const resumed = note?.createdAt === header.createdAt && note.deployment === header.deployment;
  if (note !== undefined && !resumed) {
    throw new UsageError(
      `a restore of ${environment.name} from the backup of ${note.createdAt} was begun and not ended`,
      `go on with that backup, or give it up by removing ${state.root}`,
    );
  }
  const docker = dockerEngine(environment.docker.host);
  const data = await minioDeploymentOf(target);
  if (data !== undefined && data !== header.minioDeployment) {
    throw new UsageError(
      `the volume ${namesOf(environment).dataVolume} holds data of MinIO ${data}, and the backup is of ${header.minioDeployment}: its keys do not open that data`,
      'take the backup of that data, or attach the volume that belongs to this one',
    );
  }
  const { containers } = await belongingsOf(docker, ownerOf(environment.name));
  const occupied = !resumed && (existsSync(state.deployment) || existsSync(state.secrets) || containers.length > 0);
  if (occupied && confirmed !== environment.name) {
    throw new UsageError(
      `environment ${environment.name} is here already: ${containers.length} container(s), state in ${state.root}`,
      `to set that aside and restore, write --replace ${environment.name}: containers are removed, the state folder is renamed, data volumes stay`,
    );
  }
  const bytes = [...bundle.entries.values()].reduce((sum, { length }) => sum + length, 64 * 1024 * 1024);
  await checkDisk([{ folder: state.root, bytes, purpose: 'the restored state' }]);
  const vaultIsThere =
    environment.vault.mode === 'embedded' && (await volumeExists(docker, `ebs-${environment.name}-vault-data`));
  return {
    bundle,
    target,
    writeEnvironmentFile,
    drive: note?.drive ?? (data === undefined ? 'empty' : 'with data'),
    vaultSurvived: vaultIsThere && note?.vaultSurvived !== false,
    vaultRemoved: !vaultIsThere && note?.vaultSurvived === true,
    resumed,
    replace: occupied,
  };
}

function targetOf(
  bundle: Bundle,
  given: LoadedEnvironment | undefined,
): Pick<RestorePlan, 'target' | 'writeEnvironmentFile'> {
  if (given !== undefined) return { target: given, writeEnvironmentFile: false };
  const text = entry(bundle, ENVIRONMENT_ENTRY).toString('utf8');
  const environment = parseEnvironment(text, 'the environment file in the backup');
  const file = path.join(projectRoot, 'environments', `${environment.name}.yaml`);
  const present = readIfExists(file);
  if (present !== undefined && present !== text) {
    throw new UsageError(
      `${file} differs from the environment file in the backup`,
      `to restore into what ${file} says, name it: ./scripts/restore ${environment.name} …; to restore as it was, move it away`,
    );
  }
  const state = stateLayout(environment.name, environment.state.directory);
  return { target: { environment, file, state }, writeEnvironmentFile: present === undefined };
}

/** Puts the state folder in place; what was there is renamed, never deleted. */
export async function restoreState(plan: RestorePlan): Promise<string> {
  const { bundle, target, drive, resumed, replace, vaultSurvived, vaultRemoved, writeEnvironmentFile } = plan;
  const { environment, file, state } = target;
  let aside = '';
  if (replace && existsSync(state.root)) {
    const name = `${state.root}.before-restore-${new Date().toISOString().replaceAll(':', '-')}`;
    await rename(state.root, name);
    aside = `; what was there is now ${name}`;
  }
  const { createdAt, deployment } = bundle.header;
  const note: RestoreNote = { createdAt, deployment, drive, vaultSurvived };
  if (!resumed || vaultRemoved) writeFileAtomically(state.restore, `${JSON.stringify(note)}\n`);
  if (writeEnvironmentFile) writeFileAtomically(file, entry(bundle, ENVIRONMENT_ENTRY), 0o644);
  // a new Vault has unseal shares of its own, and must not take the canaries for those of keys that it lost
  const later = vaultSurvived
    ? []
    : [state.canaries, ...Array.from({ length: 10 }, (_, index) => state.secret.unsealShare(index + 1))];
  // an empty drive has none of the objects of which it tells
  if (drive === 'empty') later.push(state.earlierObjects);
  if (vaultRemoved) await Promise.all(later.map((file) => rm(file, { force: true })));
  for (const [name, content] of below(bundle, STATE_FOLDER)) {
    const place = path.join(state.root, name);
    if (!place.startsWith(`${state.root}${path.sep}`)) throw new Error(`the backup names a file outside: ${name}`);
    // an interrupted restore went on from here: what it made since is newer
    if (later.includes(place) || (resumed && existsSync(place))) continue;
    writeFileAtomically(place, content, place.startsWith(state.secrets) ? 0o600 : 0o644);
  }
  return `${environment.name} in ${state.root}${aside}`;
}

/** Writes the master keys into the key store, where they are not there already, and then their canaries. */
export async function restoreMasterKeys({ bundle, target }: RestorePlan): Promise<string> {
  const store = await openKeyMaterial(target);
  let created = 0;
  try {
    for (const [key, material] of below(bundle, KEY_FOLDER)) {
      if ((await store.create(key, material)) === 'created') created += 1;
    }
  } finally {
    await store.close();
  }
  const canaries = path.relative(target.state.root, target.state.canaries);
  writeFileAtomically(target.state.canaries, entry(bundle, `${STATE_FOLDER}${canaries}`), 0o644);
  return `${created} of ${bundle.header.masterKeys.length} written, the others were there`;
}

/** Users, policies and bucket settings: into a drive that was empty when the restore began. */
export async function restoreIam({ bundle, target }: RestorePlan): Promise<string> {
  const admin = openAdmin(target);
  try {
    await admin.importIam(entry(bundle, IAM_ENTRY));
    await admin.importBuckets(entry(bundle, BUCKETS_ENTRY));
  } finally {
    admin.close();
  }
  return 'users, policies and bucket settings';
}

function readNote({ state }: LoadedEnvironment): RestoreNote | undefined {
  const text = readIfExists(state.restore);
  return text === undefined ? undefined : restoreNote.parse(JSON.parse(text));
}

function entry({ entries }: Bundle, name: string): Buffer {
  const content = entries.get(name);
  if (content === undefined) throw new Error(`the backup holds no ${name}`);
  return content;
}

/** The entries of a folder, by their names in it. */
function below({ entries }: Bundle, folder: string): [string, Buffer][] {
  return [...entries].flatMap(([name, content]) =>
    name.startsWith(folder) ? [[name.slice(folder.length), content] as [string, Buffer]] : [],
  );
}
