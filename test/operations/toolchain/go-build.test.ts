import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ExternalError } from '../../../operations/errors';
import { cacheLayout } from '../../../operations/toolchain/cache';
import {
  buildKey,
  buildProgram,
  type GoSettings,
  goSettings,
  locateProgram,
} from '../../../operations/toolchain/go-build';
import type { GoProgram } from '../../../operations/toolchain/programs';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { rejectionOf } from '../../helpers/thrown';

const folder = useTemporaryFolder();
const cache = () => cacheLayout({ XDG_CACHE_HOME: path.join(folder(), 'cache') });

const diskMb = { modules: 0, objects: 0 };
const image = { name: 'kes', module: '', package: 'example.org/kes', tags: [], target: 'image', diskMb } as const;

function makeProgram(name = 'module'): GoProgram {
  const module = path.join(folder(), name);
  mkdirSync(module);
  writeFileSync(path.join(module, 'go.mod'), 'module test\n');
  writeFileSync(path.join(module, 'go.sum'), 'sum h1:1\n');
  return { ...image, module };
}

describe('key', () => {
  const settings: GoSettings = {
    GOVERSION: 'go1.26.8',
    GOOS: 'linux',
    GOARCH: 'amd64',
    GOAMD64: 'v1',
    GOARM64: '',
    GOEXPERIMENT: '',
  };

  test('is the same for the same module in another clone', async () => {
    const program = makeProgram();
    const elsewhere = path.join(folder(), 'elsewhere');
    cpSync(program.module, elsewhere, { recursive: true });
    expect(await buildKey({ ...program, module: elsewhere }, settings)).toBe(await buildKey(program, settings));
  });

  test('changes with the sources, the flags and the compiler', async () => {
    const program = makeProgram();
    const keys = [await buildKey(program, settings)];
    keys.push(await buildKey({ ...program, tags: ['minimal'] }, settings));
    keys.push(await buildKey({ ...program, package: 'example.org/kes/cmd' }, settings));
    keys.push(await buildKey(program, { ...settings, GOVERSION: 'go1.26.9' }));
    keys.push(await buildKey(program, { ...settings, GOARCH: 'arm64' }));
    for (const file of ['go.mod', 'go.sum']) {
      writeFileSync(path.join(program.module, file), 'changed\n');
      keys.push(await buildKey(program, settings));
    }
    expect(new Set(keys).size).toBe(keys.length);
  });
});

describe('build', () => {
  const savedPath = process.env.PATH;
  afterEach(() => {
    process.env.PATH = savedPath;
  });

  /** A go that answers `go version` and `go env`, counts its builds and does what `build` says with `$output`. */
  function fakeGo(build: string, settings: Partial<GoSettings> = {}): () => number {
    const bin = path.join(folder(), 'bin');
    const count = path.join(folder(), 'builds');
    mkdirSync(bin);
    writeFileSync(
      path.join(bin, 'go'),
      `#!/bin/sh
case $1 in
  version) echo 'go version go1.24.3 linux/amd64'; exit ;;
  env) echo '${JSON.stringify({ ...goSettings(image), ...settings })}'; exit ;;
esac
echo "$CGO_ENABLED $GOFLAGS $GOWORK $*" >>'${count}'
while [ "$1" != -o ]; do shift; done
output=$2
${build}
`,
      { mode: 0o755 },
    );
    process.env.PATH = `${bin}:${savedPath ?? ''}`;
    return () => (existsSync(count) ? readFileSync(count, 'utf8').trim().split('\n').length : 0);
  }

  test('happens once, with pinned flags, and the result is executable and of a fixed date', async () => {
    const builds = fakeGo('umask 077; echo program >"$output"');
    const program = { ...makeProgram(), tags: ['minimal'] };

    const file = await buildProgram(cache(), program);
    expect(await buildProgram(cache(), program)).toBe(file);

    expect(builds()).toBe(1);
    const flags = '0 -buildvcs=false off build -mod=readonly -trimpath -ldflags -s -w -tags minimal -v -o ';
    expect(readFileSync(path.join(folder(), 'builds'), 'utf8')).toContain(flags);
    expect(statSync(file).mode & 0o777).toBe(0o755);
    expect(statSync(file).mtime).toEqual(new Date('2026-01-01T00:00:00Z'));
  });

  test('of two at once, one compiles and both get the result', async () => {
    const builds = fakeGo('sleep 0.2; echo program >"$output"');
    const program = makeProgram();
    const [one, two] = await Promise.all([buildProgram(cache(), program), buildProgram(cache(), program)]);
    expect(one).toBe(two);
    expect(builds()).toBe(1);
  });

  test('that fails shows what go said last and leaves nothing behind', async () => {
    fakeGo('echo example.org/compiled; echo half >"$output"; echo "kes.go:1: undefined: x" >&2; exit 1');
    const error = await rejectionOf(buildProgram(cache(), makeProgram()));

    const log = path.join(cache().logs, 'build-kes.log');
    expect(error).toBeInstanceOf(ExternalError);
    expect(error.message).toMatch(/^building kes failed: `go build .*` failed with exit code 1\. Its last lines:\n/);
    expect(error.message).toContain(`\n  kes.go:1: undefined: x\n  log: ${log}`);
    expect(error.message).not.toContain('example.org/compiled');
    expect(readFileSync(log, 'utf8')).toContain('example.org/compiled');
    expect(readdirSync(path.join(cache().programs, 'kes'))).toEqual([]);
  });

  test('with a setting that `go env -w` made is refused: its key would say something else', async () => {
    const builds = fakeGo('echo program >"$output"', { GOEXPERIMENT: 'nodwarf5' });
    const error = await rejectionOf(buildProgram(cache(), makeProgram()));
    expect(error).toMatchObject({
      message: 'kes is built with GOEXPERIMENT=, `go env GOEXPERIMENT` says: nodwarf5',
      hint: 'Take it back: go env -u GOEXPERIMENT',
    });
    expect(builds()).toBe(0);
  });

  test('on a full disk says so', async () => {
    fakeGo('echo "link: writing: no space left on device" >&2; exit 1');
    const error = await rejectionOf(buildProgram(cache(), makeProgram()));
    expect(error.message).toBe('no space left on the disk while building kes; nothing half-built was kept');
  });

  test('that is interrupted leaves nothing, and what a killed one left is removed', async () => {
    // GIVEN
    fakeGo('echo half >"$output"; echo example.org/started; exec sleep 60');
    const program = makeProgram();
    const { file } = await locateProgram(cache(), program);
    mkdirSync(`${path.dirname(file)}.tmp-killed`, { recursive: true });
    const interruption = new AbortController();

    // WHEN
    const building = buildProgram(cache(), program, {
      signal: interruption.signal,
      onProgress: () => {
        interruption.abort(new Error('interrupted'));
      },
    });

    // THEN
    expect((await rejectionOf(building)).message).toBe('interrupted');
    expect(readdirSync(path.join(cache().programs, 'kes'))).toEqual([]);
  });
});
