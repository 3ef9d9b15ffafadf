/** An S3 endpoint as one run of the checks uses it: clients, and buckets that disappear with the run. */
import { type S3Client, S3ServiceException } from '@aws-sdk/client-s3';
import type { TlsEndpoint } from '../../../config/operation-inputs';
import { ExternalError, messageOf } from '../../lib/errors';
import { HttpClient, type HttpResponse, NO_CONNECTION } from '../../lib/net/http';
import { readCredentials, s3Client } from '../../minio/s3-client';
import type { Expectations, OutsideContext } from '../check';
import { CleanupWatchdog } from '../outage/cleanup-watchdog';
import {
  createScratchBucket,
  deleteScratchBucket,
  leftoverBuckets,
  type ScratchBucketOptions,
  scratchBucketName,
} from './scratch-bucket';
import { MAKE_ROOM } from '../health/drive-space';

/** What is looked at, and what to say when it cannot be. */
export interface S3Target {
  readonly expected: Expectations;
  readonly endpoint: TlsEndpoint;
  readonly region: string;
  /** File with `{accessKey, secretKey}`. @default - the usual chain of the AWS SDK */
  readonly credentialsFile?: string;
  /** How people call the credentials. */
  readonly credentialsName: string;
  /** Buckets that are no leftovers, whatever they are called. */
  readonly declaredBuckets: readonly string[];
  /** Where the cleanup watchdog of the run finds the S3 API. @default - where the run finds it */
  readonly guardedEndpoint?: TlsEndpoint;
  /** Whether a certificate that cannot be verified ends the run. Otherwise there are checks that say so. */
  readonly needsTrust: boolean;
  readonly hints: { readonly noAnswer: string; readonly credentials: string };
}

/** An {@link OutsideContext} in which the first bucket must still be asked for, because asking may throw. */
export interface S3Run extends Omit<OutsideContext, 'bucket'> {
  readonly firstBucket: () => string;
  readonly watchdog: CleanupWatchdog;
}

/**
 * Calls `use` with what exists only as long as the call.
 *
 * @param signal ends every S3 request of the checks when it is aborted; the buckets are deleted all the same
 * @throws ExternalError if there is nothing that could be checked: not reachable, not let in
 */
export async function withS3Run<T>(
  target: S3Target,
  signal: AbortSignal | undefined,
  use: (run: S3Run) => Promise<T>,
): Promise<T> {
  const { endpoint, region, credentialsFile, expected } = target;
  const newClient = (): S3Client =>
    s3Client({
      endpoint,
      region,
      ...(credentialsFile === undefined ? {} : { credentials: readCredentials(credentialsFile) }),
    });
  const keeper = newClient();
  const s3 = newClient();
  const minio = new HttpClient(endpoint);
  if (signal !== undefined) endWith(s3, signal);
  const watchdog = new CleanupWatchdog({
    ...(target.guardedEndpoint ?? endpoint),
    region,
    ...(credentialsFile === undefined ? {} : { credentialsFile }),
  });
  try {
    await requireAnswer(minio, target);
    return await withBuckets(keeper, target, watchdog, signal, async (buckets) =>
      use({ expected, s3Endpoint: endpoint, region, s3, minio, watchdog, ...buckets }),
    );
  } finally {
    s3.destroy();
    keeper.destroy();
    minio.close();
    await watchdog.dismiss();
  }
}

type Buckets = Pick<S3Run, 'firstBucket' | 'newBucket'>;

/** Makes the buckets of the run, and deletes them whatever happens. */
async function withBuckets<T>(
  keeper: S3Client,
  target: S3Target,
  watchdog: CleanupWatchdog,
  signal: AbortSignal | undefined,
  use: (buckets: Buckets) => Promise<T>,
): Promise<T> {
  const names: string[] = [];
  const making: Promise<void>[] = [];
  const newBucket = async (options: ScratchBucketOptions = {}): Promise<string> => {
    signal?.throwIfAborted();
    const name = scratchBucketName();
    names.push(name);
    watchdog.note({ bucket: name });
    const made = createScratchBucket(keeper, name, target.region, options);
    making.push(made);
    await made;
    return name;
  };
  let first = '';
  let problem: Error | undefined;
  try {
    await sweep(keeper, target.declaredBuckets);
    first = await newBucket();
  } catch (error) {
    problem = noBucket(error, target);
  }
  const firstBucket = (): string => {
    if (problem !== undefined) throw problem;
    return first;
  };
  try {
    return await use({ firstBucket, newBucket });
  } finally {
    // one that is still being made would outlive its deletion
    await Promise.allSettled(making);
    await Promise.all(names.map((name) => deleteQuietly(keeper, name, problem !== undefined)));
  }
}

/** Deletes what killed runs left behind. */
async function sweep(keeper: S3Client, declared: readonly string[]): Promise<void> {
  let leftovers: string[] = [];
  try {
    leftovers = await leftoverBuckets(keeper, declared);
  } catch (error) {
    // a user may well have no right to see all buckets, and can be given a bucket all the same
    if (!(error instanceof S3ServiceException) || error.name !== 'AccessDenied') throw error;
  }
  // another run may be at it, too, and whatever is left now the next one finds again
  await Promise.allSettled(leftovers.map((leftover) => deleteScratchBucket(keeper, leftover)));
}

/** @param expectFailure prints nothing, because the cause was already said */
async function deleteQuietly(keeper: S3Client, name: string, expectFailure: boolean): Promise<void> {
  await deleteScratchBucket(keeper, name).catch((error: unknown) => {
    if (expectFailure) return;
    process.stderr.write(
      `warning: the bucket ${name} of the checks could not be deleted: ${messageOf(error)}; a later run will do it\n`,
    );
  });
}

/** What answers is no TLS. Node 20 says it with the first code, later versions with the others. */
const NO_TLS = ['EPROTO', 'ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG'];

/** What S3 takes at most: MinIO and Amazon refuse requests that are signed earlier or later than that. */
const CLOCKS_LIMIT_MS = 15 * 60 * 1000;

/** @throws ExternalError if no server answers, if it cannot be trusted where it must be, or if its clock is another */
async function requireAnswer(minio: HttpClient, target: S3Target): Promise<void> {
  const answer = await answerOf(minio, target);
  // absent if the server that answered is not trusted
  const difference = Math.abs(Date.now() - Date.parse(answer?.headers.date ?? ''));
  if (difference <= CLOCKS_LIMIT_MS || Number.isNaN(difference)) return;
  // the SDK signs by the other clock after the first refusal, so that no request would show it; clients are not all so
  throw new ExternalError(
    `the clocks of this machine and of ${target.endpoint.url} differ by ${Math.round(difference / 60_000)} minutes, ` +
      'and S3 refuses more than 15',
    'set both by NTP',
  );
}

async function answerOf(
  minio: HttpClient,
  { endpoint, needsTrust, hints }: S3Target,
): Promise<HttpResponse | undefined> {
  try {
    return await minio.send({ method: 'GET', path: '/minio/health/live', timeoutMs: 30_000 });
  } catch (error) {
    const { code, message } = (error as { cause: NodeJS.ErrnoException }).cause;
    if (NO_CONNECTION.includes(code)) {
      throw new ExternalError(`the S3 API does not answer at ${messageOf(error)}`, hints.noAnswer, { cause: error });
    }
    if (!needsTrust) return undefined;
    if (code !== undefined && NO_TLS.includes(code)) {
      throw new ExternalError(
        `what answers at ${endpoint.url} does not speak TLS`,
        'give the port on which the S3 API is served by HTTPS; nothing is sent in the clear',
        { cause: error },
      );
    }
    throw new ExternalError(
      `the certificate of ${endpoint.url} cannot be verified by ${endpoint.caFile ?? 'the CAs of this system'}: ${message} (${code ?? ''})`,
      'give the certificate of the CA that issued it by --ca FILE, and the address for which it was issued',
      { cause: error },
    );
  }
}

/** Answers that mean the credentials themselves, as MinIO and Amazon spell them. */
const NOT_LET_IN = ['InvalidAccessKeyId', 'SignatureDoesNotMatch', 'InvalidToken', 'ExpiredToken', 'InvalidTokenId'];

/**
 * What went wrong when the bucket was to be made: returned if checks can still find out more, thrown if not.
 *
 * @throws ExternalError if every check would only run into the same
 */
function noBucket(error: unknown, { endpoint: { url }, region, credentialsName, hints }: S3Target): Error {
  const { name } = error as Error;
  if (name === 'CredentialsProviderError') {
    throw new ExternalError(`there are no credentials for ${url}: ${messageOf(error)}`, hints.credentials, {
      cause: error,
    });
  }
  if (!(error instanceof S3ServiceException)) {
    return new Error(`the S3 API at ${url} cannot be used: ${messageOf(error)}`, { cause: error });
  }
  if (NOT_LET_IN.includes(name)) {
    throw new ExternalError(`${url} does not accept ${credentialsName}: ${name}`, hints.credentials, { cause: error });
  }
  if (name === 'AccessDenied') {
    throw new ExternalError(
      `${credentialsName} may not make a bucket at ${url}, and the checks need one of their own: ${name}`,
      'allow s3:* on arn:aws:s3:::ebs-check-* and arn:aws:s3:::ebs-check-*/*, or use other credentials',
      { cause: error },
    );
  }
  if (name === 'AuthorizationHeaderMalformed') {
    throw new ExternalError(
      `${url} is not in the region ${region}: ${error.message}`,
      'give its region by --region NAME',
      { cause: error },
    );
  }
  const full = name === 'XMinioStorageFull' ? `. The drive of MinIO is full: ${MAKE_ROOM}` : '';
  return new Error(`a bucket for the checks could not be made: ${name}: ${error.message}${full}`, { cause: error });
}

/** Ends the requests of a client with the signal, and lets it begin no other. */
function endWith(s3: S3Client, signal: AbortSignal): void {
  s3.middlewareStack.add(
    (next) => (args) => {
      signal.throwIfAborted();
      return next(args);
    },
    // after the middleware that tries again, so that every try asks
    { step: 'finalizeRequest', priority: 'low', name: 'endWithTheRun' },
  );
  signal.addEventListener(
    'abort',
    () => {
      s3.destroy();
    },
    { once: true },
  );
}
