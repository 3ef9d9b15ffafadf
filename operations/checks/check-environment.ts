import type { LoadedEnvironment } from '../../config/load';
import { catalogue } from './catalogue';
import type { Check } from './check';
import { withContext } from './context';
import { makeReport, type Report } from './report';
import { bind, runAll, type RunOptions } from './runner';

export interface CheckEnvironmentOptions extends Pick<RunOptions, 'signal' | 'onResult'> {
  /** @default - the whole catalogue */
  readonly checks?: readonly Check[];
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
  const { checks = catalogue, ...running } = options;
  const startedAt = new Date();
  return withContext(loaded, options.signal, async (context) => {
    const results = await runAll(
      checks.map((check) => bind(check, context)),
      running,
    );
    const run = { environment: loaded.environment.name, endpoint: context.s3Endpoint.url };
    return makeReport({ ...run, startedAt, finishedAt: new Date() }, results);
  });
}
