import {
  CreateBucketCommand,
  GetBucketVersioningCommand,
  GetObjectLockConfigurationCommand,
  HeadBucketCommand,
  type LifecycleRule,
  type ObjectLockRule,
  PutBucketEncryptionCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketTaggingCommand,
  PutBucketVersioningCommand,
  PutObjectLockConfigurationCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import type { OperationInput } from '../../../config/operation-inputs';
import { DENY_SSE_C_POLICY, denySseCPolicy } from '../../../config/minio/sse-c-policy';
import { ExternalError, messageOf } from '../../lib/errors';
import { dockerEngine, waitUntilHealthy } from '../../docker/docker';
import { provisionAuditWebhook } from '../webhooks/audit-webhook';
import { provisionWebhooks, putEventRules } from '../webhooks/event-webhooks';
import { provisionMetricsReader } from '../metrics-reader';
import { MinioAdmin } from '../minio-admin';
import { readCredentials, s3Client } from '../s3-client';

type Input = OperationInput<'provision-buckets'>;
type Bucket = Input['buckets'][number];

/**
 * Makes the buckets what they are declared to be, and what policies and users go with them.
 *
 * @param restart starts MinIO again, for tests
 */
export async function provisionBuckets(input: Input, restart = restartContainer): Promise<void> {
  const { endpoint, region, operationsFile, iamFile } = input;
  const operations = readCredentials(operationsFile);
  const admin = new MinioAdmin(endpoint, region, operations);
  const iam = new MinioAdmin(endpoint, region, readCredentials(iamFile));
  const s3 = s3Client({ endpoint, region, credentials: operations });
  try {
    if (input.denySseC) await iam.putPolicy(DENY_SSE_C_POLICY, denySseCPolicy);
    if (input.audit !== undefined) await provisionAuditWebhook(admin, input.audit);
    if (input.metrics !== undefined) await provisionMetricsReader(iam, input.metrics);
    const { webhooks } = input;
    if (webhooks !== undefined) {
      await provisionWebhooks(admin, input.region, webhooks, async () => restart(webhooks.container));
    }
    for (const bucket of input.buckets) {
      await provision(s3, bucket);
      await putRules(s3, admin, bucket, input.region);
    }
  } finally {
    admin.close();
    iam.close();
    s3.destroy();
  }
}

async function restartContainer(name: string): Promise<void> {
  const container = dockerEngine().getContainer(name);
  await container.restart({ t: 30 });
  await waitUntilHealthy(container, name);
}

async function provision(s3: S3Client, bucket: Bucket): Promise<void> {
  const Bucket = bucket.name;
  if (await exists(s3, bucket.name)) {
    await requirePossible(s3, bucket);
  } else {
    await s3.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: bucket.objectLock }));
    process.stderr.write(`created bucket ${bucket.name}\n`);
  }
  await s3.send(
    new PutBucketEncryptionCommand({
      Bucket,
      ServerSideEncryptionConfiguration: {
        Rules: [
          {
            ApplyServerSideEncryptionByDefault:
              bucket.encryption.type === 'sse-s3'
                ? { SSEAlgorithm: 'AES256' }
                : { SSEAlgorithm: 'aws:kms', KMSMasterKeyID: bucket.encryption.key },
          },
        ],
      },
    }),
  );
  // object lock switches versioning on for good. Versioning that is not declared belongs to clients.
  // It is never suspended: every delete would leave a marker
  if (bucket.versioning === true && !bucket.objectLock) {
    await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }));
  }
}

/** What is declared besides; what is not declared is left as it is. */
async function putRules(s3: S3Client, admin: MinioAdmin, bucket: Bucket, region: string): Promise<void> {
  const { name: Bucket, retention, lifecycle, quotaGiB, tags, events } = bucket;
  if (retention !== undefined) {
    const ObjectLockConfiguration = { ObjectLockEnabled: 'Enabled', Rule: retentionRule(retention) } as const;
    await s3.send(new PutObjectLockConfigurationCommand({ Bucket, ObjectLockConfiguration }));
  }
  if (lifecycle !== undefined) {
    const LifecycleConfiguration = { Rules: s3LifecycleRules(lifecycle) };
    await s3.send(new PutBucketLifecycleConfigurationCommand({ Bucket, LifecycleConfiguration }));
  }
  if (quotaGiB !== undefined) await admin.setQuota(Bucket, quotaGiB * GIB);
  if (tags !== undefined) {
    const TagSet = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
    await s3.send(new PutBucketTaggingCommand({ Bucket, Tagging: { TagSet } }));
  }
  if (events !== undefined) await putEventRules(s3, Bucket, events, region);
}

export const GIB = 1024 ** 3;

export function retentionRule({ mode, days }: NonNullable<Bucket['retention']>): ObjectLockRule {
  return { DefaultRetention: { Mode: mode === 'compliance' ? 'COMPLIANCE' : 'GOVERNANCE', Days: days } };
}

/** One rule of S3 for each that is declared, by its place in the list. */
export function s3LifecycleRules(rules: NonNullable<Bucket['lifecycle']>): LifecycleRule[] {
  return rules.map(({ prefix = '', expireDays, expireNoncurrentDays }, index) => ({
    ID: `rule-${index + 1}`,
    Status: 'Enabled',
    Filter: { Prefix: prefix },
    ...(expireDays === undefined ? {} : { Expiration: { Days: expireDays } }),
    ...(expireNoncurrentDays === undefined
      ? {}
      : { NoncurrentVersionExpiration: { NoncurrentDays: expireNoncurrentDays } }),
  }));
}

async function exists(s3: S3Client, bucket: string): Promise<boolean> {
  try {
    await s3.send(new HeadBucketCommand({ Bucket: bucket }));
    return true;
  } catch (error) {
    if (statusOf(error) === 404) return false;
    throw new ExternalError(`bucket ${bucket} cannot be looked at: ${messageOf(error)}`);
  }
}

async function requirePossible(s3: S3Client, bucket: Bucket): Promise<void> {
  const problem = await bucketProblem(s3, bucket);
  if (problem !== undefined) throw new ExternalError(problem.said, problem.fix);
}

/** Why a bucket that exists cannot become the declared one. */
export async function bucketProblem(
  s3: S3Client,
  bucket: Pick<Bucket, 'name' | 'objectLock' | 'versioning'>,
): Promise<BucketProblem | undefined> {
  return (await objectLockProblem(s3, bucket)) ?? (await versioningProblem(s3, bucket));
}

interface BucketProblem {
  readonly said: string;
  readonly fix: string;
}

async function versioningProblem(
  s3: S3Client,
  { name, versioning }: Pick<Bucket, 'name' | 'versioning'>,
): Promise<BucketProblem | undefined> {
  if (versioning !== false) return undefined;
  const { Status } = await s3.send(new GetBucketVersioningCommand({ Bucket: name }));
  if (Status !== 'Enabled') return undefined;
  return {
    said: `bucket ${name} has versioning on, but is declared with versioning: false, and S3 cannot switch it off again`,
    fix: 'write versioning: true for it, or remove the line',
  };
}

/** S3 decides about object lock when a bucket is made, and never again. */
async function objectLockProblem(
  s3: S3Client,
  bucket: Pick<Bucket, 'name' | 'objectLock'>,
): Promise<BucketProblem | undefined> {
  let locked: boolean;
  try {
    const answer = await s3.send(new GetObjectLockConfigurationCommand({ Bucket: bucket.name }));
    locked = answer.ObjectLockConfiguration?.ObjectLockEnabled === 'Enabled';
  } catch (error) {
    if (statusOf(error) !== 404) throw error;
    locked = false;
  }
  if (locked === bucket.objectLock) return undefined;
  return {
    said: `bucket ${bucket.name} exists ${locked ? 'with' : 'without'} object lock, but is declared ${bucket.objectLock ? 'with' : 'without'} it, which can only be chosen when a bucket is made`,
    fix: `write objectLock: ${locked} for it, or declare a bucket of another name`,
  };
}

export function statusOf(error: unknown): number | undefined {
  return (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
}
