import type { LoadedEnvironment } from '../state/load';
import type { TlsEndpoint } from '../../config/operation-inputs';
import { catalogue, isDisruptive, nonDisruptive } from './catalogue';
import type { Check, ServiceContext } from './check';
import { withContext, withServices } from './context';
import { type LeftOut, makeReport, type Report } from './report/model';
import { bindWithout, isFirst, type RootCause, runFirst } from './outage/root-cause';
import { bind, type CheckResult, runAll, type RunOptions } from './runner';

export interface CheckEnvironmentOptions extends Pick<RunOptions, 'signal' | 'onResult'> {
  /** @default - every check that interrupts nothing */
  readonly checks?: readonly Check[];
  /** Where the S3 API is looked at. @default - where the environment publishes it */
  readonly s3Endpoint?: TlsEndpoint;
}

/**
 * Runs checks against a deployed environment.
 *
 * @throws ExternalError if there is nothing that could be checked
 */
export async function checkEnvironment(
  loaded: LoadedEnvironment,
  options: CheckEnvironmentOptions = {},
): Promise<Report> {
  const { checks = nonDisruptive, s3Endpoint, ...running } = options;
  // a caller that names the checks knows what they leave out
  const leftOut = options.checks === undefined ? disruptive : [];
  const startedAt = new Date();
  return withServices(loaded, s3Endpoint, async (services) => {
    const wanted = new Set(checks.map(({ id }) => id));
    const first = await runFirst(catalogue.filter(isFirst), services, wanted, running);
    const rest = checks.filter((check) => !isFirst(check));
    const results = [...first.results, ...(await runRest(rest, services, first.cause, running))];
    const run = { environment: loaded.environment.name, endpoint: services.s3Endpoint.url };
    return makeReport({ ...run, startedAt, finishedAt: new Date() }, results, leftOut);
  });
}

async function runRest(
  checks: readonly Check[],
  services: ServiceContext,
  cause: RootCause | undefined,
  running: Pick<RunOptions, 'signal' | 'onResult'>,
): Promise<CheckResult[]> {
  if (checks.length === 0) return [];
  if (cause !== undefined)
    return runAll(
      checks.map((check) => bindWithout(check, services, cause)),
      running,
    );
  return withContext(services, running.signal, async (context) =>
    runAll(
      checks.map((check) => bind(check, context)),
      running,
    ),
  );
}

const disruptive: readonly LeftOut[] = catalogue
  .filter(isDisruptive)
  .map(({ id, title }) => ({ id, title, reason: 'it interrupts service, so it runs only with --disruptive' }));
