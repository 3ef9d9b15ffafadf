/** Buckets that belong to one run of the checks and disappear with it. */
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  ListBucketsCommand,
  PutBucketEncryptionCommand,
  PutBucketVersioningCommand,
  type S3Client,
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
}

export async function createScratchBucket(
  s3: S3Client,
  bucket: string,
  { versioning = false, encryption }: ScratchBucketOptions = {},
): Promise<void> {
  await s3.send(new CreateBucketCommand({ Bucket: bucket }));
  if (versioning) {
    const VersioningConfiguration = { Status: 'Enabled' } as const;
    await s3.send(new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration }));
  }
  if (encryption !== undefined) {
    const Rules = [{ ApplyServerSideEncryptionByDefault: encryption }];
    const request = { Bucket: bucket, ServerSideEncryptionConfiguration: { Rules } };
    await s3.send(new PutBucketEncryptionCommand(request));
  }
}

/**
 * Deletes the bucket with everything in it, in one request of MinIO's own kind: listing would need a working KMS
 * (cmd/bucket-listobjects-handlers.go, DecryptETags), and broken ones are what the checks are for.
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
    await s3.send(command);
  } catch (error) {
    if ((error as Error).name !== 'NoSuchBucket') throw error;
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
