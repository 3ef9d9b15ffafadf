import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ExternalError, UsageError } from '../../../../operations/lib/errors';
import { cacheLayout } from '../../../../operations/toolchain/cache';
import { fetchGo, findGo, machineGo, requireGoProxy } from '../../../../operations/toolchain/go/go-toolchain';
import { goPlatform } from '../../../../operations/lib/machine';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';
import { rejectionOf } from '../../../helpers/thrown';

const folder = useTemporaryFolder();
const cache = () => cacheLayout({ XDG_CACHE_HOME: path.join(folder(), 'cache') });
const fetchedRoot = () =>
  path.join(cache().root, 'go', `go1.26.11.${goPlatform().os}-${goPlatform().architecture}`, 'go');

const REFUSED = 'Get "https://proxy.test/": dial tcp 192.0.2.1:443: connect: connection refused';
const OLD = 'go version go1.19.8 linux/amd64';
const pinnedSum =
  goPlatform().architecture === 'arm64'
    ? 'h1:GFS9FmglLJxMwOSuun3qb8tBjpr8ibzOkt8tBrRLrnk='
    : 'h1:KyINmJ/FQdKRmDYGuTAAXkumyeR2DyUlSNHZj7XaLFg=';

/** A go of some version, whose proxy gives a toolchain with this checksum, or is away. */
function fakeGo(version: string, { sum = pinnedSum, away = false } = {}): void {
  const bin = path.join(folder(), 'bin');
  mkdirSync(bin);
  const error = JSON.stringify(`golang.org/toolchain@v0.0.1-go1.26.11: ${REFUSED}`);
  writeFileSync(
    path.join(bin, 'go'),
    `#!/bin/sh
d="$GOMODCACHE/golang.org/toolchain"
case "$1 $2" in
  version*) echo '${version}' ;;
  list*) printf '{\\n\\t"Path": "golang.org/toolchain"${away ? `,\\n\\t"Error": {\\n\\t\\t"Err": %s\\n\\t}` : ''}\\n}\\n' '${error}' ;;
  'mod download')
    if ${String(away)}; then printf '{\\n\\t"Error": %s\\n}\\n' '${error}'; exit 1; fi
    mkdir -p "$d/bin" "$d/pkg/tool/x" "$d/src/cmd"
    for f in bin/go pkg/tool/x/link src/_go.mod src/cmd/_go.mod; do echo "$f" >"$d/$f"; chmod 444 "$d/$f"; done
    printf '{\\n\\t"Dir": "%s",\\n\\t"Sum": "${sum}"\\n}\\n' "$d" ;;
  *) exit 1 ;;
esac
`,
    { mode: 0o755 },
  );
  jest.replaceProperty(process, 'env', { ...process.env, PATH: `${bin}:/usr/bin:/bin` });
}
afterEach(() => {
  jest.restoreAllMocks();
});

describe('a Go that can fetch another', () => {
  test.each(['go version go1.21.0 linux/amd64', 'go version go1.30.2 linux/arm64', 'go version go2.0 linux/amd64'])(
    '%s builds by itself, as the pinned one',
    (version) => {
      fakeGo(version);
      expect(findGo(cache())).toEqual({
        program: path.join(folder(), 'bin', 'go'),
        env: { GOTOOLCHAIN: 'go1.26.11' },
      });
    },
  );

  test('needs no proxy where the modules are on the machine, and is refused where they are not', async () => {
    fakeGo('go version go1.24.3 linux/amd64', { away: true });
    await requireGoProxy(cache(), {}, () => true);
    const error = await rejectionOf(requireGoProxy(cache(), {}, () => false));
    expect(error).toBeInstanceOf(ExternalError);
    expect(error.message).toBe(`the Go module proxy cannot be used: ${REFUSED}`);
  });
});

describe('a Go that is too old', () => {
  test.each([OLD, 'go version go1.20.14 linux/amd64'])('%s builds nothing itself', (version) => {
    fakeGo(version);
    expect(machineGo()).toMatchObject({ version, fetches: false });
    expect(findGo(cache())).toBeUndefined();
  });

  test('fetches the pinned one once, which then builds', async () => {
    fakeGo(OLD);
    await requireGoProxy(cache(), {}, () => false);
    await fetchGo(cache());
    const program = path.join(fetchedRoot(), 'bin', 'go');
    expect(findGo(cache())).toEqual({ program, env: { GOTOOLCHAIN: 'local', GOROOT: fetchedRoot() } });
    for (const file of [program, path.join(fetchedRoot(), 'pkg', 'tool', 'x', 'link')]) {
      expect(statSync(file).mode & 0o777).toBe(0o755);
    }
    expect(readFileSync(path.join(fetchedRoot(), 'src', 'cmd', 'go.mod'), 'utf8')).toBe('src/cmd/_go.mod\n');
    expect(readdirSync(path.join(fetchedRoot(), 'src')).sort()).toEqual(['cmd', 'go.mod']);
    expect(readdirSync(path.dirname(fetchedRoot()))).toEqual(['go']);
  });

  test('gets nothing into the cache that has another checksum', async () => {
    fakeGo(OLD, { sum: 'h1:another=' });
    const error = await rejectionOf(fetchGo(cache()));
    expect(error.message).toBe(
      `Go 1.26.11 must have the checksum ${pinnedSum}, the Go module proxy gave one with: h1:another=`,
    );
    expect(existsSync(path.dirname(fetchedRoot()))).toBe(false);
    expect(readdirSync(path.join(cache().root, 'go'))).toEqual([]);
  });

  test.each([
    ['before anything is installed', () => requireGoProxy(cache(), {}, () => true)],
    ['when it is to fetch', () => fetchGo(cache())],
  ])('without a way to the proxy is refused %s', async (_, act) => {
    fakeGo(OLD, { away: true });
    const error = await rejectionOf(act());
    expect(error).toBeInstanceOf(ExternalError);
    expect(error.message).toBe(
      `Go 1.21 or newer is needed to build what is missing, found: ${OLD}; it cannot fetch Go 1.26.11: ${REFUSED}`,
    );
  });
});

// a machine may have a Go in /usr/bin, which is looked at whatever PATH says: the one before it says no version
test('where the machine has none, that is said', async () => {
  fakeGo('no Go');
  const error = await rejectionOf(fetchGo(cache()));
  expect(error).toBeInstanceOf(UsageError);
  expect(error.message).toBe('Go 1.21 or newer is needed to build what is missing, found: no go on PATH');
});
