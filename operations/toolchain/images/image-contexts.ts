/**
 * Build contexts of the images: a Dockerfile, static binaries, the CA bundle and busybox. There is no base image, so
 * no container registry is needed.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import {
  chmod,
  copyFile,
  cp,
  link,
  lstat,
  lutimes,
  mkdir,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import path from 'node:path';
import { rootCertificates } from 'node:tls';
import type { Program } from '../../../config/docker/image-source';
import type { VaultDistribution } from '../../../config/environment';
import { MOST_DRIVES } from '../../../config/minio/parity';
import type { ImageContext } from '../../../config/toolchain';
import { projectRoot } from '../../lib/project-root';
import { type CacheLayout, provideFolder, type WorkOptions } from '../cache';
import { FIXED_TIME } from '../go/go-build';
import { packFolder } from '../transfer/pack-folder';
import { type GoProgram, kes, mc, minio, openbao, vault } from '../go/programs';

/** An image that is built here. */
export interface ImageRecipe {
  readonly name: Program;
  readonly dockerfile: string;
  readonly programs: readonly GoProgram[];
  /** Folders below `data/` of the context, which the Dockerfile gives to the container's user. */
  readonly dataFolders: readonly string[];
  /** Where published images have the program, if not in /usr/bin or /bin: links in the root folder. */
  readonly rootLinks: readonly string[];
  /** Folder whose content is in the root folder, too; another content has another name. @default - only what is above */
  readonly tree?: string;
}

const dockerfile = (name: string): string => path.join(projectRoot, 'toolchain', 'images', name, 'Dockerfile');

const vaultRecipe = (name: VaultDistribution, program: GoProgram): ImageRecipe => ({
  name,
  dockerfile: dockerfile(name),
  programs: [program],
  dataFolders: ['data', 'audit'],
  rootLinks: [],
});

/** An environment has either Vault or OpenBao, and the others. */
export const imageRecipes: readonly ImageRecipe[] = [
  vaultRecipe('vault', vault),
  vaultRecipe('openbao', openbao),
  { name: 'kes', dockerfile: dockerfile('kes'), programs: [kes], dataFolders: [], rootLinks: ['kes'] },
  {
    name: 'minio',
    dockerfile: dockerfile('minio'),
    programs: [minio, mc],
    dataFolders: ['data', ...Array.from({ length: MOST_DRIVES }, (_, index) => `drives/${index + 1}`)],
    rootLinks: [],
  },
];

/** HAProxy is no Go program: it comes with its libraries. */
export const haproxyRecipe = (tree: string): ImageRecipe => ({
  name: 'haproxy',
  dockerfile: dockerfile('haproxy'),
  programs: [],
  dataFolders: [],
  rootLinks: [],
  tree,
});

/** What becomes the root folder of the image, and the file of the context that the Dockerfile adds. */
const ROOT = 'rootfs';
const PACKED_ROOT = 'rootfs.tar.gz';

/** What containers may call from busybox: enough for a loop, a health check and a look around. */
const APPLETS = (
  '[ base64 cat chmod chown cp cut date df dirname du echo env expr false find grep head hostname id kill ln ls mkdir mktemp ' +
  'mv od printf ps pwd readlink rm sed sh sha256sum sleep sort stat tail tee test timeout touch tr true uname wc xargs'
).split(' ');

const CA_BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt', // Debian, Ubuntu, Arch, Alpine
  '/etc/pki/tls/certs/ca-bundle.crt', // Fedora, RHEL
  '/etc/ssl/ca-bundle.pem', // openSUSE
];

/** The public CAs that this machine trusts; those of Node where it has no list. */
export function caBundle(): string {
  const file = CA_BUNDLES.find((candidate) => existsSync(candidate));
  return file === undefined ? `${rootCertificates.join('\n')}\n` : readFileSync(file, 'utf8');
}

/** What goes into the images besides the Go programs. */
export interface SharedFiles {
  readonly busybox: string;
  readonly caBundle: string;
}

/** Everything that decides the content of a context, without building it. */
async function inputKey(
  recipe: ImageRecipe,
  binaries: ReadonlyMap<string, string>,
  shared: SharedFiles,
): Promise<string> {
  const hash = createHash('sha256');
  hash.update(JSON.stringify([recipe.dataFolders, recipe.rootLinks, APPLETS, FIXED_TIME]));
  hash.update(await readFile(recipe.dockerfile));
  hash.update(await readFile(shared.busybox));
  hash.update(shared.caBundle);
  // the folder of a binary is named by its build key
  for (const program of recipe.programs) hash.update(`\0${binaryOf(program, binaries)}`);
  if (recipe.tree !== undefined) hash.update(`\0${recipe.tree}`);
  return hash.digest('hex');
}

function binaryOf(program: GoProgram, binaries: ReadonlyMap<string, string>): string {
  const file = binaries.get(program.name);
  if (file === undefined) throw new Error(`${program.name} was not built before the image that holds it`);
  return file;
}

/** The context of an image, made unless the cache has it. */
export async function imageContext(
  cache: CacheLayout,
  recipe: ImageRecipe,
  binaries: ReadonlyMap<string, string>,
  shared: SharedFiles,
  options: WorkOptions = {},
): Promise<ImageContext> {
  const key = await inputKey(recipe, binaries, shared);
  const folder = path.join(cache.images, `${recipe.name}-${key.slice(0, 16)}`);
  await provideFolder(folder, `making the image context of ${recipe.name}`, options, async (temporary) => {
    const context = path.join(temporary, 'context');
    await fillContext(context, recipe, binaries, shared);
    // of the content: how it is compressed depends on the version of Node
    await writeFile(path.join(temporary, 'hash'), await hashFolder(context));
    await packRoot(context);
  });
  return { context: path.join(folder, 'context'), hash: await readFile(path.join(folder, 'hash'), 'utf8') };
}

async function fillContext(
  context: string,
  recipe: ImageRecipe,
  binaries: ReadonlyMap<string, string>,
  shared: SharedFiles,
): Promise<void> {
  const root = path.join(context, ROOT);
  const bin = path.join(root, 'usr', 'bin');
  if (recipe.tree !== undefined) await cp(recipe.tree, root, { recursive: true, verbatimSymlinks: true });
  await mkdir(bin, { recursive: true });
  await symlink('usr/bin', path.join(root, 'bin'));
  for (const program of recipe.programs) {
    const source = binaryOf(program, binaries);
    const target = path.join(bin, program.name);
    // a second name for the file where the file system can, else a copy
    await link(source, target).catch(() => copyFile(source, target));
  }
  await copyFile(shared.busybox, path.join(bin, 'busybox'));
  await chmod(path.join(bin, 'busybox'), 0o755);
  for (const applet of APPLETS) await symlink('busybox', path.join(bin, applet));
  for (const name of recipe.rootLinks) await symlink(path.join('usr', 'bin', name), path.join(root, name));

  await mkdir(path.join(root, 'etc', 'ssl', 'certs'), { recursive: true });
  await writeFile(path.join(root, 'etc', 'ssl', 'certs', 'ca-certificates.crt'), shared.caBundle);
  await writeFile(
    path.join(root, 'etc', 'passwd'),
    'root:x:0:0:root:/:/bin/false\nnonroot:x:65532:65532:nonroot:/tmp:/bin/false\n',
  );
  await writeFile(path.join(root, 'etc', 'group'), 'root:x:0:\nnonroot:x:65532:\n');
  await mkdir(path.join(root, 'tmp'));
  const dataFolders = recipe.dataFolders.map((folder) => path.join(context, 'data', folder));
  for (const folder of dataFolders) await mkdir(folder, { recursive: true });
  await copyFile(recipe.dockerfile, path.join(context, 'Dockerfile'));

  await normalise(context);
  await chmod(path.join(root, 'tmp'), 0o1777);
  for (const folder of dataFolders) await chmod(folder, 0o700);
}

/**
 * The root folder as one compressed file. The provider compresses every context that it sends, for every deployment
 * anew, which takes a CPU 15 s for these binaries; what is compressed already takes it a second.
 */
async function packRoot(context: string): Promise<void> {
  const root = path.join(context, ROOT);
  await packFolder(root, path.join(context, PACKED_ROOT));
  await rm(root, { recursive: true });
}

/** Layers record times and modes: with fixed ones, whatever the umask, equal contexts make equal layers. */
async function normalise(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) {
      await normalise(file);
      continue;
    }
    if (entry.isFile()) await chmod(file, ((await stat(file)).mode & 0o100) === 0 ? 0o644 : 0o755);
    await lutimes(file, FIXED_TIME, FIXED_TIME);
  }
  await chmod(folder, 0o755);
  await utimes(folder, FIXED_TIME, FIXED_TIME);
}

/** SHA-256 over the names, modes and contents of everything below a folder. */
async function hashFolder(folder: string): Promise<string> {
  const hash = createHash('sha256');
  const visit = async (directory: string): Promise<void> => {
    const entries = await readdir(directory, { withFileTypes: true });
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const file = path.join(directory, entry.name);
      const { mode } = await lstat(file);
      hash.update(`${JSON.stringify([path.relative(folder, file), mode])}\n`);
      if (entry.isSymbolicLink()) hash.update(await readlink(file));
      else if (entry.isDirectory()) await visit(file);
      else
        hash.update(
          createHash('sha256')
            .update(await readFile(file))
            .digest(),
        );
    }
  };
  await visit(folder);
  return hash.digest('hex');
}
