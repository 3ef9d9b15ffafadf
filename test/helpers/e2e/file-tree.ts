/** A directory tree to back up, and what is in a directory tree. */
import { createHash, randomBytes } from 'node:crypto';
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const MIB = 1024 * 1024;

export const EMPTY_FILE = 'empty.txt';

/** Sizes around every border: MinIO keeps up to 128 KiB inline, clients split at 5, 8 or 16 MiB. */
const FILES: Readonly<Record<string, number>> = {
  'one byte': 1,
  [EMPTY_FILE]: 0,
  'documents/letter.txt': 4_096,
  'documents/2024/inline.bin': 128 * 1024,
  'documents/2024/not inline.bin': 128 * 1024 + 1,
  'documents/2024/deep/er/still/readme.md': 777,
  'bilder/Grüße aus Kōbe – 神戸 🏯.jpg': 1 * MIB,
  'quotes/it\'s "quoted" & 100% + more.txt': 333,
  'large/part border.bin': 8 * MIB,
  'large/twenty.bin': 20 * MIB,
  'large/odd.bin': 5 * MIB + 1,
  'nested/.hidden': 12,
};

/** Writes the tree; its content is random. */
export function writeFileTree(folder: string): void {
  for (const [name, size] of Object.entries(FILES)) {
    const file = path.join(folder, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, randomBytes(size));
  }
  symlinkSync('documents/letter.txt', path.join(folder, 'link to letter'));
}

/** SHA-256 by relative path of every file; links by what they point to. */
export function describeTree(folder: string, options: { readonly links: boolean }): Record<string, string> {
  const found: Record<string, string> = {};
  const walk = (below: string): void => {
    for (const name of readdirSync(path.join(folder, below)).sort()) {
      const relative = path.join(below, name);
      const absolute = path.join(folder, relative);
      const status = lstatSync(absolute);
      if (status.isDirectory()) walk(relative);
      else if (!status.isSymbolicLink()) {
        found[relative] = createHash('sha256').update(readFileSync(absolute)).digest('hex');
      } else if (options.links) found[relative] = `-> ${readlinkSync(absolute)}`;
    }
  };
  walk('');
  return found;
}
