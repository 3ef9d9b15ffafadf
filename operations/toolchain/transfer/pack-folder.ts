import { createReadStream, createWriteStream } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { type Pack, pack } from 'tar-stream';

/** Everything below a folder as a tar file with gzip, owned by root, with the modes and dates that the files have. */
export async function packFolder(folder: string, file: string): Promise<void> {
  const archive = pack();
  const written = pipeline(archive, createGzip(), createWriteStream(file));
  const packed = packEntries(archive, folder, '').then(
    () => {
      archive.finalize();
    },
    (error: unknown) => {
      archive.destroy(error as Error);
    },
  );
  await Promise.all([written, packed]);
}

async function packEntries(archive: Pack, root: string, folder: string): Promise<void> {
  for (const name of (await readdir(path.join(root, folder))).sort()) {
    const entry = path.posix.join(folder, name);
    const source = path.join(root, entry);
    const stats = await lstat(source);
    const header = { name: entry, mode: stats.mode & 0o7777, mtime: stats.mtime, uid: 0, gid: 0 };
    if (stats.isSymbolicLink()) {
      archive.entry({ ...header, type: 'symlink', linkname: await readlink(source) });
    } else if (stats.isDirectory()) {
      archive.entry({ ...header, type: 'directory' });
      await packEntries(archive, root, entry);
    } else {
      await pipeline(createReadStream(source), archive.entry({ ...header, type: 'file', size: stats.size }));
    }
  }
}
