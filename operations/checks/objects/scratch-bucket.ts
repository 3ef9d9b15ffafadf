/** Buckets that belong to one run of the checks and disappear with it. */
import {
  AbortMultipartUploadCommand,
  type BucketLocationConstraint,
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  type DeleteObjectCommandInput,
  ListBucketsCommand,
  ListMultipartUploadsCommand,
  ListObjectVersionsCommand,
  PutBucketEncryptionCommand,
  PutBucketVersioningCommand,
  PutObjectLockConfigurationCommand,
  type S3Client,
  S3ServiceException,
  type ServerSideEncryptionByDefault,
} from '@aws-sdk/client-s3';
import { randomBytes } from 'node:crypto';

const NAME = /^ebs-check-[0-9a-f]{16}$/;

/** Older than any run: what is left then belongs to one that was killed. */
const LEFTOVER_AGE_MS = 10 * 60 * 1000;

/** Whether a bucket belongs to a run, by its name. */
export function isScratchBucket(name: string): boolean {
  return NAME.test(name);
}

/** A name that no other run has. */
export function scratchBucketName(): string {
  return `ebs-check-${randomBytes(8).toString('hex')}`;
}

export interface ScratchBucketOptions {
  /** @default false */
  readonly versioning?: boolean;
  /** Default encryption. @default - none */
  readonly encryption?: ServerSideEncryptionByDefault;
  /** Object lock; `retained`: new versions are under GOVERNANCE for a day, unless they say otherwise. @default - none */
  readonly objectLock?: 'retained' | 'as-asked';
}

export async function createScratchBucket(
  s3: S3Client,
  bucket: string,
  region: string,
  { versioning = false, encryption, objectLock }: ScratchBucketOptions = {},
): Promise<void> {
  // Amazon must be told unless it is this one; MinIO does not mind
  const CreateBucketConfiguration =
    region === 'us-east-1' ? undefined : { LocationConstraint: region as BucketLocationConstraint };
  const lock = objectLock === undefined ? {} : { ObjectLockEnabledForBucket: true };
  await s3.send(new CreateBucketCommand({ Bucket: bucket, CreateBucketConfiguration, ...lock }));
  if (versioning) {
    const VersioningConfiguration = { Status: 'Enabled' } as const;
    await s3.send(new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration }));
  }
  if (objectLock === 'retained') {
    const Rule = { DefaultRetention: { Mode: 'GOVERNANCE', Days: 1 } } as const;
    const ObjectLockConfiguration = { ObjectLockEnabled: 'Enabled', Rule } as const;
    await s3.send(new PutObjectLockConfigurationCommand({ Bucket: bucket, ObjectLockConfiguration }));
  }
  if (encryption !== undefined) {
    const Rules = [{ ApplyServerSideEncryptionByDefault: encryption }];
    const request = { Bucket: bucket, ServerSideEncryptionConfiguration: { Rules } };
    await s3.send(new PutBucketEncryptionCommand(request));
  }
}

/**
 * Deletes the bucket with everything in it, in one request of MinIO's own kind: listing would need a working KMS
 * (cmd/bucket-listobjects-handlers.go, DecryptETags), and broken ones are what the checks are for. A server that does not
 * know that kind gets it emptied first.
 *
 * What was uploaded of objects that were never completed goes before: MinIO keeps it for a day when its bucket is gone
 * (cmd/erasure-server-pool.go, DeleteBucket), and it can no longer be aborted. It is listed from memory, without a KMS.
 */
export async function deleteScratchBucket(s3: S3Client, bucket: string): Promise<void> {
  if (!NAME.test(bucket)) throw new Error(`${bucket} is not a bucket of the checks`);
  const command = new DeleteBucketCommand({ Bucket: bucket });
  command.middlewareStack.add(
    (next) => (args) => {
      (args.request as { headers: Record<string, string> }).headers['x-minio-force-delete'] = 'true';
      return next(args);
    },
    { step: 'build', name: 'forceDelete' },
  );
  try {
    await abortUploads(s3, bucket);
    await s3.send(command);
  } catch (error) {
    const { name } = error as Error;
    if (name === 'NoSuchBucket') return;
    // the second is what MinIO says where there is object lock (cmd/bucket-handlers.go, DeleteBucketHandler)
    if (name !== 'BucketNotEmpty' && name !== 'MethodNotAllowed') throw error;
    await emptyBucket(s3, bucket);
    await s3.send(new DeleteBucketCommand({ Bucket: bucket }));
  }
}

/**
 * Deletes every version of every object.
 *
 * @throws if one is still there after it was deleted: without its version, a DELETE only adds a marker, again and again
 */
async function emptyBucket(s3: S3Client, Bucket: string): Promise<void> {
  const deleted = new Set<string>();
  for (;;) {
    const { Versions = [], DeleteMarkers = [] } = await s3.send(new ListObjectVersionsCommand({ Bucket }));
    const found = [...Versions, ...DeleteMarkers];
    if (found.length === 0) break;
    for (const { Key = '', VersionId = '' } of found) {
      const version = `${Key}?versionId=${VersionId}`;
      if (deleted.has(version)) throw new Error(`${version} is still there after it was deleted`);
      deleted.add(version);
    }
    await Promise.all(
      found.map(async (version) => deleteVersion(s3, { Bucket, Key: version.Key, VersionId: version.VersionId })),
    );
  }
}

/** What a check put under retention, it put under GOVERNANCE. */
async function deleteVersion(s3: S3Client, version: DeleteObjectCommandInput): Promise<void> {
  try {
    await s3.send(new DeleteObjectCommand(version));
  } catch (error) {
    if (!(error instanceof S3ServiceException) || error.$metadata.httpStatusCode === 503) throw error;
    await s3.send(new DeleteObjectCommand({ ...version, BypassGovernanceRetention: true }));
  }
}

/** What was uploaded of objects that were not completed, as far as the server has it: the bucket goes all the same. */
async function abortUploads(s3: S3Client, Bucket: string): Promise<void> {
  try {
    const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket }));
    const abort = async ({ Key, UploadId }: (typeof Uploads)[number]) =>
      s3.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }));
    await Promise.allSettled(Uploads.map(abort));
  } catch {
    // what is wrong with the bucket is said when it is deleted
  }
}

/**
 * Buckets that killed runs left behind.
 *
 * @param declared names that belong to the environment, whatever they look like
 */
export async function leftoverBuckets(
  s3: S3Client,
  declared: readonly string[],
  now: Date = new Date(),
): Promise<string[]> {
  const { Buckets = [] } = await s3.send(new ListBucketsCommand({}));
  return Buckets.flatMap(({ Name = '', CreationDate }) => {
    const old = CreationDate !== undefined && now.getTime() - CreationDate.getTime() > LEFTOVER_AGE_MS;
    return old && NAME.test(Name) && !declared.includes(Name) ? [Name] : [];
  });
}
