/** S3 requests of the checks: what MinIO refuses is what a check looks for, what does not reach MinIO is not. */
import {
  GetObjectCommand,
  type GetObjectCommandInput,
  type GetObjectCommandOutput,
  HeadObjectCommand,
  type HeadObjectCommandInput,
  type HeadObjectCommandOutput,
  PutObjectCommand,
  type PutObjectCommandInput,
  type PutObjectCommandOutput,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { createHash } from 'node:crypto';
import { CheckFailure, type Expectations, type OutsideContext } from './check';

/** Writes an object into the run's own bucket. */
export async function put(
  { s3, bucket, expected }: OutsideContext,
  key: string,
  body: Buffer,
  options: Partial<PutObjectCommandInput> = {},
): Promise<PutObjectCommandOutput> {
  const request = s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body, ...options }));
  return answered(expected, `PUT of ${key}`, request);
}

/** Reads an object, or a part of it, from the run's own bucket. */
export async function get(
  context: OutsideContext,
  key: string,
  options: Partial<GetObjectCommandInput> = {},
): Promise<{ readonly output: GetObjectCommandOutput; readonly body: Buffer }> {
  const request = requestGet(context, key, options);
  const output = await answered(context.expected, `GET of ${key}`, request);
  return { output, body: Buffer.from((await output.Body?.transformToByteArray()) ?? []) };
}

/** A GET that may be refused. */
export async function requestGet(
  { s3, bucket }: OutsideContext,
  key: string,
  options: Partial<GetObjectCommandInput> = {},
): Promise<GetObjectCommandOutput> {
  return s3.send(new GetObjectCommand({ Bucket: bucket, Key: key, ...options }));
}

/** What MinIO says about an object of the run's own bucket. */
export async function head(
  { s3, bucket, expected }: OutsideContext,
  key: string,
  options: Partial<HeadObjectCommandInput> = {},
): Promise<HeadObjectCommandOutput> {
  const request = s3.send(new HeadObjectCommand({ Bucket: bucket, Key: key, ...options }));
  return answered(expected, `HEAD of ${key}`, request);
}

/**
 * The answer to a request that must succeed.
 *
 * @throws CheckFailure if MinIO refuses it
 */
export async function answered<T>(expected: Expectations, what: string, request: Promise<T>): Promise<T> {
  try {
    return await request;
  } catch (error) {
    if (!(error instanceof S3ServiceException)) throw error;
    const text = `${what} answered ${refusalText(error)}: ${error.message}`;
    // MinIO is starting or overloaded: that says nothing about what it would do
    if (error.$metadata.httpStatusCode === 503) throw new Error(text, { cause: error });
    throw new CheckFailure(text, fixFor(error.name, expected));
  }
}

/**
 * How MinIO refuses a request that must not succeed, as `<status> <code>`.
 *
 * @param statuses the answers that count as a refusal; any other is a failure of something else
 * @throws CheckFailure if it succeeds
 */
export async function refusalOf(
  what: string,
  request: Promise<unknown>,
  statuses: readonly number[],
  fix: string,
): Promise<string> {
  try {
    await request;
  } catch (error) {
    if (!(error instanceof S3ServiceException)) throw error;
    if (statuses.includes(error.$metadata.httpStatusCode ?? 0)) return refusalText(error);
    throw new Error(`${what} answered ${refusalText(error)}, neither success nor ${statuses.join(' or ')}`, {
      cause: error,
    });
  }
  throw new CheckFailure(`${what} succeeded, but must be refused`, fix);
}

function refusalText(error: S3ServiceException): string {
  return `${error.$metadata.httpStatusCode ?? 0} ${error.name}`;
}

/**
 * Like `Promise.all`, but rejects only when nothing is under way any more: an object that arrives late would keep the
 * bucket from being deleted.
 */
export async function allDone<T>(requests: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(requests);
  return Promise.all(requests);
}

/** What the errors of MinIO's KMS mean here: minio/minio, internal/kms/errors.go and cmd/api-errors.go. */
function fixFor(code: string, { environment }: Expectations): string | undefined {
  switch (code) {
    case 'kms:KeyNotFound':
      return 'the master key is not in the key store: put it back from a backup; do not create it anew';
    case 'kms:NotAuthorized':
      return 'the policy of MinIO in KES does not allow the key: run `npx cdktf deploy` so that it is written again';
    case 'kms:KeyGenerationFailed':
    case 'kms:DecryptionFailed':
      return environment === undefined
        ? 'the server does not reach its KMS: see its log, and whether the key store behind is sealed'
        : `MinIO does not reach a working KES: see \`docker logs ebs-${environment}-kes\`, and whether Vault is sealed`;
    case 'NotImplemented':
      return 'MinIO runs without a KMS: run `npx cdktf deploy` so that its container is made again';
    default:
      return undefined;
  }
}

export function sha256(data: Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

/** @throws CheckFailure unless the bytes read are those that were written; they can be large, so by their hash */
export function requireSameBytes(what: string, got: Buffer, expected: Buffer): void {
  if (got.length === expected.length && sha256(got) === sha256(expected)) return;
  throw new CheckFailure(
    `${what} returned other bytes than were written: ${got.length} bytes with SHA-256 ${sha256(got)}, ` +
      `expected ${expected.length} bytes with ${sha256(expected)}`,
  );
}

/** The encryption that an answer of MinIO claims. */
export interface ClaimedEncryption {
  readonly ServerSideEncryption?: string | undefined;
  readonly SSEKMSKeyId?: string | undefined;
}

/** @throws CheckFailure unless an answer claims this encryption; any master key will do where none is given */
export function requireEncryption(
  what: string,
  answer: ClaimedEncryption,
  expected: { readonly mode: 'AES256' } | { readonly mode: 'aws:kms'; readonly key: string | undefined },
  fix?: string,
): void {
  const { mode, key } = encryptionOf(answer);
  if (mode !== expected.mode) {
    throw new CheckFailure(`${what} says encryption ${mode ?? 'none'}, expected ${expected.mode}`, fix);
  }
  if (expected.mode === 'aws:kms' && expected.key !== undefined && key !== expected.key) {
    throw new CheckFailure(`${what} says master key ${key ?? 'none'}, expected ${expected.key}`, fix);
  }
}

/** The mode and the name of the master key in an answer. */
export function encryptionOf(answer: ClaimedEncryption): { mode: string | undefined; key: string | undefined } {
  return { mode: answer.ServerSideEncryption, key: keyName(answer.SSEKMSKeyId) };
}

/** MinIO names keys in the form of an ARN in its answers, and takes them without. */
export function keyName(id: string | undefined): string | undefined {
  return id?.replace(/^arn:aws:kms:/, '');
}
