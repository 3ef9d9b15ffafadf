/** S3 requests of the checks: what MinIO refuses is what a check looks for, what does not reach MinIO is not. */
import { kesNode, minioNode, nodeId } from '../../../config/node';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  type CompleteMultipartUploadCommandOutput,
  CopyObjectCommand,
  type CopyObjectCommandInput,
  type CopyObjectCommandOutput,
  CreateMultipartUploadCommand,
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
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { createHash } from 'node:crypto';
import { bytesOf } from '../../minio/s3-client';
import { MAKE_ROOM } from '../health/drive-space';
import { CheckFailure, type Expectations, type OutsideContext } from '../check';
import type { CustomerKey, EncryptionAnswer, Mode } from './modes';
import type { ScratchBucketOptions } from './scratch-bucket';

/** Where the objects of a check are: the run's own bucket, or another that was made for it. */
export type Place = Pick<OutsideContext, 's3' | 'bucket' | 'expected'>;

/** Makes a bucket for one check. */
export async function newPlace(context: OutsideContext, what: string, options: ScratchBucketOptions): Promise<Place> {
  const { s3, expected } = context;
  return { s3, expected, bucket: await answered(expected, `making ${what}`, context.newBucket(options)) };
}

/** Writes an object. */
export async function put(
  { s3, bucket, expected }: Place,
  key: string,
  body: Buffer,
  options: Partial<PutObjectCommandInput> = {},
): Promise<PutObjectCommandOutput> {
  const request = s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body, ...options }));
  return answered(expected, 'the PUT', request);
}

/**
 * Writes an object by a multipart upload.
 *
 * @param parts all but the last at least 5 MiB
 * @param between called when all parts are there, before they become an object
 */
export async function putParts(
  { s3, bucket, expected }: Place,
  key: string,
  parts: readonly Buffer[],
  mode: Pick<Mode, 'headers' | 'access'>,
  between?: () => Promise<void>,
  Metadata: Record<string, string> = {},
): Promise<CompleteMultipartUploadCommandOutput> {
  const object = { Bucket: bucket, Key: key };
  const ask = <T>(what: string, request: Promise<T>): Promise<T> => answered(expected, what, request);
  const begin = new CreateMultipartUploadCommand({ ...object, ...mode.headers, Metadata });
  const { UploadId } = await ask('beginning a multipart upload', s3.send(begin));
  const upload = { ...object, UploadId };
  try {
    const numbered = parts.map((Body, index) => ({ Body, PartNumber: index + 1 }));
    const Parts = await allDone(
      numbered.map(async (part) => {
        const request = s3.send(new UploadPartCommand({ ...upload, ...part, ...mode.access }));
        const { ETag } = await ask(`the upload of part ${part.PartNumber}`, request);
        return { ETag, PartNumber: part.PartNumber };
      }),
    );
    await between?.();
    const end = new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts }, ...mode.access });
    return await ask('completing the multipart upload', s3.send(end));
  } catch (error) {
    // its parts are not in the bucket and would outlive it; what went wrong matters more than whether this works
    await s3.send(new AbortMultipartUploadCommand(upload)).catch(() => undefined);
    throw error;
  }
}

/** What is said about an object with its content. */
type GetAnswer = GetObjectCommandOutput & EncryptionAnswer;

/** Reads an object, a version or a range of it. */
export async function get(
  place: Place,
  key: string,
  options: Partial<GetObjectCommandInput> = {},
): Promise<{ readonly output: GetAnswer; readonly body: Buffer }> {
  const output = await answered(place.expected, 'the GET', requestGet(place, key, options));
  return { output, body: await bytesOf(output) };
}

/** A GET that may be refused. */
export async function requestGet(
  { s3, bucket }: Place,
  key: string,
  options: Partial<GetObjectCommandInput> = {},
): Promise<GetAnswer> {
  const command = new GetObjectCommand({ Bucket: bucket, Key: key, ...options });
  let context: string | undefined;
  // MinIO says it, and the SDK does not pass it on
  command.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const { headers } = result.response as { headers: Record<string, string> };
      context = headers['x-amz-server-side-encryption-context'];
      return result;
    },
    { step: 'deserialize', name: 'encryptionContext', priority: 'low' },
  );
  return { ...(await s3.send(command)), SSEKMSEncryptionContext: context };
}

/** What the server says about an object. */
export async function head(
  place: Place,
  key: string,
  options: Partial<HeadObjectCommandInput> = {},
): Promise<HeadObjectCommandOutput> {
  return answered(place.expected, 'the HEAD', requestHead(place, key, options));
}

/** A HEAD that may be refused. */
export async function requestHead(
  { s3, bucket }: Place,
  key: string,
  options: Partial<HeadObjectCommandInput> = {},
): Promise<HeadObjectCommandOutput> {
  return s3.send(new HeadObjectCommand({ Bucket: bucket, Key: key, ...options }));
}

/** Copies an object within a place, perhaps into another mode. May be refused. */
export async function requestCopy(
  { s3, bucket }: Place,
  source: { readonly key: string; readonly access: Partial<CustomerKey> },
  key: string,
  options: Partial<CopyObjectCommandInput>,
): Promise<CopyObjectCommandOutput> {
  const { SSECustomerAlgorithm, SSECustomerKey } = source.access;
  return s3.send(
    new CopyObjectCommand({
      Bucket: bucket,
      Key: key,
      CopySource: `${bucket}/${encodeURIComponent(source.key)}`,
      CopySourceSSECustomerAlgorithm: SSECustomerAlgorithm,
      CopySourceSSECustomerKey: SSECustomerKey,
      ...options,
    }),
  );
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
function fixFor(code: string, { environment }: Expectations): string {
  switch (code) {
    case 'kms:KeyNotFound':
      return 'the master key is not in the key store: restore it from a backup; do not create it again';
    case 'kms:NotAuthorized':
      return 'the policy of MinIO in KES does not allow the key: run `npx cdktf deploy` so that it is written again';
    case 'kms:KeyGenerationFailed':
    case 'kms:DecryptionFailed':
      return environment === undefined
        ? 'the server does not reach its KMS: see its log, and whether the key store behind is sealed'
        : `MinIO does not reach a working KES: see \`docker logs ${kesNode(nodeId(environment)).container}\`, and whether Vault is sealed`;
    case 'XMinioStorageFull':
      return `the drive of MinIO is full: ${MAKE_ROOM}`;
    case 'NotImplemented':
      return environment === undefined
        ? 'the server runs without a KMS, so it can encrypt nothing by itself: give it one'
        : 'MinIO runs without a KMS: run `npx cdktf deploy` so that its container is made again';
    default:
      return environment === undefined
        ? 'see the log of the server'
        : `see \`docker logs ${minioNode(nodeId(environment)).container}\``;
  }
}

export function sha256(data: Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

/** What to do where data came back that was not written. */
export const DATA_CHANGED =
  'a proxy, or memory or a drive that fails, changes data: stop writing backups, read without the proxy, see the log';

/** @throws CheckFailure unless the bytes read are those that were written; they can be large, so it names their hash */
export function requireSameBytes(what: string, got: Buffer, expected: Buffer): void {
  if (got.equals(expected)) return;
  throw new CheckFailure(
    `${what} returned other bytes than were written: ${got.length} bytes with SHA-256 ${sha256(got)}, ` +
      `expected ${expected.length} bytes with ${sha256(expected)}`,
    DATA_CHANGED,
  );
}
