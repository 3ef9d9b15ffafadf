import path from 'node:path';
import { parseEnvironment } from '../../../config/load';
import { stateLayout } from '../../../config/state/layout';
import { requireBackup } from '../../../operations/backup/before-upgrade';
import type { BundleHeader } from '../../../operations/backup/bundle/bundle';
import { noteBackup } from '../../../operations/backup/last-backup';
import { ExternalError, UsageError } from '../../../operations/lib/errors';
import { writeCanaries } from '../../../operations/state/notes/canaries';
import { useTemporaryFolder } from '../../helpers/temporary-folder';

const folder = useTemporaryFolder();
const NOW = new Date('2026-02-02T12:00:00.000Z');
const HINT =
  'make one: ./scripts/backup demo --to FILE --recipient age1…; or say in schedule.backup where each upgrade puts its own; ' +
  'or go on without: ./scripts/up demo --without-backup. Nothing was deployed';

/** A deployment with keys made on the first of January, and a backup of some time. */
function deployed(
  keys: readonly string[],
  backup?: { readonly createdAt: string; readonly keys: string[] },
  more = '',
) {
  const state = stateLayout('demo', folder());
  const canary = {
    bornAt: '2026-01-01T00:00:00.000Z',
    origin: 'created' as const,
    ciphertext: 'AAAA',
    plaintextSha256: '0'.repeat(64),
  };
  writeCanaries(state.canaries, Object.fromEntries(keys.map((key) => [key, canary])));
  if (backup !== undefined) {
    const header = { createdAt: backup.createdAt, masterKeys: backup.keys } as BundleHeader;
    noteBackup(state, header, { destination: '/backups/a.age', sha256: '0'.repeat(64) });
  }
  return { environment: parseEnvironment(`name: demo\n${more}`, 'demo.yaml'), file: '', argument: 'demo', state };
}

test('where there is no master key there is nothing to save', async () => {
  expect(await requireBackup(deployed([]), NOW)).toBeUndefined();
});

test('a backup of the last day with every key will do', async () => {
  const loaded = deployed(['a', 'b'], { createdAt: '2026-02-01T12:00:01.000Z', keys: ['a', 'b'] });
  expect(await requireBackup(loaded, NOW)).toBe('/backups/a.age of 2026-02-01T12:00:01.000Z');
});

test.each([
  ['none', undefined, 'none'],
  ['an older one', { createdAt: '2026-02-01T12:00:00.000Z', keys: ['a', 'b'] }, 'one of 2026-02-01T12:00:00.000Z'],
  ['one that lacks a key', { createdAt: '2026-02-02T11:00:00.000Z', keys: ['a'] }, 'one of 2026-02-02T11:00:00.000Z'],
])('with %s the upgrade is refused', async (_, backup, found) => {
  await expect(requireBackup(deployed(['a', 'b'], backup), NOW)).rejects.toEqual(
    new UsageError(`an upgrade needs a backup of the last 24 hours with every master key, found: ${found}`, HINT),
  );
});

test('a backup that cannot be made names the cause and the way without it', async () => {
  const nowhere = path.join(folder(), 'nowhere');
  const settings = `schedule: { backup: { to: ${nowhere}, recipients: [/nonexistent] } }`;
  await expect(requireBackup(deployed(['a'], undefined, settings), NOW)).rejects.toEqual(
    new ExternalError(
      'the backup before the upgrade failed: --recipient: must be an age recipient (age1…) or a file of them, got: /nonexistent',
      'go on without: ./scripts/up demo --without-backup. Nothing was deployed',
    ),
  );
});

test('where none can be made, as of half an upgrade, a recent one will do', async () => {
  const said = jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  const settings = `schedule: { backup: { to: ${path.join(folder(), 'nowhere')}, recipients: [/nonexistent] } }`;
  const recent = { createdAt: '2026-02-02T11:00:00.000Z', keys: ['a'] };
  expect(await requireBackup(deployed(['a'], recent, settings), NOW)).toBe(
    '/backups/a.age of 2026-02-02T11:00:00.000Z',
  );
  expect(said.mock.calls.join('')).toBe(
    'warning: the backup before the upgrade failed: --recipient: must be an age recipient (age1…) or a file of them, got: /nonexistent\n',
  );
  said.mockRestore();
});
