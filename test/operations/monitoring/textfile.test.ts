/** What is left for node_exporter. */
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { noteDrill } from '../../../operations/backup/drill/last-drill';
import { issueCertificates } from '../../../operations/certificates/issue-certificates';
import { noteRenewal } from '../../../operations/certificates/renewal';
import { certificateIssue } from '../../../config/state/certificate-files';
import { writeReport } from '../../../operations/checks/report/write';
import { leaveMetrics } from '../../../operations/monitoring/textfile';
import { noteAwayDrives } from '../../../operations/state/notes/away-drives';
import { writeCanaries } from '../../../operations/state/notes/canaries';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { loaded } from '../checks/fakes';
import { reportOf, resultOf } from '../checks/report/samples';

const folder = useTemporaryFolder();
const NOW = new Date('2026-01-03T00:00:00.000Z');

afterEach(() => jest.restoreAllMocks());

const deployment = (textfile: string) => {
  const root = path.join(folder(), 'state');
  mkdirSync(root, { recursive: true });
  return loaded(root, `name: test\nmonitoring: { textfile: ${textfile} }`);
};

/** The samples of what was written, without the label that all of them have. */
function written(textfile: string): Record<string, number> {
  const text = readFileSync(path.join(textfile, 'ebs-test.prom'), 'utf8');
  return Object.fromEntries(
    text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))])
      .map(([name, value]) => [
        String(name)
          .replace(/environment="test",?/, '')
          .replace('{}', ''),
        value,
      ]),
  ) as Record<string, number>;
}

test('of a new deployment it says that nothing is saved', () => {
  leaveMetrics(deployment(folder()), NOW);
  const said = written(folder());
  expect(said).toMatchObject({ ebs_keys_not_in_backup: 0, ebs_drives_unhealed: 0 });
  expect(said.ebs_textfile_timestamp_seconds).toBe(NOW.getTime() / 1000);
  expect(said).not.toHaveProperty('ebs_backup_timestamp_seconds');
});

test('it says what failed, what ends when, what is saved and what was rehearsed', async () => {
  jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  const environment = deployment(folder());
  const { state } = environment;
  await issueCertificates(certificateIssue(environment.environment, state));
  writeReport(state.reports, reportOf(resultOf('passed'), resultOf('failed'), resultOf('could-not-check')));
  const canary = { origin: 'created', ciphertext: 'sealed', plaintextSha256: '0'.repeat(64) } as const;
  const backup = { createdAt: '2026-01-01T00:00:00.000Z', destination: '/backup.age', sha256: 'f'.repeat(64) };
  writeCanaries(state.canaries, {
    saved: { ...canary, bornAt: '2025-12-31T00:00:00.000Z' },
    younger: { ...canary, bornAt: '2026-01-02T00:00:00.000Z' },
  });
  writeFileSync(state.lastBackup, JSON.stringify({ ...backup, masterKeys: ['saved', 'younger'] }));
  noteAwayDrives(state, ['/drives/2']);
  noteRenewal(state.minioMetricsNote, new Date('2026-03-01T00:00:00.000Z'), NOW, {
    expires: '2026-04-01T00:00:00.000Z',
  });
  noteDrill(state, {
    ...{ version: 1, environment: 'test', copy: 'test-drill', recoveryPoint: { masterKeys: 1, notInBackup: [] } },
    ...{ startedAt: '2026-01-02T00:00:00.000Z', finishedAt: '2026-01-02T00:01:00.000Z' },
    ...{ outcome: 'passed', steps: [], firstObjectSeconds: 12.5 },
  });

  leaveMetrics(environment, NOW);

  const said = written(folder());
  expect(said).toMatchObject({
    'ebs_check_failed{id="is-failed",status="failed",severity="high"}': 1,
    'ebs_check_failed{id="is-could-not-check",status="could-not-check",severity="high"}': 1,
    'ebs_checks{status="passed"}': 1,
    ebs_check_timestamp_seconds: Date.parse('2026-01-02T03:04:07.000Z') / 1000,
    'ebs_expiry_timestamp_seconds{kind="token",name="minio metrics"}': Date.parse('2026-04-01T00:00:00.000Z') / 1000,
    'ebs_expiry_life_seconds{kind="token",name="minio metrics"}': 3 * 31 * 86_400,
    ebs_backup_timestamp_seconds: Date.parse(backup.createdAt) / 1000,
    ebs_keys_not_in_backup: 1,
    ebs_drives_unhealed: 1,
    ebs_drill_passed: 1,
    ebs_drill_recovery_seconds: 12.5,
  });
  for (const name of ['vault-server', 'kes-server', 'minio-server', 'minio', 'monitoring']) {
    const life = said[`ebs_expiry_life_seconds{kind="certificate",name="${name}"}`] ?? 0;
    expect(Math.round(life / 86_400)).toBe(365);
  }
  expect(said).toHaveProperty('ebs_expiry_timestamp_seconds{kind="ca",name="ca"}');
});

test('everybody may read it, and nothing else is left in the folder', () => {
  const textfile = path.join(folder(), 'textfile');
  mkdirSync(textfile);
  leaveMetrics(deployment(textfile), NOW);
  leaveMetrics(deployment(textfile), NOW);
  expect(readdirSync(textfile)).toEqual(['ebs-test.prom']);
  expect(statSync(path.join(textfile, 'ebs-test.prom')).mode & 0o777).toBe(0o644);
});

test('a folder that is not there is a warning, and no failure: what was done is done', () => {
  const stderr = jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  leaveMetrics(deployment('/nonexistent/textfile'), NOW);
  expect(stderr.mock.calls.join('')).toMatch(
    /^warning: the metrics were not written: ENOENT: .*'\/nonexistent\/textfile'; monitoring\.textfile must be an existing folder that node_exporter reads\n$/,
  );
});
