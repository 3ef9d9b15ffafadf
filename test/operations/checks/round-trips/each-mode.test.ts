import { S3ServiceException } from '@aws-sdk/client-s3';
import { randomBytes } from 'node:crypto';
import { declaredChecks } from '../../../../operations/checks/drift/declared';
import { md5OfKey } from '../../../../operations/checks/objects/modes';
import { roundTrips } from '../../../../operations/checks/round-trips/round-trips';
import type { CheckResult } from '../../../../operations/checks/runner';
import { bodyOf, contextWith, loaded, resultOf } from '../fakes';

// what MinIO really does is in test/e2e/planted-faults; these are answers that no fault there brings about

const ENVIRONMENT = `
name: test
buckets:
  - name: archive
    encryption: { type: sse-kms, key: archive-key }
    versioning: true`;

type Answers = Readonly<Record<string, (input: Record<string, unknown>) => unknown>>;

/** A well-behaved MinIO, except for what a test answers itself. */
async function run(id: string, otherwise: Answers = {}): Promise<CheckResult> {
  const objects = new Map<unknown, Record<string, unknown>>();
  const parts = new Map<unknown, Buffer[]>();
  const stored = (input: Record<string, unknown>): Record<string, unknown> => {
    const key = input.SSECustomerKey as string | undefined;
    // a request without a header is auto-encrypted
    const plain = input.ServerSideEncryption === undefined && key === undefined;
    return {
      ...input,
      ...(plain || (input.ServerSideEncryption === 'aws:kms' && input.SSEKMSKeyId === undefined)
        ? { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: 'arn:aws:kms:backup-default' }
        : {}),
      ...(key === undefined ? {} : { SSECustomerKeyMD5: md5OfKey(key) }),
    };
  };
  const behaved: Answers = {
    PutObjectCommand: (input) => {
      objects.set(input.Key, stored(input));
      return objects.get(input.Key);
    },
    CreateMultipartUploadCommand: (input) => {
      objects.set(input.Key, stored(input));
      parts.set(input.Key, []);
      return { UploadId: '1' };
    },
    UploadPartCommand: (input) => {
      const uploaded = parts.get(input.Key) ?? [];
      uploaded[Number(input.PartNumber) - 1] = input.Body as Buffer;
      return { ETag: '"0"' };
    },
    CompleteMultipartUploadCommand: (input) => {
      objects.set(input.Key, { ...objects.get(input.Key), Body: Buffer.concat(parts.get(input.Key) ?? []) });
      return {};
    },
    AbortMultipartUploadCommand: () => ({}),
    GetObjectCommand: (input) => {
      const object = objects.get(input.Key) ?? {};
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

test.each([
  'sse-s3-round-trip',
  'sse-kms-default-key-round-trip',
  'sse-kms-named-key-round-trip',
  'sse-c-round-trip',
  'auto-encryption',
])('%s passes where everything is as it should be', async (id) => {
  expect(await run(id)).toMatchObject({ status: 'passed' });
});

test.each<[string, string, Answers, RegExp]>([
  [
    'sse-s3-round-trip',
    'other bytes of the same length',
    { GetObjectCommand: () => ({ ServerSideEncryption: 'AES256', Body: bodyOf(randomBytes(10_240)) }) },
    /the GET returned other bytes than were written: 10240 bytes .* \(small\)/,
  ],
  [
    'sse-s3-round-trip',
    'a KMS that does not work',
    {
      PutObjectCommand: () => {
        throw refusal(500, 'kms:KeyGenerationFailed');
      },
      CreateMultipartUploadCommand: () => {
        throw refusal(500, 'kms:KeyGenerationFailed');
      },
    },
    /^the PUT answered 500 kms:KeyGenerationFailed: said MinIO \(empty, small, 1 MiB\); beginning .* \(multipart\)$/,
  ],
  [
    'sse-kms-named-key-round-trip',
    'the default key instead of the named one',
    { PutObjectCommand: () => ({ ServerSideEncryption: 'aws:kms', SSEKMSKeyId: 'arn:aws:kms:backup-default' }) },
    /^the answer to the PUT says master key backup-default, expected archive-key \(empty, small, 1 MiB\)$/,
  ],
  [
    'sse-c-round-trip',
    'another client’s key',
    { PutObjectCommand: () => ({ SSECustomerAlgorithm: 'AES256', SSECustomerKeyMD5: 'of another key' }) },
    /^the answer to the PUT names another client key than the one that was sent \(empty, small, 1 MiB\)$/,
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
    /^bucket archive: default encryption is aws:kms under other-key, declared aws:kms under archive-key; bucket archive: versioning is suspended, declared on$/,
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

test('what does not reach MinIO, or finds it starting, is no failure of encryption', async () => {
  const everywhere = (error: Error): Answers => {
    const answer = (): never => {
      throw error;
    };
    return { PutObjectCommand: answer, CreateMultipartUploadCommand: answer };
  };
  const unreachable = await run('sse-s3-round-trip', everywhere(new Error('connect ECONNREFUSED')));
  expect(unreachable).toMatchObject({ status: 'could-not-check', message: 'connect ECONNREFUSED' });
  const starting = await run('sse-s3-round-trip', everywhere(refusal(503, 'XMinioServerNotInitialized')));
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
