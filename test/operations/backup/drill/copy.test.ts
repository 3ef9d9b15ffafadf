import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseEnvironment } from '../../../../config/load';
import { CHECKED_ROWS } from '../../../../config/guard-rules';
import { copyOf, copyWithImages, drillFolders } from '../../../../operations/backup/drill/copy';
import { UsageError } from '../../../../operations/lib/errors';
import { tryLock } from '../../../../operations/lib/lock';
import { FROM_REGISTRY } from '../../../helpers/deployment';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';

const folder = useTemporaryFolder();
const ORIGINAL = parseEnvironment('name: demo', 'demo.yaml');

/** What a drill makes first. */
async function drillOf(original = ORIGINAL): Promise<string> {
  const made = mkdtempSync(path.join(folder(), 'drill-'));
  writeFileSync(path.join(made, 'environment.yaml'), await copyOf(original, path.join(made, 'state')));
  return made;
}

/** A lock file of a process that is gone. */
async function leaveLock(file: string): Promise<void> {
  const lock = await tryLock(file, 'rehearsing');
  if (!('release' in lock)) throw new Error(`${file} is locked`);
  const holder = readFileSync(file);
  lock.release();
  writeFileSync(file, holder);
}

test.each([
  [
    'this machine',
    'publishAddress: 0.0.0.0, subnet: 10.1.0.0/24, mtu: 1400, processLimit: 4096',
    { publishAddress: '127.0.0.1', mtu: 1400, processLimit: 4096 },
  ],
  [
    'another machine',
    'host: ssh://nas, publishAddress: 192.0.2.7',
    { host: 'ssh://nas', publishAddress: '192.0.2.7', processLimit: 8192 },
  ],
])('a copy on an engine of %s is published where this machine reaches it', async (_, settings, docker) => {
  const original = parseEnvironment(`name: demo\ndocker: { ${settings} }`, 'demo.yaml');
  expect(parseEnvironment(await copyOf(original, folder()), 'the copy').docker).toEqual(docker);
});

test('clients of the original find no copy by its names', async () => {
  const original = parseEnvironment('name: demo\nminio: { hostnames: [nas.lan], domain: s3.lan }', 'demo.yaml');
  const { minio } = parseEnvironment(await copyOf(original, folder()), 'the copy');
  expect([minio.hostnames, minio.domain]).toEqual([[], undefined]);
});

test.each([
  ['1', 1],
  ['4', 4],
  ['[/mnt/disk]', 1],
  ['[/d1, /d2, /d3, {path: /d4, adopt: true}]', 4],
])('a copy of drives %s has as many volumes of its own', async (drives, expected) => {
  const original = parseEnvironment(`name: demo\nminio: { drives: ${drives} }`, 'demo.yaml');
  expect(parseEnvironment(await copyOf(original, folder()), 'the copy').minio.drives).toBe(expected);
});

describe('a copy of an environment with several hosts', () => {
  const HOSTS = parseEnvironment(
    'name: demo\nhosts:\n' +
      [1, 2, 3, 4, 5, 6]
        .map((n) => `  - { name: h${n}, docker: tcp://192.0.2.${n}:2376, certificates: /c, address: 192.0.2.${n} }\n`)
        .join('') +
      'minio: { drives: [/d1, /d2], parity: 2, nodePort: 9011, pools: [3, 3] }\nbalancer: { memoryMb: 128 }\n',
    'demo.yaml',
  );

  test.each([
    [undefined, '127.0.0.1', undefined, undefined],
    ['h2', '192.0.2.2', 'tcp://192.0.2.2:2376', '/c'],
  ])('is on one of them, or on this machine: --host %s', async (host, address, engine, certPath) => {
    const { hosts, docker, minio, kes, keyStore } = parseEnvironment(await copyOf(HOSTS, folder(), host), 'the copy');
    expect([hosts, docker.host, docker.certPath, minio.drives]).toEqual([undefined, engine, certPath, 1]);
    const vault = keyStore.type === 'vault' && keyStore.vault.mode === 'embedded' ? keyStore.vault : undefined;
    expect([docker.publishAddress, kes.publishAddress, vault?.publishAddress]).toEqual([address, address, address]);
  });

  test.each([
    [HOSTS, 'h7', '--host: must be one of h1, h2, h3, h4, h5, h6, got: h7'],
    [ORIGINAL, 'h1', '--host: is for environments with several hosts, and demo has one, got: h1'],
  ])('is refused on a host that there is not', async (original, host, message) => {
    await expect(copyOf(original, folder(), host)).rejects.toThrow(new UsageError(message));
  });
});

test('a copy of several hosts is not made on an engine that nobody named for it', async () => {
  const hosts = parseEnvironment(
    'name: demo\nhosts:\n' +
      ['a', 'b', 'c']
        .map((name, n) => `  - { name: ${name}, docker: ssh://${name}, address: 192.0.2.${n} }\n`)
        .join(''),
    'demo.yaml',
  );
  process.env.DOCKER_HOST = 'ssh://nas';
  try {
    await expect(copyOf(hosts, folder())).rejects.toThrow(
      new UsageError('--host: must be given where the Docker engine is on another machine (DOCKER_HOST, ssh://nas)'),
    );
    expect(parseEnvironment(await copyOf(hosts, folder(), 'b'), 'the copy').docker.host).toBe('ssh://b');
  } finally {
    delete process.env.DOCKER_HOST;
  }
});

const copy = async () => parseEnvironment(await copyOf(ORIGINAL, folder()), 'the copy');

test('a drill that was killed is told from one that runs, and from one of which something runs on', async () => {
  // GIVEN
  const [killed, runs, runsOn, restores] = [await drillOf(), await drillOf(), await drillOf(), await drillOf()];
  for (const left of [killed, runsOn, restores]) await leaveLock(path.join(left, 'lock'));
  await tryLock(path.join(runs, 'lock'), 'rehearsing');
  await leaveLock(path.join(killed, 'state', 'lock'));
  await tryLock(path.join(runsOn, 'state', 'lock'), 'deploying');
  await tryLock(path.join(restores, 'state.restore-lock'), 'restoring');

  // THEN
  const found = await drillFolders(folder(), await copy());
  const what = Object.fromEntries(found.map((drill) => [drill.folder, drill.holder?.what]));
  expect(what).toEqual({ [killed]: undefined, [runs]: 'rehearsing', [runsOn]: 'deploying', [restores]: 'restoring' });
});

test('what may be something else than a killed drill of this copy is left out', async () => {
  // GIVEN another environment's, one of which nobody can say whether it runs, and a state folder of a similar name
  await leaveLock(path.join(await drillOf(parseEnvironment('name: other', 'other.yaml')), 'lock'));
  const onAnotherHost = parseEnvironment('name: demo\ndocker: { host: ssh://192.0.2.1 }', 'demo.yaml');
  await leaveLock(path.join(await drillOf(onAnotherHost), 'lock'));
  await drillOf();
  const broken = await drillOf();
  await leaveLock(path.join(broken, 'lock'));
  writeFileSync(path.join(broken, 'environment.yaml'), 'name: [');
  mkdirSync(path.join(folder(), 'drill-abcdef'));
  await leaveLock(path.join(folder(), 'drill-abcdef', 'lock'));

  // THEN
  expect(await drillFolders(folder(), await copy())).toEqual([]);
});

test.each([
  ['images that are built', ''],
  ['images of a registry', FROM_REGISTRY],
])('a copy of %s can have other ones, and takes what they let through', async (_, more) => {
  const images = {
    vault: `encrypted-backup-storage/vault:${'1'.repeat(16)}`,
    kes: `quay.io/minio/kes@sha256:${'2'.repeat(64)}`,
    minio: `encrypted-backup-storage/minio:${'3'.repeat(16)}`,
  };
  const text = await copyOf(parseEnvironment(`name: demo\n${more}`, 'demo.yaml'), folder());
  const other = parseEnvironment(copyWithImages(text, images), 'the copy');
  expect(other.images).toMatchObject({ source: 'registry', ...images });
  expect(other.minio).toMatchObject({
    port: parseEnvironment(text, 'the copy').minio.port,
    acceptedRisks: CHECKED_ROWS,
  });
});

test('a copy of an environment with an embedded OpenBao has one, too, of the image that it is given', async () => {
  const original = parseEnvironment('name: demo\nvault: { mode: embedded, distribution: openbao }', 'demo.yaml');
  const built = (program: string) => `encrypted-backup-storage/${program}:${'a'.repeat(16)}`;
  const images = { vault: built('openbao'), kes: built('kes'), minio: built('minio') };
  const text = copyWithImages(await copyOf(original, folder()), images);
  const { images: declared, keyStore } = parseEnvironment(text, 'the copy');
  expect(keyStore).toMatchObject({ vault: { distribution: 'openbao' } });
  expect(declared).toMatchObject({ source: 'registry', openbao: images.vault, kes: images.kes });
  expect(declared).not.toHaveProperty('vault');
});
