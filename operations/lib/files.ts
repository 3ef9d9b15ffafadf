/** Files that are either whole or not there. */
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';

/**
 * Writes a file in one step: written beside its place, flushed to the disk, then renamed for good.
 *
 * @param mode permission bits. Default: 0600; its folder becomes 0700 unless it exists
 */
export function writeFileAtomically(file: string, content: string | Uint8Array, mode = 0o600): void {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  const temporary = `${file}.${randomBytes(6).toString('hex')}.tmp`;
  const descriptor = openSync(temporary, 'wx', mode);
  try {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    for (let offset = 0; offset < bytes.length;) offset += writeSync(descriptor, bytes, offset);
    fsyncSync(descriptor);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  } finally {
    closeSync(descriptor);
  }
  chmodSync(temporary, mode);
  renameDurably(temporary, file);
}

/** Makes a folder of secrets, if it is not there. */
export function ensureFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
}

/** Renames, so that a power cut afterwards does not bring the old name back. Both are in one folder. */
export function renameDurably(from: string, to: string): void {
  renameSync(from, to);
  flushFolder(path.dirname(to));
}

/** Puts the names in a folder on the disk: they are entries of it, which is flushed by itself (fsync(2)). */
export function flushFolder(folder: string): void {
  const descriptor = openSync(folder, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** The text of a file, or undefined if there is none. */
export function readIfExists(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Removes what writers that were killed left beside the files of {@link writeFileAtomically}: it holds what they were
 * about to write, such as a secret that is no more. Only for a folder in which no other process writes.
 *
 * @returns the files that are gone
 */
export function removeUnfinishedFiles(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const unfinished = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.[0-9a-f]{12}\.tmp$/.test(entry.name))
    .map((entry) => path.join(entry.parentPath, entry.name));
  for (const file of unfinished) rmSync(file, { force: true });
  return unfinished;
}
