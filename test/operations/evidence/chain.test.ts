/** What who has only the public key sees of reports that somebody changed afterwards. */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { stateLayout } from '../../../config/state/layout';
import { stateFiles } from '../../../operations/backup/contents';
import type { Report } from '../../../operations/checks/report/model';
import { makeReport } from '../../../operations/checks/report/model';
import { hashOf, headOf, headText, recordIn, signedLine } from '../../../operations/evidence/chain';
import { evidenceKey, keepReport, linesOf } from '../../../operations/evidence/keep-report';
import { isComplete, verificationText, verifyReports } from '../../../operations/evidence/verify';
import { newSigningKey } from '../../../operations/lib/ed25519';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { thrownBy } from '../../helpers/thrown';
import { loaded } from '../checks/fakes';
import { resultOf } from '../checks/report/samples';

const folder = useTemporaryFolder();
afterEach(() => jest.restoreAllMocks());

const deployment = (settings = 'name: test') => loaded(folder(), settings);
const state = () => stateLayout('test', folder());
const publicKey = (): string => evidenceKey(state(), true).publicKey;

/** The report of a run on a day of January 2026. */
function reportOn(day: number, status: 'passed' | 'failed' = 'passed', hour = 2): Report {
  const at = new Date(Date.UTC(2026, 0, day, hour));
  const run = { environment: 'test', endpoint: 'https://127.0.0.1:9000', startedAt: at, finishedAt: at };
  return makeReport(run, [resultOf('passed'), ...(status === 'failed' ? [resultOf('failed')] : [])]);
}

/** Five days of reports; on the third a check was red. */
async function fiveDays(): Promise<string[]> {
  for (const day of [1, 2, 3, 4, 5]) await keepReport(deployment(), reportOn(day, day === 3 ? 'failed' : 'passed'));
  return lines();
}

const lines = (): string[] => linesOf(readFileSync(state().evidence, 'utf8'));
const rewrite = (changed: readonly string[]): void => {
  writeFileSync(state().evidence, `${changed.join('\n')}\n`);
};
const verified = (options: { from?: string; to?: string; head?: string } = {}, key = publicKey()) =>
  verifyReports({ folder: state().reports, publicKey: key, ...options });
const nth = <T>(list: readonly T[], index: number): T => {
  const found = list[index];
  if (found === undefined) throw new Error(`there is no ${index}`);
  return found;
};

test('what nobody touched is genuine, and each day says what came of it', async () => {
  await fiveDays();
  const { problems, days, records } = verified();
  expect(problems).toEqual([]);
  expect(records).toBe(5);
  expect(days.map(({ date, outcome, red }) => [date, outcome, red.join()])).toEqual([
    ['2026-01-01', 'passed', ''],
    ['2026-01-02', 'passed', ''],
    ['2026-01-03', 'failed', 'is-failed'],
    ['2026-01-04', 'passed', ''],
    ['2026-01-05', 'passed', ''],
  ]);
  expect(statSync(state().secret.evidenceSigningKey).mode & 0o777).toBe(0o600);
  expect(readFileSync(state().evidence, 'utf8')).not.toContain('PRIVATE');
});

test('a day without a run is named, and a day is as bad as the worst of its runs', async () => {
  await keepReport(deployment(), reportOn(1));
  await keepReport(deployment(), reportOn(1, 'failed', 3));
  await keepReport(deployment(), reportOn(3));
  const result = verified({ to: '2026-01-04' });
  expect(result.days.map(({ outcome, reports }) => [outcome, reports])).toEqual([
    ['failed', 2],
    ['none', 0],
    ['passed', 1],
    ['none', 0],
  ]);
  expect(isComplete(result)).toBe(false);
  expect(verificationText(result)).toBe(`2026-01-01  FAILED (2 reports): is-failed
2026-01-02  NO REPORT
2026-01-03  passed
2026-01-04  NO REPORT

3 genuine record(s), 4 day(s): 1 passed, 1 failed, 0 could not check, 2 without a report
nothing was altered, removed or moved
head: ${headText(result.head ?? fail())}
Keep that line: with --head it shows later whether the end was cut off.
`);
});

describe('who has the folder and not the key', () => {
  test.each<[string, (all: readonly string[]) => readonly string[], readonly (string | RegExp)[]]>([
    [
      'turns a red day green',
      (all) => all.map((line) => line.replace('"outcome":"failed"', '"outcome":"passed"')),
      ['line 3, record 3: was altered, or signed with another key', 'line 4: record 3 is missing or not genuine'],
    ],
    [
      'takes a day away',
      (all) => all.filter((_, index) => index !== 2),
      ['line 3: record 3 is missing or not genuine'],
    ],
    ['takes the first days away', (all) => all.slice(2), ['line 1: records 1 to 2 are missing or not genuine']],
    [
      'changes the order',
      (all) => [nth(all, 0), nth(all, 2), nth(all, 1), nth(all, 3), nth(all, 4)],
      [
        'line 2: record 2 is missing or not genuine',
        'line 3: record 2 comes after record 3: the order was changed',
        'line 4: record 3 is missing or not genuine',
      ],
    ],
    [
      'puts a good day in the place of a bad one',
      (all) => [nth(all, 0), nth(all, 1), nth(all, 1), nth(all, 3), nth(all, 4)],
      ['line 3: record 2 comes after record 2: the order was changed', 'line 4: record 3 is missing or not genuine'],
    ],
    ['writes something else', (all) => [...all.slice(0, 4), 'all was well'], ['line 5 is no record: it was altered']],
    [
      'gives a record another number',
      (all) => all.filter((_, index) => index !== 2).map((line) => line.replace('"number":4', '"number":3')),
      [
        'line 3, record 3: was altered, or signed with another key',
        'line 4: records 3 to 4 are missing or not genuine',
      ],
    ],
  ])('%s: that is seen', async (_, attack, problems) => {
    rewrite(attack(await fiveDays()));
    const result = verified();
    expect(result.problems).toEqual(problems);
    expect(isComplete(result)).toBe(false);
    expect(verificationText(result)).toContain(`NOT GENUINE: ${String(problems[0])}`);
  });

  test('signs it all with a key of their own: nothing of it is believed', async () => {
    await fiveDays();
    const genuine = publicKey();
    const { key } = newSigningKey();
    let previous: string | null = null;
    const forged = lines().map((line) => {
      const { signature: __, ...content } = recordIn(line) ?? fail();
      const own = signedLine({ ...content, outcome: 'passed', red: [], previous }, key);
      previous = hashOf(own);
      return own;
    });
    rewrite(forged);
    const result = verified({ from: '2026-01-01', to: '2026-01-05' }, genuine);
    expect(result.problems).toHaveLength(5);
    expect(result.problems.every((problem) => problem.endsWith('was altered, or signed with another key'))).toBe(true);
    expect(result.days.map(({ outcome }) => outcome)).toEqual(['none', 'none', 'none', 'none', 'none']);
  });

  test('alters a report that was kept: its record tells', async () => {
    await fiveDays();
    const history = path.join(state().reports, 'history');
    const third = readdirSync(history).filter((file) => file.endsWith('.json'))[2] ?? '';
    const file = path.join(history, third);
    writeFileSync(file, readFileSync(file, 'utf8').replace('"failed"', '"passed"'));
    expect(verified().problems).toEqual(['line 3, record 3: the report of 2026-01-03T02:00:00.000Z was altered']);
  });

  test('cuts off the end: the days are without a report, and a head that was noted is missed', async () => {
    const all = await fiveDays();
    const head = headText(headOf(all) ?? fail());
    expect(verified({ head }).problems).toEqual([]);
    rewrite(all.slice(0, 3));
    expect(verified().problems).toEqual([]);
    expect(
      verified({ to: '2026-01-05' })
        .days.map(({ outcome }) => outcome)
        .slice(3),
    ).toEqual(['none', 'none']);
    expect(verified({ head }).problems).toEqual([
      'record 5, which was noted earlier, is not there any more: the end was cut off or replaced',
    ]);
  });
});

test('who has the key, too, and replaces the end is seen by a head that was noted', async () => {
  const all = await fiveDays();
  const head = headText(headOf(all) ?? fail());
  rewrite(all.slice(0, 2));
  for (const day of [3, 4, 5]) await keepReport(deployment(), reportOn(day));
  expect(verified().problems).toEqual([]);
  expect(verified({ head }).problems).toHaveLength(1);
});

test('a backup has the chain with its key and its reports: elsewhere it goes on, and all of it is genuine', async () => {
  await fiveDays();
  const { state: here } = deployment();
  for (const file of [here.deployment, here.canaries]) writeFileSync(file, '');
  mkdirSync(here.tls);
  const elsewhere = loaded(path.join(folder(), 'elsewhere'), 'name: test');
  for (const file of stateFiles(here)) cpSync(path.join(here.root, file), path.join(elsewhere.state.root, file));
  await keepReport(elsewhere, reportOn(6));
  const { records, problems, days } = verifyReports({ folder: elsewhere.state.reports, publicKey: publicKey() });
  expect(problems).toEqual([]);
  expect([records, days.length]).toEqual([6, 6]);
  expect(
    readdirSync(path.join(elsewhere.state.reports, 'history')).filter((file) => file.endsWith('.json')),
  ).toHaveLength(6);
});

test('reports that are no longer kept leave their records', async () => {
  const settings = 'name: test\nreports: { keep: 2 }';
  for (const day of [1, 2, 3, 4]) await keepReport(deployment(settings), reportOn(day));
  expect(readdirSync(path.join(state().reports, 'history')).filter((file) => file.endsWith('.json'))).toHaveLength(2);
  expect(verified()).toMatchObject({ problems: [], records: 4 });
});

describe('a warning and an unsigned report, rather than a new chain', () => {
  const warningOf = async (): Promise<string> => {
    const stderr = jest.spyOn(process.stderr, 'write').mockReturnValue(true);
    await keepReport(deployment(), reportOn(6));
    return stderr.mock.calls.join('');
  };
  const RECOVER =
    'put it back from a backup; or move reports/evidence.jsonl elsewhere, and a new chain begins with the next report';

  test('where the key is gone', async () => {
    await fiveDays();
    rmSync(state().secret.evidenceSigningKey);
    expect(await warningOf()).toBe(
      `warning: the report was not signed: the key that signed the reports before is gone: there is no ${state().secret.evidenceSigningKey}; ${RECOVER}\n`,
    );
    expect(lines()).toHaveLength(5);
  });

  test('where the last record is none', async () => {
    await fiveDays();
    rewrite([...lines(), 'half a rec']);
    expect(await warningOf()).toBe(
      `warning: the report was not signed: the last line of ${state().evidence} is no record; ${RECOVER}\n`,
    );
  });
});

test('two runs that end at once add two records', async () => {
  await Promise.all([1, 1, 1].map(async (day) => keepReport(deployment(), reportOn(day))));
  expect(verified()).toMatchObject({ problems: [], records: 3 });
});

test.each<[Partial<Parameters<typeof verifyReports>[0]>, string]>([
  [{ publicKey: 'ed25519:short' }, '--signer: must be ed25519: and 44 characters of base64, got: ed25519:short'],
  [{ from: 'yesterday' }, '--from: must be a day such as 2026-01-31, got: yesterday'],
  [{ to: '2026-13-01' }, '--to: must be a day such as 2026-01-31, got: 2026-13-01'],
  [{ head: '5' }, '--head: must be NUMBER:SHA256 as ./scripts/report verify printed it, got: 5'],
  [{ folder: '/nonexistent' }, 'there is no /nonexistent/evidence.jsonl'],
])('%j is refused', async (call, message) => {
  await fiveDays();
  const usual = { folder: state().reports, publicKey: publicKey() };
  expect(thrownBy(() => verifyReports({ ...usual, ...call })).message).toBe(message);
});

function fail(): never {
  throw new Error('there is no record');
}
