import { driveChecks, judgeDrives } from '../../../../operations/checks/health/drives-online';
import { CheckFailure, ServiceDown } from '../../../../operations/checks/check';
import type { DriveState } from '../../../../operations/minio/minio-admin';
import { readAwayDrives } from '../../../../operations/state/notes/away-drives';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';
import { rejectionOf } from '../../../helpers/thrown';
import { loaded } from '../fakes';

const folder = useTemporaryFolder();
const VOLUMES = 'name: test\nminio: { drives: 4 }';
const FOLDERS = 'name: test\nminio: { drives: [/mnt/a, /mnt/b, /mnt/c, /mnt/d] }';

const drives = (states: Readonly<Record<number, Partial<DriveState>>> = {}, count = 4): DriveState[] =>
  Array.from({ length: count }, (_, index) => ({
    path: `/drives/${index + 1}`,
    state: 'ok',
    totalBytes: 1e9,
    freeBytes: 5e8,
    ...states[index + 1],
  }));

const verdict = async (text: string, seen: readonly DriveState[]): Promise<Error> =>
  rejectionOf(Promise.resolve().then(() => judgeDrives(loaded(folder(), text), seen)));

test('all drives there: each with its state, and nothing is noted', () => {
  const environment = loaded(folder(), VOLUMES);
  expect(judgeDrives(environment, drives())).toEqual({
    drives: { '/drives/1': 'ok', '/drives/2': 'ok', '/drives/3': 'ok', '/drives/4': 'ok' },
  });
  expect(readAwayDrives(environment.state)).toEqual({});
});

test.each([
  [
    'away, a volume',
    VOLUMES,
    { state: 'offline' },
    'drive /drives/3 (volume ebs-test-minio-data-3) is offline; MinIO goes on, until another one goes',
    /^see `docker logs ebs-test-minio`; if the volume is lost: `docker rm -f ebs-test-minio && docker volume rm ebs-test-minio-data-3`, then \.\/scripts\/up test makes an empty one; then \.\/scripts\/heal test, which/,
  ],
  [
    'away, a disk',
    FOLDERS,
    { state: 'faulty' },
    'drive /drives/3 (folder /mnt/c) is faulty; MinIO goes on, until another one goes',
    /^replace the disk, mount it on \/mnt\/c, `sudo install -d -o 65532 -g 65532 -m 700 \/mnt\/c`, `docker restart ebs-test-minio`, which/,
  ],
  [
    'of somebody else',
    FOLDERS,
    { state: 'permission-denied' },
    'drive /drives/3 (folder /mnt/c) is permission-denied; MinIO goes on, until another one goes',
    /^`sudo install -d -o 65532 -g 65532 -m 700 \/mnt\/c`: MinIO takes it back within half a minute; then/,
  ],
  [
    'empty',
    FOLDERS,
    { state: 'unformatted' },
    'drive /drives/3 (folder /mnt/c) is unformatted; MinIO goes on, until another one goes',
    /^MinIO formats and fills an empty drive by itself, within half a minute: wait; then/,
  ],
  [
    'another one',
    VOLUMES,
    { state: 'unknown (cause: inconsistent drive found)' },
    'drive /drives/3 (volume ebs-test-minio-data-3) is unknown (cause: inconsistent drive found); MinIO goes on, until another one goes',
    /^its format\.json is damaged, or of another drive: put the right disk there; or empty this one, `sudo find "\$\(docker volume inspect -f '\{\{\.Mountpoint\}\}' ebs-test-minio-data-3\)" -mindepth 1 -delete`/,
  ],
  [
    'being filled',
    FOLDERS,
    { healing: { done: 20, total: 0 } },
    'drive /drives/3 (folder /mnt/c) is being healed by MinIO: 20 objects',
    /^then \.\/scripts\/heal test, which ends when all is on all drives$/,
  ],
])('a drive that is %s fails, with what to do, and is noted', async (_, text, state, message, fix) => {
  const failure = await verdict(text, drives({ 3: state }));
  expect(failure).toBeInstanceOf(CheckFailure);
  expect(failure).not.toBeInstanceOf(ServiceDown);
  expect(failure.message).toBe(message);
  expect(failure).toMatchObject({ fix: expect.stringMatching(fix) as string });
  expect(Object.keys(readAwayDrives(loaded(folder(), text).state))).toEqual(['/drives/3']);
});

test('says how many more may go', async () => {
  const failure = await verdict('name: test\nminio: { drives: 8 }', drives({ 3: { state: 'offline' } }, 8));
  expect(failure.message).toContain('; MinIO goes on, and 2 more may go');
});

test('more drives away than MinIO stands: it is down, so that what needs it follows from that', async () => {
  const failure = await verdict(VOLUMES, drives({ 2: { state: 'offline' }, 3: { state: 'faulty' } }));
  expect(failure).toBeInstanceOf(ServiceDown);
  expect(failure).toMatchObject({ service: 'minio' });
  expect(failure.message).toMatch(
    /^MinIO writes no more: 2 of 4 drives are there, and it needs 3; drive \/drives\/2 \(.*\) is offline; drive \/drives\/3 \(.*\) is faulty$/,
  );
});

describe('of two pools', () => {
  const hosts = [1, 2, 3, 4, 5, 6].map((n) => `{ name: h${n}, docker: "ssh://h${n}", address: 192.0.2.${n} }`);
  const POOLS = `name: test\nhosts: [${hosts.join(', ')}]\nminio: { drives: 1, pools: [3, 3] }`;
  const ofHosts = (...away: readonly number[]): DriveState[] =>
    [1, 2, 3, 4, 5, 6].map((host) => ({
      path: `https://minio-${host}:9010/data`,
      state: away.includes(host) ? 'offline' : 'ok',
      totalBytes: 1e9,
      freeBytes: 5e8,
    }));

  test('each bears the loss of a drive', async () => {
    const failure = await verdict(POOLS, ofHosts(2, 6));
    expect(failure).not.toBeInstanceOf(ServiceDown);
    expect(failure.message).toMatch(
      /^drive \/data on host h2 \(.*\) is offline; drive \/data on host h6 \(.*\) is offline$/,
    );
  });

  test('one that has lost two is down, though the other one could spare them', async () => {
    const failure = await verdict(POOLS, ofHosts(5, 6));
    expect(failure).toBeInstanceOf(ServiceDown);
    expect(failure.message).toMatch(/^pool 2 of MinIO writes no more: 1 of 3 drives are there, and it needs 2; drive /);
  });
});

test('a declared drive that MinIO was not told of is named', async () => {
  const failure = await verdict(VOLUMES, drives({}, 3));
  expect(failure.message).toMatch(/^drive \/drives\/4 \(.*\) is unknown to MinIO; /);
  expect(failure).toMatchObject({
    fix: expect.stringMatching(/^`docker rm -f ebs-test-minio`, then \.\/scripts\/up test; /) as string,
  });
});

test('one drive that is away takes MinIO with it, and there is nothing to heal from', async () => {
  const failure = await verdict('name: test', [{ path: '/data', state: 'faulty', totalBytes: 0, freeBytes: 0 }]);
  expect(failure).toBeInstanceOf(ServiceDown);
  expect(failure).toMatchObject({ fix: expect.not.stringContaining('scripts/heal') as string });
});

test('it runs before the others, as the cause of what they would find', () => {
  expect(driveChecks).toMatchObject([{ id: 'drives-online', first: true, needs: 'minio' }]);
});
