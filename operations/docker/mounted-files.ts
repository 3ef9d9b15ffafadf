/** Files in a Docker volume, or in a folder of the Docker host, whether anything runs or not. */
import type Docker from 'dockerode';
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { type Extract, extract, pack } from 'tar-stream';
import { volumeExists } from './docker';
import { ExternalError, messageOf } from '../lib/errors';

/** What is mounted. */
export type MountSource = { readonly volume: string } | { readonly folder: string };

const MOUNT = '/mounted';

/** Notes and keys, of which each has some kilobytes. */
const MOST_BYTES = 4 * 1024 * 1024;

/** What is mounted, and to whom it belongs. */
export interface MountRoot {
  readonly isFolder: boolean;
  readonly uid: number;
  readonly mode: number;
  /** The first thing in it that is not expected. */
  readonly stranger?: string;
}

/** Files below one mount. */
export interface MountedFiles {
  /**
   * @returns undefined if there is no such file
   * @throws ExternalError if it is something else, or larger than any file of this project
   */
  readonly read: (file: string) => Promise<Buffer | undefined>;
  /** What the mount itself is. */
  readonly root: (isExpected: (name: string) => boolean) => Promise<MountRoot>;
  /** Writes a file of the service user, mode 0600. It replaces what is there: ask {@link read} before. */
  readonly write: (file: string, content: Buffer) => Promise<void>;
}

/**
 * Gives `use` the files of a mount.
 *
 * A container that is never started mounts it, so that Docker hands its files out and takes them in; its image is empty
 * and made for it, because a new machine has none. Both are removed again.
 *
 * @param owner user and group of files that are written
 */
export async function withMountedFiles<T>(
  docker: Docker,
  source: MountSource,
  owner: number,
  use: (files: MountedFiles) => Promise<T>,
): Promise<T> {
  const image = `ebs-empty-${randomBytes(6).toString('hex')}`;
  const nothing = pack();
  nothing.finalize();
  await drained(await docker.importImage(Readable.from(nothing), { repo: image }));
  try {
    const container = await docker.createContainer({
      Image: image,
      Cmd: ['never-run'],
      NetworkDisabled: true,
      // of the same owner, so that what a kill leaves here does not keep `down --delete-data` from the volume
      Labels: 'volume' in source ? (await docker.getVolume(source.volume).inspect()).Labels : {},
      HostConfig: {
        Mounts: [
          'volume' in source
            ? { Type: 'volume', Source: source.volume, Target: MOUNT }
            : { Type: 'bind', Source: source.folder, Target: MOUNT },
        ],
      },
    });
    try {
      return await use({
        read: async (file) => readFile(container, file),
        root: async (isExpected) => rootOf(container, isExpected),
        write: async (name, content) => {
          const archive = pack();
          archive.entry({ name, mode: 0o600, uid: owner, gid: owner }, content);
          archive.finalize();
          await container.putArchive(Readable.from(archive), { path: MOUNT });
        },
      });
    } finally {
      await container.remove({ force: true });
    }
  } finally {
    await docker.getImage(image).remove({ force: true });
  }
}

/** Where MinIO writes the id of a drive (cmd/format-erasure.go). */
export const MINIO_FORMAT_FILE = '.minio.sys/format.json';

/**
 * The content of a file in a volume or a folder.
 *
 * @returns undefined if there is no such volume or folder, or no such file
 */
export async function readMountedFile(docker: Docker, source: MountSource, file: string): Promise<Buffer | undefined> {
  // Docker would make the volume
  if ('volume' in source && !(await volumeExists(docker, source.volume))) return undefined;
  try {
    return await withMountedFiles(docker, source, 0, async ({ read }) => read(file));
  } catch (error) {
    if (isMissingFolder(error)) return undefined;
    throw error;
  }
}

/** What Docker says of a folder that is not there (moby, volume/mounts/validate.go). */
export const isMissingFolder = (error: unknown): boolean =>
  messageOf(error).includes('bind source path does not exist');

async function readFile(container: Docker.Container, file: string): Promise<Buffer | undefined> {
  let archive: NodeJS.ReadableStream;
  try {
    archive = await container.getArchive({ path: `${MOUNT}/${file}` });
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode === 404) return undefined;
    throw error;
  }
  const entries = entriesOf(archive);
  try {
    for await (const entry of entries) {
      const { type, size } = entry.header;
      // whoever writes to the volume may have put anything there
      if (type !== 'file') throw new ExternalError(`${file} is a ${type}, and no file`);
      if (size > MOST_BYTES) throw new ExternalError(`${file} has ${size} bytes, and at most ${MOST_BYTES} are read`);
      return await buffer(entry);
    }
  } finally {
    // Docker keeps the container locked until it is read or hung up on
    (archive as Partial<{ destroy: () => void }>).destroy?.();
  }
  throw new ExternalError(`Docker handed out nothing for ${file}`);
}

/** The first entry is the mount itself; after it only the names are read, until one is not expected. */
async function rootOf(container: Docker.Container, isExpected: (name: string) => boolean): Promise<MountRoot> {
  const archive = await container.getArchive({ path: MOUNT });
  let root: MountRoot | undefined;
  try {
    for await (const entry of entriesOf(archive)) {
      const { name, type, uid, mode } = entry.header;
      entry.resume();
      root ??= { isFolder: type === 'directory', uid, mode };
      const [, inside = ''] = name.split('/');
      if (inside !== '' && !isExpected(inside)) return { ...root, stranger: inside };
    }
  } finally {
    (archive as Partial<{ destroy: () => void }>).destroy?.();
  }
  if (root === undefined) throw new ExternalError('Docker handed out nothing for a mount');
  return root;
}

function entriesOf(archive: NodeJS.ReadableStream): Extract {
  const entries = extract();
  archive.on('error', (error: Error) => {
    entries.destroy(error);
  });
  archive.pipe(entries);
  return entries;
}

async function drained(stream: NodeJS.ReadableStream): Promise<void> {
  for await (const _ of stream);
}
