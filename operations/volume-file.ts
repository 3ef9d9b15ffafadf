/** Reads a file out of a Docker volume, whether anything runs or not. */
import type Docker from 'dockerode';
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { extract, pack } from 'tar-stream';

const MOUNT = '/volume';

/**
 * The content of a file in a volume.
 *
 * A container that is never started mounts the volume, so that Docker hands out its files; its image is empty and made
 * for it, because a new machine has none. Both are removed again.
 *
 * @returns undefined if there is no such volume or no such file
 */
export async function readVolumeFile(docker: Docker, volume: string, file: string): Promise<Buffer | undefined> {
  if (!(await exists(docker, volume))) return undefined;
  const tag = `ebs-empty-${randomBytes(6).toString('hex')}`;
  const empty = pack();
  empty.finalize();
  const imported = await docker.importImage(Readable.from(empty), { repo: tag });
  await drained(imported);
  try {
    const container = await docker.createContainer({
      Image: tag,
      Cmd: ['never-run'],
      NetworkDisabled: true,
      HostConfig: { Mounts: [{ Type: 'volume', Source: volume, Target: MOUNT, ReadOnly: true }] },
    });
    try {
      return await onlyFile(await container.getArchive({ path: `${MOUNT}/${file}` }));
    } catch (error) {
      if ((error as { statusCode?: number }).statusCode === 404) return undefined;
      throw error;
    } finally {
      await container.remove({ force: true });
    }
  } finally {
    await docker.getImage(tag).remove({ force: true });
  }
}

async function exists(docker: Docker, volume: string): Promise<boolean> {
  try {
    await docker.getVolume(volume).inspect();
    return true;
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode === 404) return false;
    throw error;
  }
}

async function onlyFile(archive: NodeJS.ReadableStream): Promise<Buffer> {
  const entries = extract();
  archive.on('error', (error: Error) => {
    entries.destroy(error);
  });
  archive.pipe(entries);
  const content: Buffer[] = [];
  for await (const entry of entries) content.push(await buffer(entry));
  return Buffer.concat(content);
}

async function drained(stream: NodeJS.ReadableStream): Promise<void> {
  for await (const _ of stream);
}
