import { PutBucketPolicyCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { createHash, randomBytes } from 'node:crypto';
import { cpSync } from 'node:fs';
import path from 'node:path';
import { CONTENT, type Guard, PLAIN, type Server } from './servers';

/** Lets whoever comes from an address read one object. */
async function allowFrom({ storage: { s3 } }: Server, address: string): Promise<void> {
  await s3.send(new PutObjectCommand({ Bucket: PLAIN, Key: 'by-address', Body: CONTENT }));
  const Policy = JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Principal: '*',
        Action: ['s3:GetObject'],
        Resource: [`arn:aws:s3:::${PLAIN}/by-address`],
        Condition: { IpAddress: { 'aws:SourceIp': [address] } },
      },
    ],
  });
  await s3.send(new PutBucketPolicyCommand({ Bucket: PLAIN, Policy }));
}

export function describeCorrections(guard: () => Guard): void {
  describe('makes right', () => {
    const read = async ({ raw }: Server, unsigned: Readonly<Record<string, string>>): Promise<number> =>
      (await raw.send({ method: 'GET', path: `/${PLAIN}/by-address`, signature: 'none', unsigned })).status;

    test.each([
      ['x-forwarded-for', '192.0.2.1'],
      ['X-REAL-IP', '192.0.2.1'],
      ['forwarded', 'for=192.0.2.1'],
    ])('%s changes no decision', async (name, value) => {
      const { guarded, unguarded } = guard();
      for (const server of [guarded, unguarded]) await allowFrom(server, '192.0.2.0/24');
      expect(await read(guarded, { [name]: value })).toBe(403);
      expect(await read(unguarded, { [name]: value })).toBe(200);
      // and the address of the connection does
      await allowFrom(guarded, '127.0.0.0/8');
      expect(await read(guarded, { [name]: value })).toBe(200);
    });

    test('an object that is not what its keys say is an error, not a part of one', async () => {
      const { guarded, unguarded } = guard();
      const headers = await storeDamaged(unguarded);
      cpSync(path.join(unguarded.drive, PLAIN, 'damaged'), path.join(guarded.drive, PLAIN, 'damaged'), {
        recursive: true,
      });
      const answers = [];
      for (const { raw } of [guarded, unguarded]) {
        const { status, text } = await raw.send({ method: 'GET', path: `/${PLAIN}/damaged`, headers });
        answers.push([status, /<Code>(.*)<.Code>/.exec(text)?.[1]]);
      }
      expect(answers).toEqual([
        [500, 'XMinioObjectTampered'],
        [206, 'XMinioObjectTampered'],
      ]);
    });
  });
}

/** An object that says it is encrypted and is not, as damage leaves it; only MinIO without the guard takes it. */
async function storeDamaged({ raw }: Server): Promise<Readonly<Record<string, string>>> {
  const key = randomBytes(32);
  const sse = 'x-amz-server-side-encryption-customer';
  const headers = {
    [`${sse}-algorithm`]: 'AES256',
    [`${sse}-key`]: key.toString('base64'),
    [`${sse}-key-md5`]: createHash('md5').update(key).digest('base64'),
  };
  const target = `/${PLAIN}/damaged`;
  const created = await raw.send({ method: 'POST', path: target, query: { uploads: '' }, headers });
  const uploadId = /<UploadId>(.*)<.UploadId>/.exec(created.text)?.[1] ?? '';
  const part = await raw.send({
    method: 'PUT',
    path: target,
    query: { partNumber: '1', uploadId },
    headers: { ...headers, 'x-minio-source-replication-request': 'true' },
    body: CONTENT,
  });
  const list = `<Part><PartNumber>1</PartNumber><ETag>${String(part.headers.etag)}</ETag></Part>`;
  const completed = await raw.send({
    method: 'POST',
    path: target,
    query: { uploadId },
    headers,
    body: `<CompleteMultipartUpload>${list}</CompleteMultipartUpload>`,
  });
  expect([created.status, part.status, completed.status]).toEqual([200, 200, 200]);
  return headers;
}
