import Ajv from 'ajv/dist/2020';
import { makeReport, reportSchema, subjectOf } from '../../../../operations/checks/report/model';
import { reportJsonSchema } from '../../../../scripts/lib/pages/json-schemas';
import { failedReport, outsideReport, passedReport } from '../../../helpers/reports';
import { BROKEN, reportOf, resultOf } from './samples';

test('a report says everything that a program needs', () => {
  const { results, ...rest } = reportOf(resultOf('passed'), BROKEN, resultOf('skipped', { message: 'why' }));
  expect(rest).toEqual({
    version: 2,
    tool: { name: 'encrypted-backup-storage', version: expect.stringMatching(/^\d+\.\d+\.\d+/) as string },
    environment: 'test',
    endpoint: 'https://127.0.0.1:9000',
    startedAt: '2026-01-02T03:04:05.678Z',
    finishedAt: '2026-01-02T03:04:07.000Z',
    durationMs: 1322,
    outcome: 'failed',
    counts: { passed: 1, failed: 1, accepted: 0, skipped: 1, 'could-not-check': 0 },
    leftOut: [],
  });
  expect(results[1]).toEqual(BROKEN);
});

test('an endpoint that was checked from outside has no environment, and a list of what was left out', () => {
  const now = new Date();
  const leftOut = [{ id: 'is-inside', title: 'a title', reason: 'it needs the drive' }];
  const report = makeReport({ endpoint: 'https://s3.example.org', startedAt: now, finishedAt: now }, [], leftOut);
  expect(report).not.toHaveProperty('environment');
  expect(report).toMatchObject({ endpoint: 'https://s3.example.org', outcome: 'passed', leftOut });
  expect(subjectOf(report)).toBe('s3.example.org');
});

test.each([
  [['passed', 'skipped'], 'passed'],
  [['passed', 'accepted'], 'passed'],
  [['accepted', 'could-not-check'], 'could-not-check'],
  [['accepted', 'failed'], 'failed'],
  [['passed', 'could-not-check'], 'could-not-check'],
  [['failed', 'could-not-check'], 'failed'],
] as const)('of %j the outcome is %s', (statuses, outcome) => {
  expect(reportOf(...statuses.map((status) => resultOf(status))).outcome).toBe(outcome);
});

describe('the published JSON Schema', () => {
  const validate = new Ajv({ strict: true, formats: { 'date-time': true } }).compile(reportJsonSchema());
  const asWritten = (report: unknown): unknown => JSON.parse(JSON.stringify(report));

  test.each([
    ['passed', passedReport],
    ['failed', failedReport],
    ['outside', outsideReport],
  ])('accepts a report: %s', (_, report) => {
    validate(asWritten(report()));
    expect(validate.errors).toBeNull();
  });

  test.each([
    ['another version', { version: 1 }],
    ['no counts', { counts: undefined }],
    ['a status that does not exist', { results: [{ ...BROKEN, status: 'fine' }] }],
    ['a fact that is not declared', { token: 'x' }],
    ['no list of what was left out', { leftOut: undefined }],
  ])('refuses what reportSchema refuses: %s', (_, change) => {
    const wrong = asWritten({ ...passedReport(), ...change });
    expect(validate(wrong)).toBe(false);
    expect(reportSchema.safeParse(wrong).success).toBe(false);
  });
});
