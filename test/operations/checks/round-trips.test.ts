import { S3ServiceException } from '@aws-sdk/client-s3';
import { randomBytes } from 'node:crypto';
import { declaredChecks } from '../../../operations/checks/declared';
import { roundTrips } from '../../../operations/checks/round-trips';
import type { CheckResult } from '../../../operations/checks/runner';
import { bodyOf, contextWith, loaded, resultOf } from './fakes';

const ENVIRONMENT = `
name: test
buckets:
  - name: archive
    encryption: { type: sse-kms, key: archive-key }
    versioning: true`;

type Answers = Readonly<Record<string, (input: Record<string, unknown>) => unknown>>;

/** A well-behaved MinIO for small objects, except for what a test answers itself. */
async function run(id: string, otherwise: Answers = {}): Promise<CheckResult> {
  const objects = new Map<unknown, Record<string, unknown>>();
  const behaved: Answers = {
    PutObjectCommand: (input) => {
      // a request without a header is auto-encrypted
      const plain = input.ServerSideEncryption === undefined && input.SSECustomerKey === undefined;
      const object = plain
        ? { ...input, ServerSideEncryption: 'aws:kms', SSEKMSKeyId: 'arn:aws:kms:backup-default' }
        : input;
      objects.set(input.Key, object);
      return object;
    },
    HeadObjectCommand: (input) => objects.get(input.Key),
    GetObjectCommand: (input) => {
      const object = objects.get(input.Key) ?? {};
      if (input.SSECustomerKey !== object.SSECustomerKey) {
        throw input.SSECustomerKey === undefined ? refusal(400, 'InvalidRequest') : refusal(403, 'AccessDenied');
      }
      return { ...object, Body: bodyOf(object.Body as Buffer) };
    },
    GetBucketEncryptionCommand: () => {
      throw refusal(404, 'ServerSideEncryptionConfigurationNotFoundError');
    },
    GetBucketVersioningCommand: () => ({ Status: 'Enabled' }),
    GetObjectLockConfigurationCommand: () => {
      throw refusal(404, 'ObjectLockConfigurationNotFoundError');
    },
  };
  const context = contextWith(loaded('/nonexistent/state', ENVIRONMENT), (command, input) =>
    (otherwise[command] ?? behaved[command])?.(input),
  );
  return resultOf([...roundTrips, ...declaredChecks], id, context);
}

function refusal(status: number, name: string): S3ServiceException {
  return new S3ServiceException({
    name,
    message: 'said MinIO',
    $fault: 'client',
    $metadata: { httpStatusCode: status },
  });
}

test.each(['sse-s3-round-trip', 'sse-kms-named-key-round-trip', 'sse-c-round-trip', 'auto-encryption'])(
  '%s passes where everything is as it should be',
  async (id) => {
    expect(await run(id)).toMatchObject({ status: 'passed' });
  },
);

test.each<[string, string, Answers, RegExp]>([
  [
    'sse-s3-round-trip',
    'an object that is stored in the clear',
    { PutObjectCommand: () => ({}) },
    /^the answer to the PUT says encryption none, expected AES256$/,
  ],
  [
    'sse-s3-round-trip',
    'other bytes of the same length',
    { GetObjectCommand: () => ({ ServerSideEncryption: 'AES256', Body: bodyOf(randomBytes(10_240)) }) },
    /^the GET returned other bytes than were written: 10240 bytes/,
  ],
  [
    'sse-s3-round-trip',
    'a KMS that does not work',
    {
      PutObjectCommand: () => {
        throw refusal(500, 'kms:KeyGenerationFailed');
      },
    },
    /^PUT of sse-s3 answered 500 kms:KeyGenerationFailed: said MinIO$/,
  ],
  [
    'sse-kms-named-key-round-trip',
    'the default key instead of the named one',
    { PutObjectCommand: () => ({ ServerSideEncryption: 'aws:kms', SSEKMSKeyId: 'arn:aws:kms:backup-default' }) },
    /^the answer to the PUT says master key backup-default, expected archive-key$/,
  ],
  [
    'auto-encryption',
    'an object without encryption',
    { PutObjectCommand: () => ({}) },
    /^the answer to the PUT says encryption none, expected aws:kms$/,
  ],
  [
    'bucket-default-encryption',
    'a default encryption under another key, and versioning that was suspended',
    {
      GetBucketEncryptionCommand: () => ({
        ServerSideEncryptionConfiguration: {
          Rules: [{ ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms', KMSMasterKeyID: 'other-key' } }],
        },
      }),
      GetBucketVersioningCommand: () => ({ Status: 'Suspended' }),
    },
    /^bucket archive: default encryption is aws:kms under other-key, declared aws:kms under archive-key; bucket archive: versioning is off, declared on$/,
  ],
  [
    'bucket-default-encryption',
    'a bucket that is not there',
    {
      GetBucketVersioningCommand: () => {
        throw refusal(404, 'NoSuchBucket');
      },
    },
    /^bucket archive does not exist$/,
  ],
])('%s fails on %s', async (id, _, answers, message) => {
  const result = await run(id, answers);
  expect(result.status).toBe('failed');
  expect(result.message).toMatch(message);
});

test.each([
  ['without the key', (input: Record<string, unknown>) => input.SSECustomerKey === undefined],
  ['with another key', (input: Record<string, unknown>) => input.SSECustomerKey !== undefined],
])('sse-c-round-trip fails where the object is given out %s', async (which, givenOut) => {
  let body: Buffer = Buffer.alloc(0);
  let own: unknown;
  const result = await run('sse-c-round-trip', {
    PutObjectCommand: (input) => {
      body = input.Body as Buffer;
      own = input.SSECustomerKey;
      return input;
    },
    GetObjectCommand: (input) => {
      if (input.SSECustomerKey === own || givenOut(input)) return { Body: bodyOf(body) };
      throw refusal(400, 'InvalidRequest');
    },
  });
  expect(result).toMatchObject({ status: 'failed', message: `a GET ${which} succeeded, but must be refused` });
});

test('range-read fails on a range that begins one byte too late', async () => {
  let body: Buffer = Buffer.alloc(0);
  const result = await run('range-read', {
    PutObjectCommand: (input) => (body = input.Body as Buffer),
    GetObjectCommand: (input) => {
      const [first = 0, last = 0] = String(input.Range).startsWith('bytes=-')
        ? [body.length - 700, body.length - 1]
        : (String(input.Range).match(/\d+/g) ?? []).map(Number);
      const from = first === 65_536 ? first + 1 : first;
      return {
        $metadata: { httpStatusCode: 206 },
        ContentRange: `bytes ${first}-${last}/${body.length}`,
        Body: bodyOf(body.subarray(from, last + 1)),
      };
    },
  });
  expect(result.status).toBe('failed');
  expect(result.message).toMatch(/^the GET of bytes=65536-131071 returned other bytes than were written: 65535 bytes/);
});

test('what does not reach MinIO, or finds it starting, is no failure of encryption', async () => {
  const unreachable = await run('sse-s3-round-trip', {
    PutObjectCommand: () => {
      throw new Error('connect ECONNREFUSED');
    },
  });
  expect(unreachable).toMatchObject({ status: 'could-not-check', message: 'connect ECONNREFUSED' });
  const starting = await run('sse-s3-round-trip', {
    PutObjectCommand: () => {
      throw refusal(503, 'XMinioServerNotInitialized');
    },
  });
  expect(starting.status).toBe('could-not-check');
});

test('auto-encryption says nothing about a bucket with a default encryption, and is skipped where it is off', async () => {
  const result = await run('auto-encryption', { GetBucketEncryptionCommand: () => ({}) });
  expect(result).toMatchObject({ status: 'could-not-check' });
  const context = contextWith(loaded('/nonexistent/state', 'name: test\nminio: { autoEncryption: false }'), () => ({}));
  const skipped = await resultOf(roundTrips, 'auto-encryption', context);
  expect(skipped.status).toBe('skipped');
  expect(skipped.message).toMatch(/^minio\.autoEncryption is false: /);
});
