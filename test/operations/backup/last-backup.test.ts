import { mkdirSync, writeFileSync } from 'node:fs';
import { stateLayout } from '../../../config/state/layout';
import { writeCanaries } from '../../../operations/state/notes/canaries';
import type { BundleHeader } from '../../../operations/backup/bundle/bundle';
import { backupCoverageWarning, noteBackup } from '../../../operations/backup/last-backup';
import { useTemporaryFolder } from '../../helpers/temporary-folder';

const folder = useTemporaryFolder();

function stateWith(canaries: Readonly<Record<string, string>>) {
  const state = stateLayout('test', folder());
  mkdirSync(state.root, { recursive: true });
  writeCanaries(
    state.canaries,
    Object.fromEntries(
      Object.entries(canaries).map(([key, bornAt]) => [
        key,
        { bornAt, origin: 'created' as const, ciphertext: 'AAAA', plaintextSha256: '0'.repeat(64) },
      ]),
    ),
  );
  return state;
}

const header = (createdAt: string, masterKeys: string[]) => ({ createdAt, masterKeys }) as BundleHeader;
const written = { destination: '/backups/a.age', sha256: '0'.repeat(64) };
const JANUARY = '2026-01-01T00:00:00.000Z';
const FEBRUARY = '2026-02-01T00:00:00.000Z';
const MARCH = '2026-03-01T00:00:00.000Z';

test('without keys there is nothing to save, without a backup there is', () => {
  expect(backupCoverageWarning('test', stateWith({}))).toBeUndefined();
  expect(backupCoverageWarning('test', stateWith({ a: JANUARY }))).toBe(
    'no backup of the master keys is known: if they are lost, so is everything under them. Make one: ' +
      './scripts/backup test --to FILE --recipient age1…',
  );
});

test.each([
  ['holds every key', FEBRUARY, ['a', 'b'], undefined],
  ['does not hold one', FEBRUARY, ['a'], 'master key b'],
  ['is older than one that was made anew under its name', '2025-01-01T00:00:00.000Z', ['a', 'b'], 'master keys a, b'],
])('a backup that %s', (_, createdAt, keys, unsaved) => {
  const state = stateWith({ a: JANUARY, b: JANUARY });
  noteBackup(state, header(createdAt, keys), written);
  const warning = backupCoverageWarning('test', state);
  if (unsaved === undefined) expect(warning).toBeUndefined();
  else
    expect(warning).toContain(`the newest backup (${createdAt}) is older than ${unsaved}: if lost, so is everything`);
});

test('a note that cannot be read is no backup', () => {
  const state = stateWith({ a: MARCH });
  writeFileSync(state.lastBackup, '{');
  expect(backupCoverageWarning('test', state)).toMatch(/^no backup of the master keys is known/);
});
