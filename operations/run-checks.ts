import { loadEnvironment } from '../config/load';
import type { TlsEndpoint } from '../config/operation-inputs';
import { s3Endpoint } from '../config/s3-endpoint';
import { checkEnvironment } from './checks/check-environment';
import type { Report } from './checks/report/model';
import { describeCounts, describeResult } from './checks/report/text';
import { type ReportFiles, writeReport } from './checks/report/write';
import { leaveObjects } from './earlier-objects';
import { ExternalError, messageOf } from './errors';
import { HttpClient, NO_CONNECTION } from './http';
import { NotYet, waitFor } from './wait';

/** Runs the post-deploy checks of `EBS_ENVIRONMENT`, writes their report and fails when one of them did not pass. */
export async function runChecks(): Promise<void> {
  const loaded = loadEnvironment();
  await waitForMinio(s3Endpoint(loaded.environment, loaded.state));
  const report = await untilInterrupted((signal) =>
    checkEnvironment(loaded, {
      signal,
      onResult: (result) => process.stderr.write(`${describeResult(result)}\n`),
    }),
  );
  const files = writeReport(loaded.state.reports, report);
  if (report.outcome !== 'passed') throw failureOf(loaded.environment.name, report, files);
  await leaveObjects(loaded);
}

/**
 * Gives MinIO time where it had none to come back: after a reboot, or while KES was away, Docker waits up to a minute
 * before it starts it again. If it does not come within two minutes, this is printed, and the checks say why.
 */
export async function waitForMinio(endpoint: TlsEndpoint): Promise<void> {
  const http = new HttpClient(endpoint);
  try {
    await waitFor({ what: 'MinIO to be ready', timeoutMs: 120_000 }, async () => {
      const { status } = await http.send({ method: 'GET', path: '/minio/health/cluster' }).catch(unlessAway);
      return status === 503 ? new NotYet('HTTP 503') : true;
    });
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n`);
  } finally {
    http.close();
  }
}

/** Whoever answers is no longer waited for, also if nobody can trust it. */
function unlessAway(error: unknown): { readonly status: number } {
  const { code } = (error as { cause: NodeJS.ErrnoException }).cause;
  if (NO_CONNECTION.includes(code)) throw error;
  return { status: 0 };
}

/** Everything that did not pass, in one error: Terraform shows the end of what an operation prints. */
function failureOf(environment: string, report: Report, { html }: ReportFiles): ExternalError {
  const lines = report.results
    .filter(({ status }) => status === 'failed' || status === 'could-not-check')
    .map(({ id, status, message = '' }) => `  ${id}: ${status === 'failed' ? '' : 'could not check: '}${message}`);
  const fixes = new Set(report.results.flatMap(({ status, fix }) => (status === 'failed' && fix ? [fix] : [])));
  return new ExternalError(
    [`the deployment did not pass its checks (${describeCounts(report)}):`, ...lines].join('\n'),
    [...fixes, `the whole report: ${html}; again: ./scripts/check ${environment}`].join('\n      '),
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
