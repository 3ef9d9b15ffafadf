/** An old backup is as genuine as the newest: what is known on this machine tells them apart. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { stateLayout } from '../../../config/state/layout';
import type { Bundle } from '../../../operations/backup/bundle/bundle';
import { madeOn, requireKnownKeys, staleness } from '../../../operations/backup/freshness';
import { noteBackup } from '../../../operations/backup/last-backup';
import { writeCanaries } from '../../../operations/state/notes/canaries';
import { UsageError } from '../../../operations/lib/errors';
import { CANARIES, HEADER, MASTER_KEY } from '../../helpers/bundle';
import { canaryOf } from '../../helpers/master-key';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { thrownBy } from '../../helpers/thrown';

const folder = useTemporaryFolder();
const state = () => stateLayout('test', path.join(folder(), 'state'));
const BUNDLE = {
  header: HEADER,
  masterKeys: new Map([['backup-default', MASTER_KEY]]),
} as unknown as Bundle;
const OTHER = canaryOf('x', Buffer.alloc(32, 'another'));

function noted(createdAt: string): void {
  noteBackup(state(), { ...HEADER, createdAt }, { destination: 's3://backups/newest.age', sha256: '' });
}

test.each([
  ['2026-01-02T03:30:00.000Z', 'made on 2026-01-02T03:04:05.000Z (less than an hour ago)'],
  ['2026-01-03T03:04:05.000Z', 'made on 2026-01-02T03:04:05.000Z (24 h ago)'],
  ['2026-03-02T03:04:05.000Z', 'made on 2026-01-02T03:04:05.000Z (59 days ago)'],
  ['2026-01-01T00:00:00.000Z', 'made on 2026-01-02T03:04:05.000Z (in the future, by the clock of this machine)'],
])('at %s it is said how old a backup is: %s', (now, said) => {
  expect(madeOn(BUNDLE, new Date(now))).toBe(said);
});

test('a backup that is older than one that is known is said to be so', () => {
  expect(staleness(BUNDLE, state())).toEqual([]);
  noted(HEADER.createdAt);
  expect(staleness(BUNDLE, state())).toEqual([]);
  noted('2026-01-03T00:00:00.000Z');
  expect(staleness(BUNDLE, state())).toEqual([
    'a newer backup is known here, of 2026-01-03T00:00:00.000Z in s3://backups/newest.age: this one is as genuine, but what changed since is lost',
  ]);
});

test('where nobody can say which keys were known, that is said, and no reason to stop', () => {
  mkdirSync(state().root);
  writeFileSync(state().canaries, '{');
  expect(staleness(BUNDLE, state())).toEqual([
    expect.stringContaining('the backup cannot be compared with the keys that are known here: '),
  ]);
  requireKnownKeys(BUNDLE, state(), []);
});

describe('a backup', () => {
  test('with every key that is known is taken, and on a machine that knows none', () => {
    requireKnownKeys(BUNDLE, state(), []);
    writeCanaries(state().canaries, CANARIES);
    requireKnownKeys(BUNDLE, state(), []);
  });

  test.each<[string, Parameters<typeof writeCanaries>[1], string, string]>([
    ['without a key', { ...CANARIES, newer: OTHER }, 'newer, made on 2026-01-01T00:00:00.000Z', 'newer'],
    [
      'with another key of that name',
      { 'backup-default': OTHER },
      'backup-default, made on 2026-01-01T00:00:00.000Z',
      'backup-default',
    ],
    [
      'without several',
      { ...CANARIES, newer: OTHER, newest: OTHER },
      'newer, made on 2026-01-01T00:00:00.000Z; newest, made on 2026-01-01T00:00:00.000Z',
      'newer,newest',
    ],
  ])('%s that is known is refused, unless all of them are given up', (_, canaries, lost, names) => {
    writeCanaries(state().canaries, canaries);
    noted('2026-01-03T00:00:00.000Z');
    for (const without of [[], ['other']]) {
      const refusal = thrownBy(() => {
        requireKnownKeys(BUNDLE, state(), without);
      });
      expect(refusal).toEqual(
        new UsageError(`the backup of 2026-01-02T03:04:05.000Z lacks master keys that are known here: ${lost}`),
      );
      expect(refusal).toMatchObject({
        hint:
          'take a newer backup (the newest that is known here is of 2026-01-03T00:00:00.000Z, in s3://backups/newest.age). ' +
          `To give up these keys, and what is under them unless the key store has them, write --without-keys ${names}`,
      });
    }
    requireKnownKeys(BUNDLE, state(), names.split(','));
  });
});
