import type { TlsEndpoint } from '../../config/operation-inputs';
import { catalogue, triesHoles } from './catalogue';
import type { Check, Expectations, OutsideCheck } from './check';
import { type LeftOut, makeReport, type Report } from './report/model';
import { bindOutside, runAll, type RunOptions } from './runner';
import { withS3Run } from './objects/s3-run';

/** An S3 endpoint that this toolkit need not have deployed, and what the caller says about it. */
export interface EndpointToCheck extends Pick<RunOptions, 'signal' | 'onResult'> {
  readonly endpoint: TlsEndpoint;
  readonly region: string;
  readonly expected: Expectations;
  /** @default - the whole catalogue, without what cannot be seen from outside */
  readonly checks?: readonly Check[];
  /** Whether it also gets requests that it must refuse. @default false */
  readonly tryKnownHoles?: boolean;
}

/**
 * Runs against any endpoint what can be seen from outside, with the credentials of the usual chain of the AWS SDK.
 *
 * @throws ExternalError if there is nothing that could be checked
 */
export async function checkEndpoint({ endpoint, region, expected, ...options }: EndpointToCheck): Promise<Report> {
  const { checks = catalogue, tryKnownHoles = false, ...running } = options;
  const isRun = (check: Check): check is OutsideCheck =>
    check.from === 'outside' && (tryKnownHoles || !triesHoles(check));
  const outside = checks.filter(isRun);
  const leftOut = checks.flatMap((check): LeftOut[] => {
    const { id, title, from } = check;
    return isRun(check) ? [] : [{ id, title, reason: from === 'outside' ? ONLY_IF_ASKED : FROM_INSIDE }];
  });
  const target = {
    ...{ endpoint, region, expected },
    credentialsName: credentialsName(process.env),
    declaredBuckets: [],
    needsTrust: true,
    hints: {
      noAnswer: 'is the address right, and the server up?',
      credentials: 'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, to credentials of this server',
    },
  };
  const startedAt = new Date();
  return withS3Run(target, running.signal, async ({ firstBucket, watchdog: _, ...run }) => {
    const context = {
      ...run,
      get bucket() {
        return firstBucket();
      },
    };
    const results = await runAll(
      outside.map((check) => bindOutside(check, context)),
      running,
    );
    return makeReport({ endpoint: endpoint.url, startedAt, finishedAt: new Date() }, results, leftOut);
  });
}

const FROM_INSIDE = 'it looks at the deployment itself, which from outside it cannot';

const ONLY_IF_ASKED = 'it sends what the server must refuse, so it runs only with --try-known-holes';

/** How messages call the credentials; the access key is an identifier, no secret. */
function credentialsName({ AWS_ACCESS_KEY_ID, AWS_PROFILE }: NodeJS.ProcessEnv): string {
  if (AWS_ACCESS_KEY_ID !== undefined) return `the access key ${AWS_ACCESS_KEY_ID} (AWS_ACCESS_KEY_ID)`;
  return `the credentials of the profile ${AWS_PROFILE ?? 'default'}`;
}
