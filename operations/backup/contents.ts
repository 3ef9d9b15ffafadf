/**
 * Gathers what a backup holds: everything that cannot be made again, and nothing that can; see entries.ts.
 *
 * Not in it: objects; Terraform's state; tokens and the SecretID, which a restore makes anew; logs; reports as pages. What of
 * MinIO's settings cannot be saved is named in the header, see minio-settings.ts.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { masterKeys } from '../../config/keys/master-keys';
import type { LoadedEnvironment } from '../state/load';
import { retiredKeys } from '../state/notes/retired-keys';
import type { StateLayout } from '../../config/state/layout';
import { drivesText, type Node, nodesOf, onEachHost } from '../../config/node';
import { dockerEngine } from '../docker/docker';
import { ExternalError, messageOf } from '../lib/errors';
import { openKeyMaterial } from '../keys/material/open';
import { provenKey } from '../keys/material/proven-key';
import { openAdmin } from '../minio/minio-admin';
import { versionsOf } from '../toolchain/versions';
import { proveDeployedKeys } from '../keys/verify-master-keys';
import { MINIO_FORMAT_FILE, readMountedFile } from '../docker/mounted-files';
import type { ArchiveEntry } from './bundle/archive';
import { BUNDLE_FORMAT, type BundleHeader } from './bundle/bundle';
import {
  BUCKETS_ENTRY,
  ENVIRONMENT_ENTRY,
  IAM_ENTRY,
  isMadeAnew,
  isStateFile,
  KEY_FOLDER,
  SETTINGS_ENTRY,
  STATE_FOLDER,
} from './bundle/entries';
import { namesInZip, settingsNotSaved } from './minio-settings';

const minioFormat = z.object({ id: z.string() });
const marker = z.object({ id: z.string() });

/** A backup that can be written: what it is of, and its entries one after the other. */
export interface Contents {
  readonly header: BundleHeader;
  readonly entries: AsyncIterable<ArchiveEntry>;
}

/**
 * Looks whether everything is there that belongs into a backup. Every master key is proven by its canary first, and its
 * bytes again when they are read: a backup of the wrong keys is worse than none.
 *
 * @throws ExternalError if the environment is not deployed, or a key cannot be proven
 */
export async function contentsOf(loaded: LoadedEnvironment): Promise<Contents> {
  const { environment, state } = loaded;
  const keys = [...masterKeys(environment), ...retiredKeys(environment, state)];
  const deployment = deploymentId(loaded);
  await proveDeployedKeys(environment, state);
  const minioDeployment = await minioDeploymentOf(loaded);
  if (minioDeployment === undefined) {
    throw new ExternalError(
      `there is no data of MinIO on the ${drivesText(nodesOf(environment)[0].minio.drives)}`,
      `see whether it runs: \`docker ps --filter name=${nodesOf(environment)[0].id}-\`${onEachHost(environment)}`,
    );
  }
  const header: BundleHeader = {
    format: BUNDLE_FORMAT,
    environment: environment.name,
    deployment,
    createdAt: new Date().toISOString(),
    minioDeployment,
    keyStore: environment.keyStore.type,
    masterKeys: keys,
    notSaved: await notSaved(loaded),
    versions: versionsOf(environment),
  };
  return { header, entries: entriesOf(loaded, keys) };
}

/** MinIO's id of the data on the environment's drives; undefined if there is none. A drive that was wiped says nothing. */
export async function minioDeploymentOf({ environment }: LoadedEnvironment): Promise<string | undefined> {
  let unanswered: Error | undefined;
  for (const node of nodesOf(environment)) {
    try {
      const id = await minioDeploymentOn(node);
      if (id !== undefined) return id;
    } catch (error) {
      // a host that is away says nothing, and the others have the same id
      unanswered = error as Error;
    }
  }
  if (unanswered !== undefined) throw unanswered;
  return undefined;
}

/** The same on the drives of one node. */
export async function minioDeploymentOn({ docker: settings, minio }: Node): Promise<string | undefined> {
  const docker = dockerEngine(settings);
  for (const { kind, source } of minio.drives) {
    const mount = kind === 'volume' ? { volume: source } : { folder: source };
    const format = await readMountedFile(docker, mount, MINIO_FORMAT_FILE);
    if (format !== undefined) return minioFormat.parse(JSON.parse(format.toString('utf8'))).id;
  }
  return undefined;
}

async function* entriesOf(loaded: LoadedEnvironment, keys: readonly string[]): AsyncGenerator<ArchiveEntry> {
  yield { name: ENVIRONMENT_ENTRY, content: readFileSync(loaded.file) };
  yield* keyEntries(loaded, keys);
  for (const file of stateFiles(loaded.state)) {
    yield { name: `${STATE_FOLDER}${file}`, content: readFileSync(path.join(loaded.state.root, file)) };
  }
  yield* minioEntries(loaded);
}

async function* keyEntries(loaded: LoadedEnvironment, keys: readonly string[]): AsyncGenerator<ArchiveEntry> {
  const store = await openKeyMaterial(loaded);
  try {
    for (const key of keys) yield { name: `${KEY_FOLDER}${key}`, content: await provenKey(store, key, loaded) };
  } finally {
    await store.close();
  }
}

async function notSaved(loaded: LoadedEnvironment): Promise<string[]> {
  const admin = openAdmin(loaded, 'minioIam');
  try {
    return await settingsNotSaved(admin, namesInZip(await admin.exportBuckets()));
  } finally {
    admin.close();
  }
}

async function* minioEntries(loaded: LoadedEnvironment): AsyncGenerator<ArchiveEntry> {
  const admin = openAdmin(loaded, 'minioIam');
  try {
    yield { name: IAM_ENTRY, content: await admin.exportIam() };
    yield { name: BUCKETS_ENTRY, content: await admin.exportBuckets() };
    yield { name: SETTINGS_ENTRY, content: Buffer.from(await admin.exportSettings()) };
  } finally {
    admin.close();
  }
}

/**
 * Paths below the state folder, of everything in it that a new deployment could not make by itself. Not the note of where
 * the master keys are: they may be restored into another place.
 *
 * @throws ExternalError for a file that is not in the closed list, which no restore would take
 */
export function stateFiles(state: StateLayout): string[] {
  // younger than some deployments, or not of every one
  const more = [state.earlierObjects, state.evidence, state.vaultClients, state.vaultSeal].filter((file) =>
    existsSync(file),
  );
  const reports = historyOf(state.reports);
  const always = [state.deployment, state.canaries, state.tls, state.secrets];
  const found = [...always, ...more, ...reports]
    .flatMap((entry) => filesBelow(entry))
    .filter((file) => !file.endsWith('.tmp'))
    .map((file) => path.relative(state.root, file))
    .filter((file) => !isMadeAnew(file));
  const strange = found.filter((file) => !isStateFile(file));
  if (strange.length === 0) return found;
  throw new ExternalError(
    `the state folder ${state.root} holds files that no backup has: ${strange.join(', ')}`,
    'a backup would be without them: move what is yours elsewhere',
  );
}

/** The reports as JSON: what the chain of records has the SHA-256 of. */
function historyOf(reports: string): string[] {
  const folder = path.join(reports, 'history');
  const files = existsSync(folder) ? readdirSync(folder).sort() : [];
  return files.filter((file) => file.endsWith('.json')).map((file) => path.join(folder, file));
}

function filesBelow(entry: string): string[] {
  const entries = readdirIfFolder(entry);
  return entries === undefined ? [entry] : entries.sort().flatMap((name) => filesBelow(path.join(entry, name)));
}

function readdirIfFolder(entry: string): string[] | undefined {
  try {
    return readdirSync(entry);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return undefined;
    throw error;
  }
}

function deploymentId({ environment, argument, state }: LoadedEnvironment): string {
  try {
    return marker.parse(JSON.parse(readFileSync(state.deployment, 'utf8'))).id;
  } catch (error) {
    throw new ExternalError(
      `environment ${environment.name} is not deployed: ${messageOf(error)}`,
      `deploy it with: ./scripts/up ${argument}`,
    );
  }
}
