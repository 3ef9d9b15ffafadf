import { type GetObjectCommandOutput, S3Client, S3ServiceException } from '@aws-sdk/client-s3';
import { existsSync, readFileSync } from 'node:fs';
import type { AgentOptions } from 'node:https';
import { pipeline, Readable, Transform } from 'node:stream';
import { z } from 'zod';
import type { LoadedEnvironment } from '../state/load';
import type { TlsEndpoint } from '../../config/operation-inputs';
import { s3Endpoint } from '../../config/state/endpoints';
import { ExternalError, messageOf } from '../lib/errors';
import { agentFor } from '../lib/net/failover-agent';
import { MAX_ANSWER_BYTES } from '../lib/net/http';
import { secretText } from '../lib/secret';

// the version is pinned, so what later versions will need is no news to whoever deploys
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';

const credentials = z.strictObject({ accessKey: z.string().min(1), secretKey: secretText });
export type S3Credentials = z.infer<typeof credentials>;

/**
 * Reads `{accessKey, secretKey}` from a file of the secrets folder.
 *
 * @throws ExternalError if the file is not whole; it never repeats the content, as the parser's own error would
 */
export function readCredentials(file: string): S3Credentials {
  const text = readFileSync(file, 'utf8');
  try {
    return credentials.parse(JSON.parse(text));
  } catch {
    throw new ExternalError(`${file} does not hold {accessKey, secretKey}`, 'put the file back from where you keep it');
  }
}

export interface S3Options {
  readonly endpoint: TlsEndpoint;
  readonly region: string;
  /** @default - the usual chain of the AWS SDK: AWS_ACCESS_KEY_ID and its kin, or a profile */
  readonly credentials?: S3Credentials;
  /** @default 3 - tries of a request */
  readonly attempts?: number;
  /** @default true - connections are used again */
  readonly keepAlive?: boolean;
}

/** An S3 client for one endpoint, by path-style addresses and the endpoint's own CA. It takes no answer without end. */
export function s3Client(options: S3Options): S3Client {
  const { endpoint, credentials: given } = options;
  const s3 = new S3Client({
    ...WITHOUT_CHECKSUMS,
    endpoint: endpoint.url,
    region: options.region,
    forcePathStyle: true,
    ...(given === undefined
      ? {}
      : { credentials: { accessKeyId: given.accessKey, secretAccessKey: given.secretKey.reveal() } }),
    maxAttempts: options.attempts ?? 3,
    requestHandler: {
      requestTimeout: 30_000,
      ...connections(endpoint, { keepAlive: options.keepAlive ?? true, maxSockets: 128 }),
    },
  });
  s3.middlewareStack.add(
    (next) => async (args) => {
      try {
        return await next(args);
      } catch (error) {
        throw isCutShort(error) ? cutShort(endpoint.url, error) : error;
      }
    },
    // before everything else: tries again stay as they are
    { step: 'initialize', name: 'cutShort', priority: 'high' },
  );
  boundAnswers(s3, endpoint.url);
  return s3;
}

/**
 * A storage that is none of ours, reached with the usual `AWS_…` variables, profile or role.
 *
 * @param storage `endpoint`: AWS itself by default. `caFile`: AWS_CA_BUNDLE by default, or the CAs of this system
 * @param who the subject of errors
 * @param limit bytes of an answer. Default: {@link MAX_ANSWER_BYTES}
 */
export function otherStorage(
  {
    endpoint,
    region,
    caFile = process.env.AWS_CA_BUNDLE,
  }: Partial<Record<'endpoint' | 'region' | 'caFile', string | undefined>>,
  who: string,
  limit?: number,
): S3Client {
  const s3 = new S3Client({
    ...WITHOUT_CHECKSUMS,
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
    requestHandler: connections({ caFile }),
  });
  boundAnswers(s3, who, limit);
  return s3;
}

/** Checksums without being asked for break SSE-C and storages that are not AWS (aws-sdk-js-v3 issue 6810). */
const WITHOUT_CHECKSUMS = {
  requestChecksumCalculation: 'WHEN_REQUIRED',
  responseChecksumValidation: 'WHEN_REQUIRED',
} as const;

/** The time for a connection counts from the making of a request, so also while it waits for a free socket. */
function connections({ caFile, serverName, url = '', otherUrls }: Partial<TlsEndpoint>, more: AgentOptions = {}) {
  // said, because NODE_TLS_REJECT_UNAUTHORIZED=0 changes only the default
  const verified = { rejectUnauthorized: true, ...(caFile ? { ca: readFileSync(caFile) } : {}) };
  const name = serverName === undefined ? {} : { servername: serverName };
  return { connectionTimeout: 30_000, httpsAgent: agentFor({ url, otherUrls }, { ...more, ...verified, ...name }) };
}

/**
 * Has a client give up answers that are longer than any, be it XML or an object.
 *
 * @param who the subject of the error
 * @param limit bytes. Default: {@link MAX_ANSWER_BYTES}
 */
function boundAnswers(s3: S3Client, who: string, limit = MAX_ANSWER_BYTES): void {
  s3.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const response = result.response as { body?: unknown };
      if (response.body instanceof Readable) response.body = upTo(limit, response.body, who);
      return result;
    },
    // next to the connection: before anything is read of the answer
    { step: 'deserialize', name: 'bounded', priority: 'low' },
  );
}

/** The same stream, which ends with an error where it is longer. */
function upTo(limit: number, body: Readable, who: string): Readable {
  let bytes = 0;
  const counted = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes <= limit) done(null, chunk);
      else done(new ExternalError(`${who}: the answer is longer than ${limit} bytes`, 'see what answers there'));
    },
  });
  // whoever reads it gets the error
  pipeline(body, counted, () => undefined);
  return counted;
}

/**
 * All bytes of an object.
 *
 * @throws ExternalError if the connection ended in the middle of them
 */
export async function bytesOf({ Body }: { readonly Body?: GetObjectCommandOutput['Body'] }): Promise<Buffer> {
  try {
    return Buffer.from((await Body?.transformToByteArray()) ?? []);
  } catch (error) {
    throw error instanceof ExternalError ? error : cutShort('the S3 API', error);
  }
}

/** Node ends a stream that lacks bytes with `aborted`; XML that lacks its end is no error of the connection. */
function isCutShort(error: unknown): boolean {
  if (error instanceof S3ServiceException) return false;
  return /(?:^|: )aborted|XML parse error/.test(messageOf(error));
}

function cutShort(who: string, cause: unknown): ExternalError {
  const [what] = messageOf(cause)
    .replace(/^(?:AWS SDK error wrapper for )?(?:Error: )?/, '')
    .split('\n');
  return new ExternalError(
    `${who} ended its answer in the middle of the body (${what ?? ''})`,
    'see whether it was stopped, or whether a proxy in front of it limits time or size',
    { cause },
  );
}

type Deployed = Pick<LoadedEnvironment, 'environment' | 'state'>;
/** Where the credentials of one of the project's users are: config/minio/own-identities.ts. */
export type OwnFile = 'minioOperations' | 'minioIam' | 'minioObjects';

/** The file of one of the project's users; until a deploy has made it, that of root. */
export function ownFile({ state: { secret } }: Pick<Deployed, 'state'>, user: OwnFile): string {
  return existsSync(secret[user]) ? secret[user] : secret.minioRoot;
}

/**
 * The S3 API of a deployment as one of the project's users, reached and verified as its clients do. The caller destroys it.
 *
 * @param attempts tries of a request. Default: as {@link S3Options.attempts}
 */
export function openS3(
  { environment, state }: Deployed,
  { as = 'minioOperations', attempts }: { readonly as?: OwnFile; readonly attempts?: number } = {},
): S3Client {
  return s3Client({
    endpoint: s3Endpoint(environment, state),
    region: environment.minio.region,
    credentials: readCredentials(ownFile({ state }, as)),
    ...(attempts === undefined ? {} : { attempts }),
  });
}

/** The answer, or undefined if MinIO says with this code that there is none. */
export async function unlessNone<T>(request: Promise<T>, code: string): Promise<T | undefined> {
  try {
    return await request;
  } catch (error) {
    if (error instanceof S3ServiceException && error.name === code) return undefined;
    throw error;
  }
}
