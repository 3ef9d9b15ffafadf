import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import {
  describeCounts,
  describeResult,
  makeReport,
  reportSchema,
  writeReport,
} from '../../../operations/checks/report';
import type { CheckResult, CheckStatus } from '../../../operations/checks/runner';
import { useTemporaryFolder } from '../../helpers/temporary-folder';

const folder = useTemporaryFolder();

function result(status: CheckStatus, more: Partial<CheckResult> = {}): CheckResult {
  const about = { title: 'a title', proves: 'something', doesNotProve: 'all', severity: 'high' } as const;
  return { id: `is-${status}`, ...about, status, durationMs: 1234, ...more };
}

function report(...results: CheckResult[]) {
  const startedAt = new Date('2026-01-02T03:04:05.678Z');
  const finishedAt = new Date('2026-01-02T03:04:07.000Z');
  return makeReport({ environment: 'test', endpoint: 'https://127.0.0.1:9000', startedAt, finishedAt }, results);
}

const BROKEN = result('failed', { message: 'it is broken', fix: 'mend it', evidence: { seen: ['a', { b: null }] } });

test('a report says everything that a program needs', () => {
  const { results, ...rest } = report(result('passed'), BROKEN, result('skipped', { message: 'why' }));
  expect(rest).toEqual({
    version: 1,
    environment: 'test',
    endpoint: 'https://127.0.0.1:9000',
    startedAt: '2026-01-02T03:04:05.678Z',
    finishedAt: '2026-01-02T03:04:07.000Z',
    durationMs: 1322,
    outcome: 'failed',
    counts: { passed: 1, failed: 1, skipped: 1, 'could-not-check': 0 },
  });
  expect(results[1]).toEqual(BROKEN);
});

test.each([
  [['passed', 'skipped'], 'passed'],
  [['passed', 'could-not-check'], 'could-not-check'],
  [['failed', 'could-not-check'], 'failed'],
] as const)('of %j the outcome is %s', (statuses, outcome) => {
  expect(report(...statuses.map((status) => result(status))).outcome).toBe(outcome);
});

test('the last 20 runs are kept, and nothing else in the folder is touched', () => {
  const days = Array.from({ length: 25 }, (_, day) => `2025-01-${String(day + 1).padStart(2, '0')}`);
  for (const day of days) writeFileSync(path.join(folder(), `checks-${day}T00-00-00.000Z.json`), '{}');
  writeFileSync(path.join(folder(), 'checks-mine.json'), '{}');
  const latest = writeReport(folder(), report(result('passed')));
  const files = readdirSync(folder());
  const history = files.filter((file) => file.endsWith('Z.json')).sort();
  expect(history).toHaveLength(20);
  expect(history[0]).toBe('checks-2025-01-07T00-00-00.000Z.json');
  expect(history.at(-1)).toBe('checks-2026-01-02T03-04-05.678Z.json');
  expect(files).toContain('checks-mine.json');
  expect(latest).toBe(path.join(folder(), 'checks.json'));
  const text = readFileSync(latest, 'utf8');
  expect(reportSchema.parse(JSON.parse(text)).outcome).toBe('passed');
  expect(readFileSync(path.join(folder(), history.at(-1) ?? ''), 'utf8')).toBe(text);
});

test('for people, each result is a line, and a failure says what to do', () => {
  const all = [
    result('passed'),
    BROKEN,
    result('skipped', { message: 'it means nothing here' }),
    result('could-not-check', { message: 'connect ECONNREFUSED' }),
  ];
  expect(all.map(describeResult)).toEqual([
    '✔ is-passed  a title (1.2 s)',
    '✘ is-failed: it is broken\n  fix: mend it',
    '– is-skipped  skipped: it means nothing here',
    '? is-could-not-check: could not check: connect ECONNREFUSED',
  ]);
  expect(describeCounts(report(...all))).toBe('1 passed, 1 failed, 1 could not be checked, 1 skipped');
  expect(describeCounts(report(result('passed')))).toBe('1 passed, 0 failed');
});
