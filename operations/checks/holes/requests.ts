/** Who sends the requests by which holes are looked for: the credentials of the run, or a writer that lasts minutes. */
import { randomUUID } from 'node:crypto';
import { sha256 } from '../objects/objects';
import { type RawCredentials, type RawRequest, RawS3 } from '../../minio/objects/raw-s3';
import type { OutsideContext } from '../check';
import type { HttpResponse } from '../../lib/net/http';
import { Secret } from '../../lib/secret';
import { inShort } from './try-holes';

export const CONTENT = 'hello';

/** The raw S3 API with the credentials of the run. */
export async function rawS3(context: OutsideContext): Promise<{ readonly raw: RawS3; readonly own: RawCredentials }> {
  const { s3, minio: http, s3Endpoint, region } = context;
  const { accessKeyId, secretAccessKey, sessionToken } = await s3.config.credentials();
  const own = {
    accessKey: accessKeyId,
    secretKey: new Secret(secretAccessKey),
    ...(sessionToken === undefined ? {} : { sessionToken }),
  };
  return { own, raw: new RawS3({ http, url: s3Endpoint.url, region, credentials: own }) };
}

/**
 * Ends an upload that was begun. A MinIO of several lists those alone that it began itself (cmd/erasure-server-pool.go,
 * ListMultipartUploads), so that one may outlive its bucket by a day.
 */
export async function abortUpload(raw: RawS3, { path, query }: Pick<RawRequest, 'path' | 'query'>): Promise<void> {
  await raw.send({ method: 'DELETE', path, ...(query === undefined ? {} : { query }) });
}

/** The shortest that AssumeRole makes; the server forgets them then. */
const WRITER_SECONDS = 900;

export interface Writer {
  /** May read and write objects of some buckets, hold them, and nothing about their retention. */
  readonly credentials: RawCredentials;
  /** What the clock of the server said. */
  readonly now: Date;
}

/**
 * Credentials of a writer.
 *
 * @throws if the server gives none to the credentials of the run
 */
export async function newWriter(raw: RawS3, buckets: readonly string[]): Promise<Writer> {
  const Statement = [
    {
      Effect: 'Allow',
      Action: ['s3:PutObject', 's3:GetObject', 's3:PutObjectLegalHold'],
      Resource: buckets.map((bucket) => `arn:aws:s3:::${bucket}/*`),
    },
  ];
  const form = {
    Action: 'AssumeRole',
    Version: '2011-06-15',
    DurationSeconds: String(WRITER_SECONDS),
    Policy: JSON.stringify({ Version: '2012-10-17', Statement }),
  };
  const body = new URLSearchParams(form).toString();
  const answer = await raw.send({
    method: 'POST',
    path: '/',
    service: 'sts',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      'x-amz-content-sha256': sha256(Buffer.from(body)),
    },
    body,
  });
  const field = (name: string): string | undefined => new RegExp(`<${name}>([^<]+)</${name}>`).exec(answer.text)?.[1];
  const accessKey = field('AccessKeyId');
  const secretKey = field('SecretAccessKey');
  const sessionToken = field('SessionToken');
  if (accessKey === undefined || secretKey === undefined || sessionToken === undefined) {
    throw new Error(
      `credentials for a writer of some minutes could not be had: AssumeRole answered ${inShort(answer)}. Use a user’s own ` +
        'credentials, no access key of theirs and no session: MinIO gives none to these',
    );
  }
  return { credentials: { accessKey, secretKey: new Secret(secretKey), sessionToken }, now: serverTime(answer) };
}

/** What the clock of the server said in an answer. */
export function serverTime({ headers }: HttpResponse): Date {
  return new Date(headers.date ?? Date.now());
}

/** A version that no object has. */
export const someVersion = (): string => randomUUID();
