/** Makes a backup: gathered, encrypted, written, read back, and only then called one. */
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import type { LoadedEnvironment } from '../state/load';
import { UNFINISHED_BACKUP } from '../../config/state/layout';
import { checkDisk } from '../toolchain/disk';
import type { BundleHeader } from './bundle/bundle';
import { contentsOf } from './contents';
import { type BackupPlace, describePlace, requireFree, requireOtherStorage, upload } from './destination';
import { noteBackup } from './last-backup';
import { signingKey } from './bundle/signature';
import { writeBundle } from './bundle/write-bundle';

/** More than the keys, the certificates and the IAM of any deployment take. */
const SPACE_BYTES = 64 * 1024 * 1024;

/** What came of a backup. */
export interface BackupResult {
  readonly header: BundleHeader;
  readonly destination: string;
  readonly bytes: number;
  /** Of the encrypted file, hex. */
  readonly sha256: string;
  /** The public half of the key that signed it: restores ask for it. */
  readonly signer: string;
}

/**
 * The lock of the environment must be held.
 *
 * @param recipients `age1…`, see age-keys.ts
 * @param newSigner whether it is signed with another key than the backups before it
 * @throws UsageError if it must not go there; ExternalError if something that belongs into it cannot be had
 */
export async function backUp(
  loaded: LoadedEnvironment,
  place: BackupPlace,
  recipients: readonly string[],
  { newSigner = false } = {},
): Promise<BackupResult> {
  await requireOtherStorage(place, loaded);
  await requireFree(place);
  const folder = place.kind === 'file' ? path.dirname(place.file) : loaded.state.root;
  await checkDisk([{ folder, bytes: SPACE_BYTES, purpose: 'the backup' }]);
  await removeLeftovers(place, loaded.state.root);
  const { header, entries } = await contentsOf(loaded);
  const destination = describePlace(place);
  // made before the state folder is read: it belongs into the backup
  const key = signingKey(loaded.state, newSigner);
  const write = async (file: string) => writeBundle(file, header, entries, recipients, key);
  const { bytes, sha256 } =
    place.kind === 'file'
      ? await write(place.file)
      : await withTemporaryFolder(loaded.state.root, async (temporary) => {
          const file = path.join(temporary, 'backup.age');
          const written = await write(file);
          await upload(file, place, written.sha256);
          return written;
        });
  const signer = key.publicKey;
  noteBackup(loaded.state, header, { destination, sha256, signer });
  return { header, destination, bytes, sha256, signer };
}

/** What an earlier backup left that was killed: by its name ours, and by the lock no longer in use. */
async function removeLeftovers(place: BackupPlace, root: string): Promise<void> {
  await removeFrom(root, (name) => name.startsWith(UNFINISHED_BACKUP));
  if (place.kind !== 'file') return;
  const { dir, base } = path.parse(place.file);
  await removeFrom(dir, (name) => name.startsWith(base) && /^\.[0-9a-f]{12}\.tmp$/.test(name.slice(base.length)));
}

async function removeFrom(folder: string, matches: (name: string) => boolean): Promise<void> {
  // the folder of a backup is made when it is written
  const names = existsSync(folder) ? await readdir(folder) : [];
  for (const name of names.filter(matches)) await rm(path.join(folder, name), { recursive: true, force: true });
}

/** A folder beside the state, on a disk that is ours; what is in it is encrypted. */
export async function withTemporaryFolder<T>(below: string, use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(path.join(below, UNFINISHED_BACKUP));
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
