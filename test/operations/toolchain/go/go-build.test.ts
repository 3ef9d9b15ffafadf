import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ExternalError } from '../../../../operations/lib/errors';
import { cacheLayout } from '../../../../operations/toolchain/cache';
import type { GoAdditions } from '../../../../operations/toolchain/go/go-additions';
import {
  buildKey,
  buildProgram,
  type GoSettings,
  goSettings,
  locateProgram,
} from '../../../../operations/toolchain/go/go-build';
import type { GoProgram } from '../../../../operations/toolchain/go/programs';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';
import { rejectionOf } from '../../../helpers/thrown';

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

  test('changes with our own files, but not with their tests', async () => {
    const additions = makeAdditions();
    const without = makeProgram();
    const program = { ...without, additions };
    const write = (file: string) => {
      writeFileSync(path.join(additions.folder, file), 'package cmd // changed\n');
    };
    const before = await buildKey(program, settings);
    expect(before).not.toBe(await buildKey(without, settings));
    write('cmd/guard_test.go');
    write('cmd/testdata/fuzz');
    write('go.mod');
    expect(await buildKey(program, settings)).toBe(before);
    write('cmd/guard.go');
    expect(await buildKey(program, settings)).not.toBe(before);
  });
});

/** A folder as toolchain/images/minio/guard. */
function makeAdditions(): GoAdditions {
  const additions = path.join(folder(), 'additions');
  mkdirSync(path.join(additions, 'cmd', 'testdata'), { recursive: true });
  for (const file of ['go.mod', 'cmd/guard.go', 'cmd/guard_test.go', 'cmd/testdata/fuzz']) {
    writeFileSync(path.join(additions, file), 'package cmd\n');
  }
  return { module: 'example.org/kes', folder: additions };
}

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

  describe('with files of our own', () => {
    /** A go with a module in its read-only cache, which prints what it was given to build. */
    function fakeGoWithModule(): string {
      const upstream = path.join(folder(), 'upstream');
      mkdirSync(path.join(upstream, 'cmd'), { recursive: true });
      for (const file of ['go.mod', 'cmd/server.go', 'cmd/server_test.go']) {
        writeFileSync(path.join(upstream, file), `upstream ${file}\n`, { mode: 0o444 });
      }
      chmodSync(path.join(upstream, 'cmd'), 0o555);
      fakeGo(`
mkdir -p '${folder()}/seen'
cp -r ../module go.mod go.sum '${folder()}/seen'
echo program >"$output"`);
      const go = path.join(folder(), 'bin', 'go');
      const answers = `
if [ "$1 $2" = "mod download" ]; then exit; fi
if [ "$1" = list ]; then echo '{"Dir":"${upstream}"}'; exit; fi
if [ "$1 $2 $3" = "mod edit -replace" ]; then echo "replace $4" >>go.mod; exit; fi
`;
      writeFileSync(go, readFileSync(go, 'utf8').replace('esac\n', `esac${answers}`));
      return upstream;
    }

    test('copies the module, adds them, and leaves upstream and the pins as they are', async () => {
      // GIVEN
      const upstream = fakeGoWithModule();
      const program = { ...makeProgram(), additions: makeAdditions() };

      // WHEN
      await buildProgram(cache(), program);

      // THEN
      const seen = (file: string) => readFileSync(path.join(folder(), 'seen', file), 'utf8');
      expect(readdirSync(path.join(folder(), 'seen', 'module', 'cmd')).sort()).toEqual(['guard.go', 'server.go']);
      expect(seen('module/cmd/server.go')).toBe('upstream cmd/server.go\n');
      expect(seen('go.mod')).toBe('module test\nreplace example.org/kes=../module\n');
      expect(seen('go.sum')).toBe('sum h1:1\n');
      expect(readFileSync(path.join(program.module, 'go.mod'), 'utf8')).toBe('module test\n');
      expect(readdirSync(path.join(upstream, 'cmd')).sort()).toEqual(['server.go', 'server_test.go']);
    });

    test('refuses a file that would replace one of upstream', async () => {
      fakeGoWithModule();
      const additions = makeAdditions();
      writeFileSync(path.join(additions.folder, 'cmd/server.go'), 'ours\n');
      const error = await rejectionOf(buildProgram(cache(), { ...makeProgram(), additions }));
      expect(error).toBeInstanceOf(ExternalError);
      expect(error.message).toBe('example.org/kes has a file cmd/server.go of its own, which ours would replace');
    });
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
