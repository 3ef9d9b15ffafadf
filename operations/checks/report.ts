/** What a run of the checks leaves behind: a report for programs, and a line for people. */
import { readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { writeFileAtomically } from '../files';
import { type EvidenceValue, SEVERITIES } from './check';
import { type CheckResult, STATUSES } from './runner';

/** How many reports of earlier runs are kept. */
const HISTORY = 20;

const evidenceValue: z.ZodType<EvidenceValue> = z.lazy(() =>
  z.union([z.string(), z.number(), z.boolean(), z.null(), z.array(evidenceValue), z.record(z.string(), evidenceValue)]),
);

const result = z.strictObject({
  id: z.string(),
  title: z.string(),
  proves: z.string(),
  doesNotProve: z.string(),
  severity: z.enum(SEVERITIES),
  status: z.enum(STATUSES),
  durationMs: z.number(),
  message: z.string().optional(),
  fix: z.string().optional(),
  evidence: z.record(z.string(), evidenceValue).optional(),
});

/** The report as it is written. Its version changes when a program that reads it would have to. */
export const reportSchema = z.strictObject({
  version: z.literal(1),
  environment: z.string(),
  endpoint: z.string(),
  startedAt: z.iso.datetime(),
  finishedAt: z.iso.datetime(),
  durationMs: z.number(),
  /** `failed` if any check failed; otherwise `could-not-check` if any could not; skipped ones do not count. */
  outcome: z.enum(['passed', 'failed', 'could-not-check']),
  counts: z.record(z.enum(STATUSES), z.number()),
  results: z.array(result),
});
export type Report = z.infer<typeof reportSchema>;

/** A report of these results. */
export function makeReport(
  run: { readonly environment: string; readonly endpoint: string; readonly startedAt: Date; readonly finishedAt: Date },
  results: readonly CheckResult[],
): Report {
  const count = (status: CheckResult['status']): number => results.filter((one) => one.status === status).length;
  return reportSchema.parse({
    version: 1,
    environment: run.environment,
    endpoint: run.endpoint,
    startedAt: run.startedAt.toISOString(),
    finishedAt: run.finishedAt.toISOString(),
    durationMs: run.finishedAt.getTime() - run.startedAt.getTime(),
    outcome: count('failed') > 0 ? 'failed' : count('could-not-check') > 0 ? 'could-not-check' : 'passed',
    counts: Object.fromEntries(STATUSES.map((status) => [status, count(status)])),
    results,
  });
}

/**
 * Writes `checks.json`, and the same under the time of the run beside the last 20 of them.
 *
 * @returns path of `checks.json`
 */
export function writeReport(folder: string, report: Report): string {
  const text = `${JSON.stringify(report, null, 2)}\n`;
  const latest = path.join(folder, 'checks.json');
  writeFileAtomically(path.join(folder, `checks-${report.startedAt.replaceAll(':', '-')}.json`), text, 0o644);
  writeFileAtomically(latest, text, 0o644);
  const history = readdirSync(folder).filter((file) => /^checks-\d{4}-.*Z\.json$/.test(file));
  for (const old of history.sort().slice(0, -HISTORY)) rmSync(path.join(folder, old), { force: true });
  return latest;
}

const SYMBOLS = { passed: '✔', failed: '✘', skipped: '–', 'could-not-check': '?' } as const;

/** A result for people: one line, and another with what to do. */
export function describeResult({ status, id, title, durationMs, message, fix }: CheckResult): string {
  const head = `${SYMBOLS[status]} ${id}`;
  switch (status) {
    case 'passed':
      return `${head}  ${title} (${(durationMs / 1000).toFixed(1)} s)`;
    case 'skipped':
      return `${head}  skipped: ${message ?? ''}`;
    case 'could-not-check':
      return `${head}: could not check: ${message ?? ''}`;
    case 'failed':
      return `${head}: ${message ?? ''}${fix === undefined ? '' : `\n  fix: ${fix}`}`;
  }
}

/** The counts of a report in words. */
export function describeCounts({ counts }: Report): string {
  const words = [
    `${counts.passed} passed`,
    `${counts.failed} failed`,
    ...(counts['could-not-check'] > 0 ? [`${counts['could-not-check']} could not be checked`] : []),
    ...(counts.skipped > 0 ? [`${counts.skipped} skipped`] : []),
  ];
  return words.join(', ');
}
