/** Builds a pinned Go program once per content: what is in the cache under its key is complete. */
import { createHash } from 'node:crypto';
import { chmod, mkdir, readFile, rm, utimes } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { ExternalError, UsageError } from '../../lib/errors';
import { type CacheLayout, provideFolder, type WorkOptions } from '../cache';
import { capture, CommandError, run, type RunOptions } from '../../lib/command';
import { additionContents, moduleWithAdditions } from './go-additions';
import { findGo, type GoCommand, noGo, PINNED_GO } from './go-toolchain';
import { goPlatform } from '../../lib/machine';
import type { GoProgram } from './programs';

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

/** The settings for every build of a program on this kind of machine, known without any Go. */
export function goSettings(program: GoProgram): GoSettings {
  const { os, architecture } = goPlatform();
  return {
    GOVERSION: `go${PINNED_GO}`,
    GOOS: program.target === 'image' ? 'linux' : os,
    GOARCH: architecture,
    GOAMD64: architecture === 'amd64' ? 'v1' : '',
    GOARM64: architecture === 'arm64' ? 'v8.0' : '',
    GOEXPERIMENT: '',
  };
}

/** The environment of a Go command that works on the module of a program. */
export function goEnvironment(program: GoProgram, go: GoCommand): NodeJS.ProcessEnv {
  const { GOVERSION: _, ...settings } = goSettings(program);
  return {
    ...process.env,
    ...settings,
    CGO_ENABLED: '0',
    // replaces the user's flags: a `-mod=mod` there would edit go.mod
    GOFLAGS: '-buildvcs=false',
    // a go.work in a folder above would bring in other modules
    GOWORK: 'off',
    ...go.env,
  };
}

function goArguments(program: GoProgram): string[] {
  const tags = program.tags.length > 0 ? ['-tags', program.tags.join(',')] : [];
  return ['build', '-mod=readonly', '-trimpath', '-ldflags', '-s -w', ...tags];
}

/** Whether the module cache has all that a build needs. */
export function modulesAreHere(program: GoProgram, go: GoCommand): boolean {
  const tags = program.tags.length > 0 ? ['-tags', program.tags.join(',')] : [];
  const listed = capture(go.program, ['list', '-deps', '-mod=readonly', '-f', '{{.Name}}', ...tags, program.package], {
    cwd: program.module,
    env: { ...goEnvironment(program, go), GOPROXY: 'off' },
  });
  return listed !== undefined;
}

/** A variable that is empty does not overrule `go env -w`: the key would not say what was built. */
function requireSettings(program: GoProgram, go: GoCommand): void {
  const names = Object.keys(goSettingsSchema.shape);
  const printed = capture(go.program, ['env', '-json', ...names], {
    cwd: program.module,
    env: goEnvironment(program, go),
  });
  // where the pinned Go has to be fetched first and cannot be, the build says why
  if (printed === undefined) return;
  const found = goSettingsSchema.parse(JSON.parse(printed));
  const wanted = goSettings(program);
  for (const name of goSettingsSchema.keyof().options) {
    if (found[name] === wanted[name]) continue;
    throw new UsageError(
      `${program.name} is built with ${name}=${wanted[name]}, \`go env ${name}\` says: ${found[name]}`,
      `Take it back: go env -u ${name}`,
    );
  }
}

/** Equal keys mean equal binaries: the sources (by go.sum), our own ones, the flags and the compiler. */
export async function buildKey(program: GoProgram, settings: GoSettings): Promise<string> {
  const hash = createHash('sha256');
  hash.update(JSON.stringify([program.package, goArguments(program), settings]));
  for (const file of ['go.mod', 'go.sum']) {
    hash.update(`\0${file}\0`);
    hash.update(await readFile(path.join(program.module, file)));
  }
  if (program.additions !== undefined) {
    for (const [file, content] of await additionContents(program.additions)) {
      hash.update(`\0${file}\0${content.length}\0`);
      hash.update(content);
    }
  }
  return hash.digest('hex');
}

/** Where the binary of a program is, or will be. */
export async function locateProgram(cache: CacheLayout, program: GoProgram): Promise<{ key: string; file: string }> {
  const key = await buildKey(program, goSettings(program));
  return { key, file: path.join(cache.programs, program.name, key.slice(0, 16), program.name) };
}

/** Builds the program unless it is in the cache; returns the binary. */
export async function buildProgram(cache: CacheLayout, program: GoProgram, options: WorkOptions = {}): Promise<string> {
  const { file } = await locateProgram(cache, program);
  try {
    await provideFolder(path.dirname(file), `building ${program.name}`, options, async (folder) => {
      const go = findGo(cache);
      if (go === undefined) throw noGo();
      requireSettings(program, go);
      const binary = path.join(folder, program.name);
      // a work folder that go leaves behind when it is killed disappears with ours
      const work = path.join(folder, 'work');
      await mkdir(work);
      const progress = new CompilerProgress();
      const settings: RunOptions = {
        env: { GOTMPDIR: work, ...goEnvironment(program, go) },
        logFile: path.join(cache.logs, `build-${program.name}.log`),
        signal: options.signal,
        onLine: (line) => options.onProgress?.(progress.take(line)),
        isProgress: (line) => progress.isProgress(line),
      };
      const cwd =
        program.additions === undefined
          ? program.module
          : await moduleWithAdditions(program.additions, program.module, work, go.program, settings);
      await run(go.program, [...goArguments(program), '-v', '-o', binary, program.package], { ...settings, cwd });
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
