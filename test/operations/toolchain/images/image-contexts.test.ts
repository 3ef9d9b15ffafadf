import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { minioNode } from '../../../../config/node';
import { cacheLayout } from '../../../../operations/toolchain/cache';
import { imageContext, type ImageRecipe, imageRecipes } from '../../../../operations/toolchain/images/image-contexts';
import { minio } from '../../../../operations/toolchain/go/programs';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';

const folder = useTemporaryFolder();

function setUp(name: string, program = 'program') {
  const root = path.join(folder(), name);
  mkdirSync(root);
  const write = (file: string, text: string): string => {
    writeFileSync(path.join(root, file), text, { mode: 0o700 });
    return path.join(root, file);
  };
  const recipe: ImageRecipe = {
    name: 'minio',
    dockerfile: write('Dockerfile', 'FROM scratch\n'),
    programs: [minio],
    dataFolders: ['data', 'drives/1'],
    rootLinks: ['minio'],
  };
  const binaries = new Map([['minio', write('minio', program)]]);
  const shared = { busybox: write('busybox', 'busybox'), caBundle: 'CA\n' };
  return { cache: cacheLayout({ XDG_CACHE_HOME: root }), recipe, binaries, shared };
}

/** What `ADD` puts into the image. */
function unpacked(context: string): string {
  const root = path.join(context, '..', 'unpacked');
  mkdirSync(root);
  execFileSync('tar', ['-xpf', path.join(context, 'rootfs.tar.gz'), '-C', root]);
  return root;
}

test('holds the program, a shell, the CAs and folders that the container’s user can own', async () => {
  const { cache, recipe, binaries, shared } = setUp('one');
  const { context } = await imageContext(cache, recipe, binaries, shared);
  const mode = (file: string) => (lstatSync(file).mode & 0o7777).toString(8);

  expect(readdirSync(context).sort()).toEqual(['Dockerfile', 'data', 'rootfs.tar.gz']);
  expect(readdirSync(path.join(context, 'data'))).toEqual(['data', 'drives']);
  expect(mode(path.join(context, 'data', 'drives', '1'))).toBe('700');

  const root = unpacked(context);
  const at = (file: string) => path.join(root, file);
  expect(readFileSync(at('usr/bin/minio'), 'utf8')).toBe('program');
  expect(mode(at('usr/bin/minio'))).toBe('755');
  expect(readlinkSync(at('minio'))).toBe('usr/bin/minio');
  expect(readlinkSync(at('bin'))).toBe('usr/bin');
  expect(readlinkSync(at('usr/bin/sh'))).toBe('busybox');
  expect(readFileSync(at('etc/ssl/certs/ca-certificates.crt'), 'utf8')).toBe('CA\n');
  expect(mode(at('tmp'))).toBe('1777');
});

test('is the same in every clone and under every umask, down to the dates', async () => {
  const one = setUp('one');
  const first = await imageContext(one.cache, one.recipe, one.binaries, one.shared);
  const umask = process.umask(0o077);
  try {
    const two = setUp('two');
    const second = await imageContext(two.cache, two.recipe, two.binaries, two.shared);
    expect(second.hash).toBe(first.hash);
    expect(second.context).not.toBe(first.context);
    const packed = (context: string) => readFileSync(path.join(context, 'rootfs.tar.gz'));
    expect(packed(second.context).equals(packed(first.context))).toBe(true);
    const date = new Date('2026-01-01T00:00:00Z');
    for (const file of ['data', 'Dockerfile']) expect(lstatSync(path.join(second.context, file)).mtime).toEqual(date);
    const root = unpacked(second.context);
    for (const file of ['usr', 'usr/bin/sh', 'usr/bin/minio']) {
      expect(lstatSync(path.join(root, file)).mtime).toEqual(date);
    }
  } finally {
    process.umask(umask);
  }
});

test('changes with each thing that goes in, and is not made twice', async () => {
  const { cache, recipe, binaries, shared } = setUp('one');
  const make = async (changed: Partial<{ recipe: ImageRecipe; caBundle: string }> = {}) =>
    imageContext(cache, changed.recipe ?? recipe, binaries, {
      ...shared,
      caBundle: changed.caBundle ?? shared.caBundle,
    });
  const first = await make();
  writeFileSync(path.join(first.context, 'mark'), '');
  expect(await make()).toEqual(first);
  expect(existsSync(path.join(first.context, 'mark'))).toBe(true);

  const hashes = [first.hash, (await make({ caBundle: 'other\n' })).hash];
  hashes.push((await make({ recipe: { ...recipe, dataFolders: ['data'] } })).hash);
  writeFileSync(recipe.dockerfile, 'FROM scratch\nCMD ["minio"]\n');
  hashes.push((await make()).hash);
  expect(new Set(hashes).size).toBe(4);
});

test('MinIO’s image has a folder for every drive that can be declared, none below the one of a single drive', () => {
  const folders = imageRecipes.find(({ name }) => name === 'minio')?.dataFolders;
  const declarable = [1, 16].flatMap((drives) => minioNode('ebs-local', { drives }).drives.map((drive) => drive.path));
  expect(folders?.map((name) => `/${name}`)).toEqual(declarable);
});
