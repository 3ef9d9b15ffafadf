/** Files on the drives of MinIO. */
import { buffer } from 'node:stream/consumers';
import { extract } from 'tar-stream';
import type { ReadableDrive } from '../../minio/drives/drives';

/** What MinIO keeps for itself on each drive. */
export const SYSTEM = '.minio.sys';

export interface DriveFile {
  /** Path on the drive; of one among several, with the drive before it. */
  readonly path: string;
  /** Which drive it is on. Absent: there is one only. */
  readonly drive?: string;
  /** The pool that the drive is in. Default: 1 */
  readonly pool?: number;
  readonly content: Buffer;
}

export interface DriveFiles {
  readonly files: readonly DriveFile[];
  readonly bytes: number;
  /** Whether reading ended before the files did. */
  readonly cutOff: boolean;
}

/** The same of all drives. */
export interface SearchedDrives extends DriveFiles {
  /** Drives among several that do not have the folder: they are away, or were not healed yet. */
  readonly without: readonly string[];
}

/** More than a few MiB are read only where other people’s files are, too. */
const DEFAULT_LIMIT = 64 * 1024 * 1024;

/** What an entry takes at least, whatever is in it: its header, as it is in the archive. */
const ENTRY_BYTES = 512;

/** Docker ends an archive early when a file shrinks or goes away while it is packed. */
const TRIES = 3;

/**
 * The files below a folder of every drive, in memory.
 *
 * @param limit bytes of each drive after which reading ends
 * @throws Error if no drive has the folder
 */
export async function filesBelow(
  drives: readonly ReadableDrive[],
  folder: string,
  limit = DEFAULT_LIMIT,
): Promise<SearchedDrives> {
  const found: DriveFiles[] = [];
  const without: string[] = [];
  let missing = new Error('there is no drive');
  // one after the other: Docker keeps the container locked while it packs
  for (const drive of drives) {
    try {
      const read = await filesOfDrive(drive, folder, limit);
      found.push(drives.length === 1 ? read : { ...read, files: read.files.map((file) => onDrive(file, drive)) });
    } catch (error) {
      if (drives.length === 1 || (error as { statusCode?: number }).statusCode !== 404) throw error;
      missing = error as Error;
      without.push(drive.path);
    }
  }
  if (found.length === 0) throw missing;
  return {
    files: found.flatMap(({ files }) => files),
    bytes: found.reduce((sum, { bytes }) => sum + bytes, 0),
    cutOff: found.some(({ cutOff }) => cutOff),
    without,
  };
}

const onDrive = ({ path, content }: DriveFile, { path: drive, pool = 1 }: ReadableDrive): DriveFile => ({
  path: `${drive}/${path}`,
  drive,
  pool,
  content,
});

async function filesOfDrive({ read }: ReadableDrive, folder: string, limit: number): Promise<DriveFiles> {
  const parent = folder.replace(/[^/]*$/, '');
  for (let tries = 1; ; tries++) {
    try {
      const { files, ...rest } = await filesOf(await read(folder), limit);
      return { ...rest, files: files.map(({ path, content }) => ({ path: parent + path, content })) };
    } catch (error) {
      if (tries === TRIES || (error as { statusCode?: number }).statusCode === 404) throw error;
    }
  }
}

/** The files of a tar archive. */
export async function filesOf(archive: NodeJS.ReadableStream, limit = DEFAULT_LIMIT): Promise<DriveFiles> {
  const files: DriveFile[] = [];
  let bytes = 0;
  let read = 0;
  const entries = extract();
  archive.on('error', (error: Error) => {
    entries.destroy(error);
  });
  archive.pipe(entries);
  try {
    for await (const entry of entries) {
      const isFile = entry.header.type === 'file';
      read += ENTRY_BYTES + entry.header.size;
      if (read > limit) return { files, bytes, cutOff: true };
      if (!isFile) {
        entry.resume();
        continue;
      }
      bytes += entry.header.size;
      files.push({ path: entry.header.name, content: await buffer(entry) });
    }
    return { files, bytes, cutOff: false };
  } finally {
    // Docker keeps the container locked until it is read or hung up on
    (archive as Partial<{ destroy: () => void }>).destroy?.();
  }
}
