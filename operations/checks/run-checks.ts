import type { OperationInput } from '../../config/operation-inputs';
import { keepEnvironment, loadEnvironment } from '../state/load';
import type { ServiceContext } from './check';
import { checkEnvironment } from './check-environment';
import { withServices } from './context';
import type { Report } from './report/model';
import { describeCounts, describeResult } from './report/text';
import type { ReportFiles } from './report/write';
import { keepReport } from '../evidence/keep-report';
import { leaveObjects } from '../minio/objects/earlier-objects';
import { ExternalError, messageOf } from '../lib/errors';
import { NO_CONNECTION } from '../lib/net/http';
import { NotYet, waitFor } from '../lib/wait';
import { leaveMetrics } from '../monitoring/textfile';

/** Runs the post-deploy checks, writes their report and fails when one of them did not pass. */
export async function runChecks({ environment }: OperationInput<'run-checks'> = {}): Promise<void> {
  const loaded = environment === undefined ? loadEnvironment() : keepEnvironment(environment);
  await withServices(loaded, undefined, waitForServices);
  const report = await untilInterrupted((signal) =>
    checkEnvironment(loaded, {
      signal,
      onResult: (result) => process.stderr.write(`${describeResult(result)}\n`),
    }),
  );
  const files = await keepReport(loaded, report);
  leaveMetrics(loaded);
  if (report.outcome !== 'passed') throw failureOf(loaded.argument, report, files);
  await leaveObjects(loaded);
}

/** Docker waits up to a minute before it starts again what ended again and again. */
const RETURN_LIMIT_MS = 120_000;

/**
 * Gives KES and MinIO time where they had none to come back. KES looks at its key store every 10 s, and until then it
 * says of a Vault that was just unsealed that it does not reach it; MinIO ends while KES is away, and Docker starts it
 * again later and later. If one does not come within two minutes, this is printed, and the checks say why.
 */
export async function waitForServices({ kes, minio }: Pick<ServiceContext, 'kes' | 'minio'>): Promise<void> {
  try {
    await waitFor({ what: 'KES to reach its key store', timeoutMs: RETURN_LIMIT_MS }, async () =>
      (await kes.ready().catch(unlessAway)) === false ? new NotYet('KES answers, and does not reach it') : true,
    );
    await waitFor({ what: 'MinIO to be ready', timeoutMs: RETURN_LIMIT_MS }, async () => {
      const answer = await minio.send({ method: 'GET', path: '/minio/health/cluster' }).catch(unlessAway);
      return answer?.status === 503 ? new NotYet('HTTP 503') : true;
    });
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n`);
  }
}

/** A service that answers is no longer waited for, also if its certificate is not trusted. */
function unlessAway(error: unknown): undefined {
  const { cause } = error as { cause?: NodeJS.ErrnoException };
  if (cause !== undefined && NO_CONNECTION.includes(cause.code)) throw error;
}

/** Everything that did not pass, in one error: Terraform shows the end of what an operation prints. */
function failureOf(argument: string, report: Report, { html }: ReportFiles): ExternalError {
  const lines = report.results
    .filter(({ status }) => status === 'failed' || status === 'could-not-check')
    .map(({ id, status, message = '' }) => `  ${id}: ${status === 'failed' ? '' : 'could not check: '}${message}`);
  const fixes = new Set(report.results.flatMap(({ status, fix }) => (status === 'failed' && fix ? [fix] : [])));
  return new ExternalError(
    [`the deployment did not pass its checks (${describeCounts(report)}):`, ...lines].join('\n'),
    [...fixes, `the whole report: ${html}; again: ./scripts/check ${argument}`].join('\n      '),
  );
}

/** Gives `action` a signal that SIGINT, SIGTERM and SIGHUP abort, so that it can take back what it began. */
async function untilInterrupted<T>(action: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const interruption = new AbortController();
  const interrupt = (name: NodeJS.Signals): void => {
    interruption.abort(new ExternalError(`the checks were interrupted by ${name}`));
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const name of signals) process.on(name, interrupt);
  try {
    return await action(interruption.signal);
  } finally {
    for (const name of signals) process.off(name, interrupt);
  }
}
