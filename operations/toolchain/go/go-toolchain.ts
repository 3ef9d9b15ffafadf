/**
 * The Go that builds. A Go of the machine that can fetch the pinned one by itself does so; an older one, such as that of
 * Debian 12, is only good for fetching the pinned one into the cache.
 */
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { ExternalError, UsageError } from '../../lib/errors';
import { type CacheLayout, provideFolder, type WorkOptions } from '../cache';
import { capture, CommandError, run } from '../../lib/command';
import { findProgram, goPlatform } from '../../lib/machine';

/** The oldest Go that can fetch another one (https://go.dev/doc/toolchain). */
export const MINIMUM_GO = '1.21';

/**
 * The Go that builds every program, whatever Go the machine has. Older ones of 1.26 have a remote crash in HTTP/2
 * (GO-2026-6617, CVE-2026-97032, fixed in 1.26.9).
 */
export const PINNED_GO = '1.26.11';

/** What the checksum database (https://sum.golang.org) says of the module `golang.org/toolchain` at that version. */
const PINNED_SUMS: Readonly<Record<string, string>> = {
  'linux-amd64': 'h1:KyINmJ/FQdKRmDYGuTAAXkumyeR2DyUlSNHZj7XaLFg=',
  'linux-arm64': 'h1:GFS9FmglLJxMwOSuun3qb8tBjpr8ibzOkt8tBrRLrnk=',
};

/** What a fetched Go takes in the cache while it is unpacked, in bytes. */
export const FETCHED_GO_BYTES = 0.5e9;

const NO_PROXY_HINT =
  'Check the network, HTTPS_PROXY and `go env GOPROXY`. A machine without a way there takes what another one built: ./scripts/toolchain --export FILE there, --import FILE here.';

/** A Go and what it needs to be the pinned one. */
export interface GoCommand {
  readonly program: string;
  readonly env: Readonly<Record<string, string>>;
}

interface MachineGo {
  readonly file: string;
  /** As it says itself, such as `go version go1.19.8 linux/amd64`. */
  readonly version: string;
  /** Whether it is new enough to fetch the pinned one by itself. */
  readonly fetches: boolean;
}

/** The Go of this machine; Debian's is in a folder that PATH need not have. */
export function machineGo(): MachineGo | undefined {
  const file = findProgram('go', [], `${process.env.PATH ?? ''}${path.delimiter}/usr/bin`);
  if (file === undefined) return undefined;
  const version = capture(file, ['version'], { env: { ...process.env, GOTOOLCHAIN: 'local' } });
  const match = /\bgo(\d+)\.(\d+)/.exec(version ?? '');
  if (version === undefined || match === null) return undefined;
  const [wantedMajor = 0, wantedMinor = 0] = MINIMUM_GO.split('.').map(Number);
  const [major, minor] = [Number(match[1]), Number(match[2])];
  return { file, version, fetches: major > wantedMajor || (major === wantedMajor && minor >= wantedMinor) };
}

/** Whether any Go will do here, because the pinned one is known by its checksum. */
export function anyGoWillDo(): boolean {
  return platform() in PINNED_SUMS;
}

/** The Go that builds; `undefined` where it has to be fetched first, or there is none to fetch it. */
export function findGo(cache: CacheLayout): GoCommand | undefined {
  const root = path.join(fetchedFolder(cache), 'go');
  const program = path.join(root, 'bin', 'go');
  if (existsSync(program)) return { program, env: { GOTOOLCHAIN: 'local', GOROOT: root } };
  const own = machineGo();
  if (own?.version.includes(`go${PINNED_GO} `) === true) return { program: own.file, env: { GOTOOLCHAIN: 'local' } };
  return own?.fetches === true ? { program: own.file, env: { GOTOOLCHAIN: `go${PINNED_GO}` } } : undefined;
}

/**
 * Fetches the pinned Go into the cache with a Go that is too old to do it by itself. What Go 1.21 does after that
 * (cmd/go/internal/toolchain, select.go) is done here: files of a module are neither programs nor named `go.mod`.
 *
 * @throws ExternalError where it cannot be fetched, or is not what {@link PINNED_SUMS} says
 */
export async function fetchGo(cache: CacheLayout, options: WorkOptions = {}): Promise<void> {
  const own = machineGo();
  const expected = PINNED_SUMS[platform()];
  if (own === undefined || expected === undefined) throw noGo(own);
  await provideFolder(fetchedFolder(cache), `fetching Go ${PINNED_GO}`, options, async (temporary) => {
    const modules = path.join(temporary, 'modules');
    const { Dir, Sum, Error: problem } = await askForToolchain(own, 'download', modules, cache, options);
    if (Dir === undefined || Sum === undefined) throw cannotFetch(own, problem ?? 'the proxy gave none');
    if (Sum !== expected) {
      throw new ExternalError(
        `Go ${PINNED_GO} must have the checksum ${expected}, the Go module proxy gave one with: ${Sum}`,
        'Do not use this proxy: `go env GOPROXY` says which it is.',
      );
    }
    const root = path.join(temporary, 'go');
    await rename(Dir, root);
    await rm(modules, { recursive: true });
    await makeUsable(root);
  });
}

/**
 * Makes sure that what has to be fetched can be, before anything is installed or built.
 *
 * @param offline whether the builds would need nothing that is not on this machine; asked only without a proxy
 * @throws ExternalError with what Go says about its proxy
 */
export async function requireGoProxy(
  cache: CacheLayout,
  options: WorkOptions,
  offline: (go: GoCommand) => boolean,
): Promise<void> {
  const go = findGo(cache);
  const own = machineGo();
  const asked = go ?? own;
  if (asked === undefined || (go === undefined && !anyGoWillDo())) throw noGo(own);
  const empty = await mkdtemp(path.join(tmpdir(), 'ebs-go-'));
  try {
    const file = 'program' in asked ? asked.program : asked.file;
    const { Error: problem } = await askForToolchain({ file }, 'list', empty, cache, options);
    if (problem === undefined) return;
    if (go === undefined && own !== undefined) throw cannotFetch(own, problem);
    if (go !== undefined && !offline(go)) {
      throw new ExternalError(`the Go module proxy cannot be used: ${problem}`, NO_PROXY_HINT);
    }
  } finally {
    await rm(empty, { recursive: true, force: true });
  }
}

/** The error where no Go can be used. */
export function noGo(own: Pick<MachineGo, 'version'> | undefined = machineGo()): UsageError {
  return new UsageError(
    `Go ${MINIMUM_GO} or newer is needed to build what is missing, found: ${own?.version ?? 'no go on PATH'}`,
    'Install it from https://go.dev/dl/ and put its bin folder on PATH.',
  );
}

function cannotFetch(own: MachineGo, problem: string): ExternalError {
  return new ExternalError(
    `Go ${MINIMUM_GO} or newer is needed to build what is missing, found: ${own.version}; it cannot fetch Go ${PINNED_GO}: ${problem}`,
    NO_PROXY_HINT,
  );
}

const platform = (): string => `${goPlatform().os}-${goPlatform().architecture}`;

function fetchedFolder(cache: CacheLayout): string {
  return path.join(cache.root, 'go', `go${PINNED_GO}.${platform()}`);
}

/** What `go list -m -json` and `go mod download -json` print. */
const moduleAnswer = z.object({
  Dir: z.string().optional(),
  Sum: z.string().optional(),
  // of `list` an object, of `download` a string
  Error: z.union([z.string(), z.object({ Err: z.string() }).transform(({ Err }) => Err)]).optional(),
});

async function askForToolchain(
  { file }: { readonly file: string },
  what: 'list' | 'download',
  modules: string,
  cache: CacheLayout,
  options: WorkOptions,
): Promise<z.infer<typeof moduleAnswer>> {
  const lines: string[] = [];
  let failure: string | undefined;
  try {
    const verb = what === 'list' ? ['list', '-m', '-e'] : ['mod', 'download'];
    await run(file, [...verb, '-json', `golang.org/toolchain@v0.0.1-go${PINNED_GO}.${platform()}`], {
      // no go.mod in a folder above
      cwd: path.parse(modules).root,
      env: {
        ...process.env,
        GOMODCACHE: modules,
        GOFLAGS: '-modcacherw',
        GOTOOLCHAIN: 'local',
        GOWORK: 'off',
        GO111MODULE: 'on',
      },
      logFile: path.join(cache.logs, 'fetch-go.log'),
      signal: options.signal,
      onLine: (line) => lines.push(line),
    });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    failure = error.tail.at(-1) ?? error.message;
  }
  const json = /^\{$[^]*^\}$/m.exec(lines.join('\n'))?.[0];
  if (json === undefined) return { Error: failure ?? 'it said nothing' };
  const answer = moduleAnswer.parse(JSON.parse(json));
  const problem = (answer.Error ?? failure)?.replace(/^golang\.org\/toolchain@\S+: /, '');
  return { ...answer, Error: problem };
}

/** Gives the programs their mode and each `go.mod` its name. */
async function makeUsable(root: string): Promise<void> {
  for (const folder of ['bin', path.join('pkg', 'tool')]) {
    for (const file of await filesBelow(path.join(root, folder))) await chmod(file, 0o755);
  }
  for (const file of await filesBelow(root)) {
    if (path.basename(file) === '_go.mod') await rename(file, path.join(path.dirname(file), 'go.mod'));
  }
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
}
