import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseEnvironment } from '../../../../config/load';
import { copyOf, drillFolders } from '../../../../operations/backup/drill/drill';
import { tryLock } from '../../../../operations/lib/lock';
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
