import { makeReport, type Report } from '../../../../operations/checks/report/model';
import type { CheckResult, CheckStatus } from '../../../../operations/checks/runner';

export function resultOf(status: CheckStatus, more: Partial<CheckResult> = {}): CheckResult {
  const about = { title: 'a title', proves: 'something', doesNotProve: 'all', severity: 'high' } as const;
  return { id: `is-${status}`, ...about, status, durationMs: 1234, ...more };
}

export const BROKEN = resultOf('failed', {
  message: 'it is broken',
  fix: 'mend it',
  evidence: { seen: ['a', { b: null }] },
});

export function reportOf(...results: CheckResult[]): Report {
  const startedAt = new Date('2026-01-02T03:04:05.678Z');
  const finishedAt = new Date('2026-01-02T03:04:07.000Z');
  return makeReport({ environment: 'test', endpoint: 'https://127.0.0.1:9000', startedAt, finishedAt }, results);
}
