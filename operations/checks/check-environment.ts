import type { LoadedEnvironment } from '../../config/load';
import type { TlsEndpoint } from '../../config/operation-inputs';
import { catalogue, isDisruptive, undisturbing } from './catalogue';
import type { Check } from './check';
import { withContext } from './context';
import { type LeftOut, makeReport, type Report } from './report/model';
import { bind, runAll, type RunOptions } from './runner';

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
  const { checks = undisturbing, s3Endpoint, ...running } = options;
  // whoever names the checks knows what they leave out
  const leftOut = options.checks === undefined ? disruptive : [];
  const startedAt = new Date();
  return withContext(loaded, { signal: options.signal, s3Endpoint }, async (context) => {
    const results = await runAll(
      checks.map((check) => bind(check, context)),
      running,
    );
    const run = { environment: loaded.environment.name, endpoint: context.s3Endpoint.url };
    return makeReport({ ...run, startedAt, finishedAt: new Date() }, results, leftOut);
  });
}

const disruptive: readonly LeftOut[] = catalogue
  .filter(isDisruptive)
  .map(({ id, title }) => ({ id, title, reason: 'it interrupts service, so it runs only with --disruptive' }));
