/** URLs that carry their own signature, and requests by them: without an S3 client, as a browser or curl sends them. */
import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { type CustomerKey, md5OfKey, type Mode } from './modes';
import type { Place } from './objects';

/** How long a URL is good for. */
const SECONDS = 60;

/** @returns path and query of a URL that reads an object */
export async function presignedGet({ s3, bucket }: Place, key: string, signedAt = new Date()): Promise<string> {
  const command = new GetObjectCommand({ Bucket: bucket, Key: key });
  return pathOf(await getSignedUrl(s3, command, { expiresIn: SECONDS, signingDate: signedAt }));
}

/** @returns path and query of a URL that writes an object, and the headers that go with it because they are signed */
export async function presignedPut(
  { s3, bucket }: Place,
  key: string,
  { headers: asked }: Mode,
): Promise<{ readonly path: string; readonly headers: Record<string, string> }> {
  const headers: Record<string, string> = {};
  if (asked.ServerSideEncryption !== undefined) headers['x-amz-server-side-encryption'] = asked.ServerSideEncryption;
  if (asked.SSECustomerKey !== undefined) Object.assign(headers, headersOfKey(asked.SSECustomerKey));
  const command = new PutObjectCommand({ Bucket: bucket, Key: key, ...asked });
  // servers look for them among the headers, not in the query, where they would be put otherwise
  const unhoistableHeaders = new Set(Object.keys(headers));
  return { path: pathOf(await getSignedUrl(s3, command, { expiresIn: SECONDS, unhoistableHeaders })), headers };
}

/** As a client that is no SDK sends it. */
export function headersOfKey(key: CustomerKey['SSECustomerKey']): Record<string, string> {
  const prefix = 'x-amz-server-side-encryption-customer';
  return { [`${prefix}-algorithm`]: 'AES256', [`${prefix}-key`]: key, [`${prefix}-key-md5`]: md5OfKey(key) };
}

function pathOf(url: string): string {
  const { pathname, search } = new URL(url);
  return pathname + search;
}
