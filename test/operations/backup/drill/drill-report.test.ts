import { mkdirSync } from 'node:fs';
import { stateLayout } from '../../../../config/state/layout';
import type { BundleHeader } from '../../../../operations/backup/bundle/bundle';
import {
  type DrillReport,
  drillJunit,
  drillText,
  type RecoveryPoint,
  recoveryPointOf,
} from '../../../../operations/backup/drill/drill-report';
import { noteBackup } from '../../../../operations/backup/last-backup';
import { writeCanaries } from '../../../../operations/state/notes/canaries';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';

const folder = useTemporaryFolder();

const reportWith = (recoveryPoint: RecoveryPoint): DrillReport => ({
  version: 1,
  environment: 'demo',
  copy: 'demo-drill',
  startedAt: '2026-02-04T00:00:00.000Z',
  finishedAt: '2026-02-04T00:05:00.000Z',
  outcome: 'passed',
  steps: [{ name: 'Open every object', seconds: 1 }],
  objects: 42,
  objectsSame: 42,
  backupBytes: 1000,
  firstObjectSeconds: 60,
  recoveryPoint,
});

test('a drill knows how old the newest backup of the environment is, and what is not in it', () => {
  // GIVEN a master key before the backup and one after it
  const state = stateLayout('demo', folder());
  mkdirSync(state.root, { recursive: true });
  const canary = { origin: 'created', ciphertext: 'AAAA', plaintextSha256: '0'.repeat(64) } as const;
  writeCanaries(state.canaries, {
    old: { ...canary, bornAt: '2026-01-01T00:00:00.000Z' },
    young: { ...canary, bornAt: '2026-02-03T00:00:00.000Z' },
  });
  const now = new Date('2026-02-04T00:00:00.000Z');
  expect(recoveryPointOf(state, now)).toEqual({ masterKeys: 2, notInBackup: ['old', 'young'] });

  // WHEN
  const header = { createdAt: '2026-02-01T00:00:00.000Z', masterKeys: ['old'] } as BundleHeader;
  noteBackup(state, header, { destination: '/backups/a.age', sha256: '0'.repeat(64) });

  // THEN
  expect(recoveryPointOf(state, now)).toEqual({
    masterKeys: 2,
    newestBackup: { createdAt: '2026-02-01T00:00:00.000Z', ageSeconds: 3 * 24 * 3600 },
    notInBackup: ['young'],
  });
});

const newestBackup = { createdAt: '2026-02-01T00:00:00.000Z', ageSeconds: 3 * 24 * 3600 };
const YOUNG = { ...newestBackup, ageSeconds: 90 * 60 };

test.each<[string, RecoveryPoint, string]>([
  ['is not deployed', { masterKeys: 0, notInBackup: [] }, 'nothing, it has no master keys'],
  [
    'was never backed up',
    { masterKeys: 2, notInBackup: ['a', 'b'] },
    'everything, no backup of its 2 master keys is known',
  ],
  [
    'has a master key that is not in its backup',
    { masterKeys: 2, newestBackup, notInBackup: ['b'] },
    'everything under b, not in the newest backup (2026-02-01T00:00:00.000Z, 3 days old)',
  ],
  [
    'is backed up',
    { masterKeys: 1, newestBackup: YOUNG, notInBackup: [] },
    'no object, the newest backup (2026-02-01T00:00:00.000Z, 1 h old) holds its master key',
  ],
])('what would have been lost of an environment that %s', (_, recoveryPoint, lost) => {
  const report = reportWith(recoveryPoint);
  expect(drillText(report)).toContain(
    `now, of demo itself, with its key store and state folder:\n                          ${lost}\n`,
  );
  expect(drillJunit(report)).toContain(`<property name="would have been lost" value="${lost}"/>`);
});

test('the report counts the objects that were compared', () => {
  const report = { ...reportWith({ masterKeys: 0, notInBackup: [] }), objectsSame: 41 };
  expect(drillText(report)).toContain('42 written before the disaster, 41 read after it and the same');
  expect(drillJunit(report)).toContain('<property name="objects read again and the same" value="41"/>');
});
