/** Files on the drive of MinIO. */
import { buffer } from 'node:stream/consumers';
import { extract } from 'tar-stream';
import type { CheckContext } from '../check';

/** The drive of MinIO inside its container. */
export const DRIVE = '/data';
/** What MinIO keeps for itself on the drive. */
export const SYSTEM = `${DRIVE}/.minio.sys`;

export interface DriveFile {
  /** Path on the drive, without the drive itself. */
  readonly path: string;
  readonly content: Buffer;
}

export interface DriveFiles {
  readonly files: readonly DriveFile[];
  readonly bytes: number;
  /** Whether reading ended before the files did. */
  readonly cutOff: boolean;
}

/** More than a few MiB are read only where other people’s files are, too. */
const DEFAULT_LIMIT = 64 * 1024 * 1024;

/** What an entry takes at least, whatever is in it: its header, as it is in the archive. */
const ENTRY_BYTES = 512;

/** Docker ends an archive early when a file shrinks or goes away while it is packed. */
const TRIES = 3;

/**
 * The files below a folder, in memory.
 *
 * @param limit bytes after which reading ends
 */
export async function filesBelow(
  readDrive: CheckContext['readDrive'],
  folder: string,
  limit = DEFAULT_LIMIT,
): Promise<DriveFiles> {
  const parent = folder.slice(DRIVE.length + 1).replace(/[^/]*$/, '');
  for (let tries = 1; ; tries++) {
    try {
      const { files, ...rest } = await filesOf(await readDrive(folder), limit);
      return { ...rest, files: files.map(({ path, content }) => ({ path: parent + path, content })) };
    } catch (error) {
      if (tries === TRIES) throw error;
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
