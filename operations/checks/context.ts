/** Opens what the checks look at a deployment with, and takes everything back afterwards. */
import { type S3Client, S3ServiceException } from '@aws-sdk/client-s3';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { LEAVES } from '../../config/deployment-names';
import { type Environment, masterKeys, reachableAddress } from '../../config/environment';
import type { LoadedEnvironment } from '../../config/load';
import type { TlsEndpoint } from '../../config/operation-inputs';
import { ExternalError, messageOf } from '../errors';
import { HttpClient } from '../http';
import { KesClient } from '../kes-client';
import { readCredentials, s3Client } from '../s3-client';
import type { CheckContext, Expectations } from './check';
import {
  createScratchBucket,
  deleteScratchBucket,
  leftoverBuckets,
  type ScratchBucketOptions,
  scratchBucketName,
} from './scratch-bucket';

export interface ContextOptions {
  /** Ends every S3 request of the checks when it is aborted; the bucket is deleted all the same. */
  readonly signal?: AbortSignal | undefined;
  /** Where the S3 API is looked at. @default - where the environment publishes it */
  readonly s3Endpoint?: TlsEndpoint | undefined;
}

/**
 * Calls `use` with a context that exists only as long as the call.
 *
 * @throws ExternalError if there is nothing that could be checked: not deployed, not reachable, not let in
 */
export async function withContext<T>(
  loaded: LoadedEnvironment,
  { signal, s3Endpoint: elsewhere }: ContextOptions,
  use: (context: CheckContext) => Promise<T>,
): Promise<T> {
  const { environment, state } = loaded;
  const kesFiles = {
    certificateFile: path.join(state.tls, `${LEAVES.keyProver}.crt`),
    privateKeyFile: path.join(state.secret.tls, `${LEAVES.keyProver}.key`),
  };
  requireDeployed(loaded, [state.caCertificate, state.secret.minioRoot, ...Object.values(kesFiles)]);
  const endpoint = (port: number): TlsEndpoint => ({
    url: `https://${reachableAddress(environment)}:${port}`,
    caFile: state.caCertificate,
  });
  const s3Endpoint = elsewhere ?? endpoint(environment.minio.port);
  const credentials = readCredentials(state.secret.minioRoot);
  const newClient = (): S3Client => s3Client({ endpoint: s3Endpoint, region: environment.minio.region, credentials });

  const keeper = newClient();
  const s3 = newClient();
  const minio = new HttpClient(s3Endpoint);
  const kes = new KesClient({ ...endpoint(environment.kes.port), ...kesFiles });
  if (signal !== undefined) endWith(s3, signal);
  try {
    await requireAnswer(minio, loaded);
    return await withBuckets(keeper, loaded, s3Endpoint, signal, async ({ bucket, newBucket }) => {
      const { region } = environment.minio;
      const parts = {
        expected: expectationsOf(environment),
        loaded,
        s3Endpoint,
        region,
        s3,
        minio,
        kes,
        readDrive: driveReader(loaded),
        newBucket,
      };
      return use(Object.defineProperty(parts, 'bucket', { get: bucket }) as typeof parts & { bucket: string });
    });
  } finally {
    s3.destroy();
    keeper.destroy();
    minio.close();
    kes.close();
  }
}

/** What an environment file says about encryption. */
export function expectationsOf(environment: Environment): Expectations {
  return {
    environment: environment.name,
    defaultKey: environment.minio.defaultKey,
    masterKeys: masterKeys(environment),
    autoEncryption: environment.minio.autoEncryption,
  };
}

interface Buckets {
  readonly bucket: () => string;
  readonly newBucket: CheckContext['newBucket'];
}

/** Makes the buckets of the run, and deletes them whatever happens. */
async function withBuckets<T>(
  keeper: S3Client,
  loaded: LoadedEnvironment,
  endpoint: TlsEndpoint,
  signal: AbortSignal | undefined,
  use: (buckets: Buckets) => Promise<T>,
): Promise<T> {
  const names: string[] = [];
  const making: Promise<void>[] = [];
  const newBucket = async (options: ScratchBucketOptions = {}): Promise<string> => {
    signal?.throwIfAborted();
    const name = scratchBucketName();
    names.push(name);
    const made = createScratchBucket(keeper, name, options);
    making.push(made);
    await made;
    return name;
  };
  let first = '';
  let problem: Error | undefined;
  try {
    const declared = loaded.environment.buckets.map((bucket) => bucket.name);
    const leftovers = await leftoverBuckets(keeper, declared);
    // another run may be at it, too, and whatever is left now the next one finds again
    await Promise.allSettled(leftovers.map((leftover) => deleteScratchBucket(keeper, leftover)));
    first = await newBucket();
  } catch (error) {
    problem = noBucket(error, endpoint, loaded);
  }
  const bucket = (): string => {
    if (problem !== undefined) throw problem;
    return first;
  };
  try {
    return await use({ bucket, newBucket });
  } finally {
    // one that is still being made would outlive its deletion
    await Promise.allSettled(making);
    await Promise.all(names.map((name) => deleteQuietly(keeper, name, problem !== undefined)));
  }
}

/** @param expectFailure nobody is told, because what it comes from was already said */
async function deleteQuietly(keeper: S3Client, name: string, expectFailure: boolean): Promise<void> {
  await deleteScratchBucket(keeper, name).catch((error: unknown) => {
    if (expectFailure) return;
    process.stderr.write(
      `warning: the bucket ${name} of the checks could not be deleted: ${messageOf(error)}; a later run will do it\n`,
    );
  });
}

/** Nobody answers, as Node says it. Without a code it is our own time limit. */
const NO_CONNECTION = [
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  undefined,
];

/** @throws ExternalError if nobody answers. A wrong certificate, or none, is an answer: there are checks for that */
async function requireAnswer(minio: HttpClient, { environment }: LoadedEnvironment): Promise<void> {
  try {
    await minio.send({ method: 'GET', path: '/minio/health/live', timeoutMs: 5_000 });
  } catch (error) {
    const { code } = (error as { cause: NodeJS.ErrnoException }).cause;
    if (!NO_CONNECTION.includes(code)) return;
    throw new ExternalError(
      `MinIO does not answer at ${messageOf(error)}`,
      `see \`docker ps --filter name=ebs-${environment.name}-\`; deploy with ./scripts/up ${environment.name}`,
      { cause: error },
    );
  }
}

function requireDeployed({ environment }: LoadedEnvironment, files: readonly string[]): void {
  const missing = files.find((file) => !existsSync(file));
  if (missing === undefined) return;
  throw new ExternalError(
    `environment ${environment.name} is not deployed: there is no ${missing}`,
    `deploy it with: ./scripts/up ${environment.name}`,
  );
}

/**
 * What went wrong when the bucket was to be made: returned if checks can still find out more, thrown if not.
 *
 * @throws ExternalError if every check would only run into the same
 */
function noBucket(error: unknown, { url }: TlsEndpoint, { state }: LoadedEnvironment): Error {
  if (!(error instanceof S3ServiceException)) {
    return new Error(`the S3 API at ${url} cannot be used: ${messageOf(error)}`, { cause: error });
  }
  if (['InvalidAccessKeyId', 'SignatureDoesNotMatch', 'AccessDenied'].includes(error.name)) {
    throw new ExternalError(
      `MinIO at ${url} does not accept the root credentials of ${state.secret.minioRoot}: ${error.name}`,
      'another deployment answers on this port, or the file is not the one that was deployed',
      { cause: error },
    );
  }
  if (error.name === 'RequestTimeTooSkewed') {
    throw new ExternalError(
      `the clocks of this machine and of MinIO at ${url} differ by more than 15 minutes`,
      'set both by NTP',
      { cause: error },
    );
  }
  return new Error(`a bucket for the checks could not be made: ${error.name}: ${error.message}`, { cause: error });
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

function driveReader({ environment }: LoadedEnvironment): CheckContext['readDrive'] {
  return async (folder) => {
    // loading it takes longer than most checks run
    const { dockerEngine } = await import('../docker.js');
    const container = dockerEngine(environment.docker.host).getContainer(`ebs-${environment.name}-minio`);
    return container.getArchive({ path: folder });
  };
}
