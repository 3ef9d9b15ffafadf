/**
 * HAProxy as Debian and Ubuntu ship it, with the libraries that it needs: fetched by apt, which verifies the signatures
 * of the distribution, and not installed. See docs/adr/0059-haproxy-from-the-distribution.md.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { copyFile, cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { PROGRAM_PATHS } from '../../../config/docker/program-paths';
import { capture, CommandError, run, type RunOptions } from '../../lib/command';
import { ExternalError, UsageError } from '../../lib/errors';
import { goPlatform, type Machine, thisMachine } from '../../lib/machine';
import { type CacheLayout, provideFolder, type WorkOptions } from '../cache';

const PACKAGE = 'haproxy';
const PROGRAM_IN_PACKAGE = 'usr/sbin/haproxy';
const OS_RELEASE = '/etc/os-release';

/** A change of what is taken from the packages is another number: what the cache has is then made anew. */
const GENERATION = 1;

/** Where the files are, as they are in the root folder of the image, or will be. */
export function haproxyFolder(cache: CacheLayout): string {
  const release = existsSync(OS_RELEASE) ? readFileSync(OS_RELEASE, 'utf8') : '';
  const key = createHash('sha256').update(JSON.stringify([GENERATION, goPlatform(), release]));
  return path.join(cache.programs, PACKAGE, key.digest('hex').slice(0, 16));
}

/** @throws UsageError where HAProxy is not in the cache, and cannot be fetched */
export function requireApt(cache: CacheLayout, machine: Machine): void {
  if (machine.apt || existsSync(haproxyFolder(cache))) return;
  throw new UsageError(
    'the image of HAProxy is made from packages of Debian or Ubuntu, and this machine is neither',
    'Write `images: {source: registry, …}` with images.haproxy in the environment file, or run this on such a machine.',
  );
}

/**
 * Fetches HAProxy unless it is in the cache.
 *
 * @returns folder of the files
 * @throws UsageError on a machine without apt, or whose lists of packages are not there
 * @throws ExternalError where the packages cannot be had
 */
export async function fetchHaproxy(
  cache: CacheLayout,
  options: WorkOptions = {},
  machine: Machine = thisMachine(),
): Promise<string> {
  const folder = haproxyFolder(cache);
  if (existsSync(folder)) return folder;
  requireApt(cache, machine);
  await mkdir(path.dirname(folder), { recursive: true });
  const settings: RunOptions = {
    logFile: path.join(cache.logs, `fetch-${PACKAGE}.log`),
    signal: options.signal,
    onLine: (line) => options.onProgress?.(line),
  };
  try {
    await provideFolder(folder, `fetching ${PACKAGE}`, options, async (temporary) => {
      const packages = await neededPackages(machine, settings);
      const work = await mkdtemp(path.join(path.dirname(folder), 'work.tmp-'));
      try {
        await run('apt-get', ['download', ...packages], { ...settings, cwd: work });
        await unpack(work, temporary, settings);
      } finally {
        await rm(work, { recursive: true, force: true });
      }
      await requireRunning(temporary, settings);
    });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new ExternalError(
      `${PACKAGE} cannot be fetched: ${error.describe()}`,
      'Look whether `apt-get download haproxy` works here, or write `images: {source: registry, …}` with images.haproxy.',
    );
  }
  return folder;
}

/** HAProxy and the libraries that it depends on, as the lists of apt have them. */
async function neededPackages(machine: Machine, settings: RunOptions): Promise<string[]> {
  const known = () => libraryClosure(capture('apt-cache', DEPENDS) ?? '', PACKAGE);
  if (known().length <= 1 && machine.root) await run('apt-get', ['update'], settings);
  const packages = known();
  if (packages.length > 1) return packages;
  throw new UsageError(
    'apt knows no package haproxy on this machine',
    'Run `apt-get update` as root, then this again.',
  );
}

const DEPENDS = [
  'depends',
  '--recurse',
  '--no-recommends',
  '--no-suggests',
  '--no-conflicts',
  '--no-breaks',
  '--no-replaces',
  '--no-enhances',
  PACKAGE,
];

/**
 * A package and the libraries below it, without what installs or configures it.
 *
 * @param printed what `apt-cache depends --recurse` says: a package, then what it depends on, indented; what is indented
 *   further is another package that would do
 */
export function libraryClosure(printed: string, root: string): string[] {
  const below = new Map<string, string[]>();
  let current: string[] = [];
  for (const line of printed.split('\n')) {
    const dependency = /^ [ |](?:Pre)?Depends: (\S+)$/.exec(line)?.[1];
    if (/^\S+$/.test(line)) below.set(line, (current = []));
    else if (dependency !== undefined) current.push(dependency);
  }
  const found = new Set<string>();
  const visit = (name: string): void => {
    if (found.has(name) || !below.has(name)) return;
    found.add(name);
    for (const other of below.get(name) ?? []) if (other.startsWith('lib')) visit(other);
  };
  visit(root);
  return [...found].sort();
}

/** A library of the package's own folder; what is deeper is loaded for things that HAProxy does not do. */
const LIBRARY = /^(?:usr\/)?(lib(?:64)?\/(?:[^/]+-linux-gnu[^/]*\/)?[^/]+\.so(?:\.[^/]+)*)$/;

/** Takes program and libraries out of the packages that lie in `work`. */
async function unpack(work: string, target: string, settings: RunOptions): Promise<void> {
  const all = path.join(work, 'all');
  const listed = path.join(target, 'var', 'lib', 'dpkg', 'status.d');
  await mkdir(listed, { recursive: true });
  for (const file of (await readdir(work)).filter((name) => name.endsWith('.deb')).sort()) {
    await run('dpkg-deb', ['-x', file, all], { ...settings, cwd: work });
    // scanners of images look there for packages without dpkg's own list
    const [name = file] = file.split('_');
    await writeFile(path.join(listed, name), `${capture('dpkg-deb', ['-f', path.join(work, file)]) ?? ''}\n`);
  }
  await mkdir(path.join(target, 'etc'));
  await copyFile(OS_RELEASE, path.join(target, 'etc', 'os-release'));
  for (const name of ['lib', 'lib64']) await symlink(path.join('usr', name), path.join(target, name));
  for (const file of await readdir(all, { recursive: true })) {
    const library = LIBRARY.exec(file)?.[1];
    if (library === undefined) continue;
    const to = path.join(target, 'usr', library);
    await mkdir(path.dirname(to), { recursive: true });
    await cp(path.join(all, file), to, { verbatimSymlinks: true });
  }
  const program = path.join(target, PROGRAM_PATHS.haproxy);
  await mkdir(path.dirname(program), { recursive: true });
  await copyFile(path.join(all, PROGRAM_IN_PACKAGE), program);
}

/** How HAProxy is run outside of its image: by its own loader, with its own libraries. */
export async function haproxyCommand(folder: string): Promise<readonly [string, ...string[]]> {
  const files = await readdir(path.join(folder, 'usr'), { recursive: true });
  const loader = files.find((file) => /^lib(?:64)?\/(?:[^/]+\/)?ld-linux[^/]*\.so\.\d+$/.test(file));
  const libraries = files.filter((file) => file.endsWith('libc.so.6')).map((file) => path.dirname(file));
  const inUsr = (file: string): string => path.join(folder, 'usr', file);
  return [
    inUsr(path.join(libraries[0] ?? 'lib', path.basename(loader ?? 'ld-linux.so'))),
    '--library-path',
    libraries.map(inUsr).join(':'),
    path.join(folder, PROGRAM_PATHS.haproxy),
  ];
}

/** A library that is missing shows here, and not on a host. */
async function requireRunning(folder: string, settings: RunOptions): Promise<void> {
  const [loader, ...args] = await haproxyCommand(folder);
  await run(loader, [...args, '-v'], settings);
}
