/** Builds a pinned Go program once per content: what is in the cache under its key is complete. */
import { createHash } from 'node:crypto';
import { chmod, mkdir, readFile, rm, utimes } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { ExternalError, UsageError } from '../errors';
import { type CacheLayout, provideFolder, type WorkOptions } from './cache';
import { capture, CommandError, run } from './command';
import type { GoProgram } from './programs';

/** The oldest Go that can fetch another one (https://go.dev/doc/toolchain). */
export const MINIMUM_GO = '1.21';

/**
 * The Go that builds every program, whatever Go the machine has. Older ones of 1.26 have a remote crash in HTTP/2
 * (GO-2026-6617, CVE-2026-97032, fixed in 1.26.9).
 */
export const PINNED_GO = '1.26.11';

/** Times of all files that go into images: a layer's hash covers them. */
export const FIXED_TIME = new Date('2026-01-01T00:00:00Z');

const goSettingsSchema = z.object({
  GOVERSION: z.string(),
  GOOS: z.string(),
  GOARCH: z.string(),
  GOAMD64: z.string(),
  GOARM64: z.string(),
  GOEXPERIMENT: z.string(),
});

/** What, besides the sources, decides which bytes the compiler writes. */
export type GoSettings = z.infer<typeof goSettingsSchema>;

function goEnvironment(program: GoProgram): NodeJS.ProcessEnv {
  return {
    ...process.env,
    CGO_ENABLED: '0',
    // replaces the user's flags: a `-mod=mod` there would edit go.mod
    GOFLAGS: '-buildvcs=false',
    // fetched through GOPROXY where the machine has another
    GOTOOLCHAIN: `go${PINNED_GO}`,
    // a go.work in a folder above would bring in other modules
    GOWORK: 'off',
    ...(program.target === 'image' && { GOOS: 'linux' }),
  };
}

export function goArguments(program: GoProgram): string[] {
  const tags = program.tags.length > 0 ? ['-tags', program.tags.join(',')] : [];
  return ['build', '-mod=readonly', '-trimpath', '-ldflags', '-s -w', ...tags];
}

/** The settings of the Go that would build this program; `undefined` where Go is missing or too old. */
export function goSettings(program: GoProgram): GoSettings | undefined {
  const names = Object.keys(goSettingsSchema.shape);
  // asked inside the module, because a newer Go may be chosen by its go.mod
  const printed = capture('go', ['env', '-json', ...names], { cwd: program.module, env: goEnvironment(program) });
  return printed === undefined ? undefined : goSettingsSchema.parse(JSON.parse(printed));
}

/** What `go version` says, whatever a go.mod asks for. */
export function goVersion(): string | undefined {
  return capture('go', ['version'], { env: { ...process.env, GOTOOLCHAIN: 'local' } });
}

/** Equal keys mean equal binaries: the sources (by go.sum), the flags and the compiler. */
export async function buildKey(program: GoProgram, settings: GoSettings): Promise<string> {
  const hash = createHash('sha256');
  hash.update(JSON.stringify([program.package, goArguments(program), settings]));
  for (const file of ['go.mod', 'go.sum']) {
    hash.update(`\0${file}\0`);
    hash.update(await readFile(path.join(program.module, file)));
  }
  return hash.digest('hex');
}

/** Where the binary of a program is, or will be. */
export async function locateProgram(cache: CacheLayout, program: GoProgram): Promise<{ key: string; file: string }> {
  const settings = goSettings(program);
  if (settings === undefined) {
    throw new UsageError(
      `Go ${MINIMUM_GO} or newer is needed to build ${program.name}, found: ${goVersion() ?? 'no go on PATH'}`,
      'Install it from https://go.dev/dl/ and put its bin folder on PATH.',
    );
  }
  const key = await buildKey(program, settings);
  return { key, file: path.join(cache.programs, program.name, key.slice(0, 16), program.name) };
}

/** Builds the program unless it is in the cache; returns the binary. */
export async function buildProgram(cache: CacheLayout, program: GoProgram, options: WorkOptions = {}): Promise<string> {
  const { file } = await locateProgram(cache, program);
  try {
    await provideFolder(path.dirname(file), `building ${program.name}`, options, async (folder) => {
      const binary = path.join(folder, program.name);
      // a work folder that go leaves behind when it is killed disappears with ours
      const work = path.join(folder, 'work');
      await mkdir(work);
      const progress = new CompilerProgress();
      await run('go', [...goArguments(program), '-v', '-o', binary, program.package], {
        cwd: program.module,
        env: { GOTMPDIR: work, ...goEnvironment(program) },
        logFile: path.join(cache.logs, `build-${program.name}.log`),
        signal: options.signal,
        onLine: (line) => options.onProgress?.(progress.take(line)),
        isProgress: (line) => progress.isProgress(line),
      });
      await rm(work, { recursive: true });
      // whatever the umask: the user of a container is another one
      await chmod(binary, 0o755);
      await utimes(binary, FIXED_TIME, FIXED_TIME);
    });
    return file;
  } catch (error) {
    throw error instanceof CommandError ? buildFailed(program, error) : error;
  }
}

/** Counts what `go build -v` lists. */
class CompilerProgress {
  private downloaded = 0;
  private compiled = 0;

  isProgress(line: string): boolean {
    return line.startsWith('go: downloading ') || /^[\w./~-]+$/.test(line);
  }

  take(line: string): string {
    if (line.startsWith('go: downloading ')) this.downloaded += 1;
    else if (this.isProgress(line)) this.compiled += 1;
    return this.compiled > 0 ? `${this.compiled} packages compiled` : `${this.downloaded} modules downloaded`;
  }
}

function buildFailed(program: GoProgram, error: CommandError): ExternalError {
  const said = error.tail.join('\n');
  if (/no space left on device/i.test(said)) {
    return new ExternalError(
      `no space left on the disk while building ${program.name}; nothing half-built was kept`,
      `Free space in the Go caches' folders (\`go env GOCACHE GOMODCACHE\`) and for ${path.dirname(error.logFile)}, then run it again. Log: ${error.logFile}`,
    );
  }
  const network = /dial tcp|no such host|i\/o timeout|TLS handshake|connection re(fused|set)/i.test(said);
  return new ExternalError(
    `building ${program.name} failed: ${error.describe()}`,
    network ? 'The Go module proxy could not be reached: check the network and `go env GOPROXY`.' : undefined,
  );
}
