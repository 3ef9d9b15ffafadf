/** The report of a run of the checks: what every format of it is made from, and as which it is written as JSON. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { projectRoot } from '../../lib/project-root';
import { type EvidenceValue, SEVERITIES } from '../check';
import { type CheckResult, STATUSES } from '../runner';
import { withoutSecrets } from './secrets';

const evidenceValue: z.ZodType<EvidenceValue> = z
  .lazy(() =>
    z.union([
      z.string(),
      z.number(),
      z.boolean(),
      z.null(),
      z.array(evidenceValue),
      z.record(z.string(), evidenceValue),
    ]),
  )
  .meta({ id: 'evidence' });

const id = z.string().describe('Stable id of the check.');
const title = z.string().describe('What is true of a healthy deployment.');
const count = z.int().nonnegative();
const durationMs = count.describe('Milliseconds.');

const result = z.strictObject({
  id,
  title,
  proves: z.string().describe('What is certain when the check passed.'),
  doesNotProve: z.string().describe('What a reader might take for certain although it is not.'),
  severity: z
    .enum(SEVERITIES)
    .describe(
      'What a failure means. critical: stored data may be readable by others, or lost; ' +
        'high: encryption does not work as declared; medium: everything is encrypted, but not everything that was ' +
        'promised works.',
    ),
  status: z
    .enum(STATUSES)
    .describe(
      'passed: it is as it should be; failed: it is not; accepted: it is not, and the environment file says that it may be; skipped: the check means nothing here, or follows from another that failed; could-not-check: ' +
        'something prevented the check.',
    ),
  durationMs,
  message: z.string().optional().describe('Why it did not pass.'),
  fix: z.string().optional().describe('What to do about it.'),
  evidence: z.record(z.string(), evidenceValue).optional().describe('What the check saw.'),
});
export type ReportedResult = z.infer<typeof result>;

/** The report as it is written. Its version changes when a program that reads it would have to. */
export const reportSchema = z.strictObject({
  version: z.literal(2).describe('Version of this format.'),
  tool: z.strictObject({ name: z.string(), version: z.string() }).describe('What ran the checks.'),
  environment: z
    .string()
    .optional()
    .describe('Name of the environment; absent for an endpoint that was checked from outside.'),
  endpoint: z.string().describe('URL of the S3 API.'),
  startedAt: z.iso.datetime(),
  finishedAt: z.iso.datetime(),
  durationMs,
  outcome: z
    .enum(['passed', 'failed', 'could-not-check'])
    .describe(
      'failed if any check failed; else could-not-check if any could not; accepted and skipped ones do not count.',
    ),
  counts: z
    .strictObject({ passed: count, failed: count, accepted: count, skipped: count, 'could-not-check': count })
    .describe('How many results have each status.'),
  results: z.array(result).describe('Every check that was run or skipped, in the order of the catalogue.'),
  leftOut: z
    .array(z.strictObject({ id, title, reason: z.string().describe('Why it was not run.') }))
    .describe('Checks that were not run: from where this ran they cannot be, or they were not asked for.'),
});
export type Report = z.infer<typeof reportSchema>;

/** A check that was not run. */
export type LeftOut = Report['leftOut'][number];

export interface Run {
  /** Default: none, for an endpoint that this project did not deploy. */
  readonly environment?: string;
  /** URL of the S3 API. */
  readonly endpoint: string;
  readonly startedAt: Date;
  readonly finishedAt: Date;
}

/** A report of these results, without anything in it that looks like a secret. */
export function makeReport(run: Run, results: readonly CheckResult[], leftOut: readonly LeftOut[] = []): Report {
  const counts = Object.fromEntries(
    STATUSES.map((status) => [status, results.filter((one) => one.status === status).length]),
  ) as Report['counts'];
  return reportSchema.parse({
    version: 2,
    tool: thisTool(),
    ...(run.environment === undefined ? {} : { environment: run.environment }),
    endpoint: withoutSecrets(run.endpoint),
    startedAt: run.startedAt.toISOString(),
    finishedAt: run.finishedAt.toISOString(),
    durationMs: run.finishedAt.getTime() - run.startedAt.getTime(),
    outcome: counts.failed > 0 ? 'failed' : counts['could-not-check'] > 0 ? 'could-not-check' : 'passed',
    counts,
    results: withoutSecrets(results),
    leftOut: withoutSecrets(leftOut),
  });
}

/** The report as a file. */
export function jsonOf(report: Report): string {
  return `${JSON.stringify(report, null, 2)}\n`;
}

/** What a report is about, in a word: an environment, or else where it was looked at. */
export function subjectOf({ environment, endpoint }: Report): string {
  return environment ?? new URL(endpoint).host;
}

function thisTool(): Report['tool'] {
  const file = path.join(projectRoot, 'package.json');
  return z.object({ name: z.string(), version: z.string() }).parse(JSON.parse(readFileSync(file, 'utf8')));
}
