import { createHmac } from 'node:crypto';
import type { RawCredentials } from './raw-s3';

export interface SignedFormOptions {
  readonly credentials: RawCredentials;
  readonly bucket: string;
  readonly key: string;
  /** @default 'us-east-1' */
  readonly region?: string;
  /** More fields. @default - none */
  readonly fields?: Readonly<Record<string, string>>;
}

/** An upload by an HTML form, with a policy that allows it and its signature of version 4. */
export function signedForm({
  credentials: { accessKey, secretKey, sessionToken },
  bucket,
  key,
  region = 'us-east-1',
  fields: more = {},
}: SignedFormOptions): { readonly headers: Readonly<Record<string, string>>; readonly body: string } {
  const date = new Date().toISOString().replace(/[-:]|\.\d{3}/g, '');
  const day = date.slice(0, 8);
  const fields: Record<string, string> = {
    key,
    'x-amz-algorithm': 'AWS4-HMAC-SHA256',
    'x-amz-credential': `${accessKey}/${day}/${region}/s3/aws4_request`,
    'x-amz-date': date,
    ...(sessionToken === undefined ? {} : { 'x-amz-security-token': sessionToken }),
    ...more,
  };
  const conditions = [{ bucket }, ...Object.entries(fields).map(([name, value]) => ({ [name]: value }))];
  const policy = Buffer.from(
    JSON.stringify({ expiration: new Date(Date.now() + 300_000).toISOString(), conditions }),
  ).toString('base64');
  let signature: Buffer | string = `AWS4${secretKey.reveal()}`;
  for (const part of [day, region, 's3', 'aws4_request', policy]) {
    signature = createHmac('sha256', signature).update(part).digest();
  }
  Object.assign(fields, { policy, 'x-amz-signature': (signature as Buffer).toString('hex') });
  const parts = Object.entries(fields).map(([name, value]) => part(`name="${name}"`, value));
  return {
    headers: { 'content-type': 'multipart/form-data; boundary=boundary' },
    body: `${parts.join('')}${part('name="file"; filename="file"', 'content')}--boundary--\r\n`,
  };
}

function part(disposition: string, value: string): string {
  return `--boundary\r\nContent-Disposition: form-data; ${disposition}\r\n\r\n${value}\r\n`;
}
