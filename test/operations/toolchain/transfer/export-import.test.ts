import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gunzipSync, gzipSync } from 'node:zlib';
import { extract, type Header, pack } from 'tar-stream';
import { UsageError } from '../../../../operations/lib/errors';
import { cacheLayout } from '../../../../operations/toolchain/cache';
import { exportToolchain, manifestSchema, thisPlatform } from '../../../../operations/toolchain/transfer/export';
import { locateProgram } from '../../../../operations/toolchain/go/go-build';
import { importToolchain } from '../../../../operations/toolchain/transfer/import';
import { kes, minio, opentofu } from '../../../../operations/toolchain/go/programs';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';
import { rejectionOf } from '../../../helpers/thrown';

const folder = useTemporaryFolder();
const cacheOf = (machine: string) => cacheLayout({ XDG_CACHE_HOME: path.join(folder(), machine) });
const exported = () => path.join(folder(), 'exported.tar.gz');
const sum = (content: string | Buffer) => createHash('sha256').update(content).digest('hex');

/** A machine that built two programs, and its export. */
async function exportTwo() {
  for (const program of [minio, kes]) {
    const { file } = await locateProgram(cacheOf('builder'), program);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, `program ${program.name}`);
  }
  return exportToolchain(cacheOf('builder'), exported());
}

interface TarEntry {
  readonly header: Partial<Header> & { readonly name: string };
  readonly content: string | Buffer;
}

/** Writes the export again with other entries. */
async function alter(change: (entries: TarEntry[]) => TarEntry[]): Promise<void> {
  const reader = extract();
  reader.end(gunzipSync(readFileSync(exported())));
  const entries: TarEntry[] = [];
  for await (const entry of reader) {
    const { name, mode } = entry.header;
    entries.push({ header: { name, mode }, content: await buffer(entry) });
  }
  const archive = pack();
  for (const { header, content } of change(entries)) archive.entry(header, content);
  archive.finalize();
  writeFileSync(exported(), gzipSync(await buffer(archive)));
}

/** The entry of that name with other content. */
const replacing = (name: string, content: (old: string) => string) => (entries: TarEntry[]) =>
  entries.map((entry) =>
    entry.header.name === name ? { ...entry, content: content(entry.content.toString()) } : entry,
  );
const inManifest = (change: (manifest: ReturnType<typeof manifestSchema.parse>) => unknown) =>
  replacing('manifest.json', (old) => JSON.stringify(change(manifestSchema.parse(JSON.parse(old)))));

test('a machine without Go has afterwards what the other one built, under the keys by which builds look for it', async () => {
  const result = await exportTwo();
  expect(result).toMatchObject({ sha256: sum(readFileSync(exported())), bytes: statSync(exported()).size });
  expect(result.files.slice(0, 2)).toEqual(['kes', 'minio']);
  expect(result.absent).toContain(opentofu.name);

  const imported = await importToolchain(cacheOf('other'), exported(), { sha256: result.sha256.toUpperCase() });

  expect(imported).toEqual({ sha256: result.sha256, files: result.files });
  for (const program of [minio, kes]) {
    const { file } = await locateProgram(cacheOf('other'), program);
    expect(readFileSync(file, 'utf8')).toBe(`program ${program.name}`);
    expect(statSync(file).mode & 0o777).toBe(0o755);
  }
  expect(readdirSync(cacheOf('other').root)).toEqual(['programs']);
  // once more changes nothing
  expect(await importToolchain(cacheOf('other'), exported(), {})).toEqual(imported);
});

test('equal builds make equal files', async () => {
  const { sha256 } = await exportTwo();
  const again = await exportToolchain(cacheOf('builder'), path.join(folder(), 'again.tar.gz'));
  expect(again.sha256).toBe(sha256);
});

describe('refused, and nothing is in the cache', () => {
  test.each<[string, (entries: TarEntry[]) => TarEntry[], string]>([
    [
      'a program that was altered',
      replacing('kes', () => 'program kes'.replace('k', 'K')),
      'it was altered: kes in it has another SHA-256 than its manifest says',
    ],
    [
      'a program that became longer',
      replacing('kes', (old) => `${old}!`),
      'kes in it has 12 bytes, its manifest says 11',
    ],
    [
      'another architecture',
      inManifest((manifest) => ({ ...manifest, platform: 'plan9-mips' })),
      `it is for "plan9-mips", this machine is ${thisPlatform()}`,
    ],
    [
      'another format',
      inManifest((manifest) => ({ ...manifest, format: 2 })),
      'its manifest is not one of this version of the project',
    ],
    [
      'a program that nothing here builds',
      inManifest(({ files: [first, ...rest], ...manifest }) => ({
        ...manifest,
        files: [{ ...first, name: '../../.ssh/authorized_keys' }, ...rest],
      })),
      'it holds "../../.ssh/authorized_keys", which this project does not build',
    ],
    [
      'a name that its manifest does not have',
      (entries) => [...entries, { header: { name: '../\u001b[31mevil' }, content: 'x' }],
      'it holds "../\\u001b[31mevil", which its manifest does not name',
    ],
    [
      'a program twice',
      (entries) => [...entries, ...entries.slice(1)],
      'it holds "kes", which its manifest does not name',
    ],
    [
      'a program twice in the manifest',
      inManifest(({ files, ...manifest }) => ({ ...manifest, files: [...files, ...files] })),
      'its manifest names a file twice',
    ],
    ['a program that is not in it', (entries) => entries.slice(0, 2), 'it lacks minio, which its manifest names'],
    [
      'a link instead of a program',
      (entries) =>
        entries.map(({ header, content }) =>
          header.name === 'kes'
            ? { header: { name: 'kes', type: 'symlink', linkname: '/etc/passwd' }, content: '' }
            : { header, content },
        ),
      '"kes" in it is a symlink, and no file',
    ],
    [
      'more than its manifest says',
      (entries) => [...entries, { header: { name: 'zeros' }, content: Buffer.alloc(300_000) }],
      'it holds "zeros", which its manifest does not name',
    ],
    ['no manifest', (entries) => entries.slice(1), 'it does not begin with a manifest'],
  ])('%s', async (_, change, reason) => {
    await exportTwo();
    await alter((entries) => entries.filter(({ header }) => header.name !== 'busybox'));
    await alter(
      inManifest(({ files, ...manifest }) => ({ ...manifest, files: files.filter(({ name }) => name !== 'busybox') })),
    );
    // the positive control: unchanged in any other way, it is taken
    await importToolchain(cacheOf('control'), exported(), {});

    await alter(change);
    const error = await rejectionOf(importToolchain(cacheOf('other'), exported(), {}));
    expect(error).toBeInstanceOf(UsageError);
    expect(error).toMatchObject({
      message: `${exported()} cannot be imported: ${reason}`,
      hint: 'Nothing was imported.',
    });
    expect(readdirSync(cacheOf('other').root)).toEqual([]);
  });

  test('another version of this project, whose programs have other keys', async () => {
    await exportTwo();
    const { key } = await locateProgram(cacheOf('other'), kes);
    await alter(
      inManifest(({ files, ...manifest }) => ({
        ...manifest,
        files: files.map((file) => (file.name === 'kes' ? { ...file, key: 'f'.repeat(64) } : file)),
      })),
    );
    const error = await rejectionOf(importToolchain(cacheOf('other'), exported(), {}));
    expect(error.message).toBe(
      `${exported()} cannot be imported: it was made by another version of this project: kes has the build key ffffffffffffffff, here ${key.slice(0, 16)}`,
    );
    expect(existsSync(cacheOf('other').programs)).toBe(false);
  });

  test('a file with another SHA-256 than was asked for, one that was cut short, and one that is none', async () => {
    const { sha256 } = await exportTwo();
    const wanted = sum('another');
    const other = await rejectionOf(importToolchain(cacheOf('other'), exported(), { sha256: wanted }));
    expect(other.message).toBe(`${exported()} must have the SHA-256 ${wanted}, got: ${sha256}`);

    const whole = readFileSync(exported());
    writeFileSync(exported(), whole.subarray(0, whole.length / 2));
    const short = await rejectionOf(importToolchain(cacheOf('other'), exported(), {}));
    expect(short.message).toMatch(/exported\.tar\.gz cannot be imported: .*unexpected end of file$/);

    writeFileSync(exported(), 'not an archive');
    const none = await rejectionOf(importToolchain(cacheOf('other'), exported(), {}));
    expect(none.message).toMatch(/exported\.tar\.gz cannot be imported: .*incorrect header check$/);
    expect(existsSync(cacheOf('other').programs)).toBe(false);
  });
});

test('an export does not replace a file, and there is none where nothing was built', async () => {
  await exportTwo();
  const there = await rejectionOf(exportToolchain(cacheOf('builder'), exported()));
  expect(there.message).toBe(`${exported()} exists already`);
  const nothing = await rejectionOf(exportToolchain(cacheOf('other'), path.join(folder(), 'new.tar.gz')));
  expect(nothing.message).toBe(`nothing was built for this version of the project in ${cacheOf('other').root}`);
  expect(existsSync(path.join(folder(), 'new.tar.gz'))).toBe(false);
});
