/** What is written into the copy of a drill, and read again after its disaster. */
import {
  CreateBucketCommand,
  GetObjectCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  type S3Client,
} from '@aws-sdk/client-s3';
import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Environment } from '../../../config/environment';
import { minioKeys } from '../../../config/keys/master-keys';
import { ExternalError, messageOf } from '../../lib/errors';
import { bytesOf, openS3 } from '../../minio/s3-client';
import type { LoadedEnvironment } from '../../state/load';

const KIB = 1024;

/** Around every border: empty, inline in the metadata, in a file of its own, several DARE packages. */
const SIZES = [0, 1, 4 * KIB, 128 * KIB, 128 * KIB + 1, 1024 * KIB] as const;

const BUCKET = 'ebs-drill';

/** An object that was written, and what it must be when it is read. */
export interface DrillObject {
  readonly bucket: string;
  readonly key: string;
  readonly sha256: string;
  /** The client's own key, for SSE-C. */
  readonly customerKey?: string;
}

interface Mode {
  readonly name: string;
  readonly bucket: string;
  readonly options: Partial<PutObjectCommandInput>;
  readonly customerKey?: string;
}

/** Writes objects of all sizes in every mode of encryption, under every master key. */
export async function writeObjects({ environment, state }: LoadedEnvironment): Promise<DrillObject[]> {
  const s3 = openS3({ environment, state });
  try {
    await s3.send(new CreateBucketCommand({ Bucket: BUCKET }));
    const written: DrillObject[] = [];
    for (const { name, bucket, options, customerKey } of modesOf(environment)) {
      for (const size of SIZES) {
        const body = randomBytes(size);
        // operations may write nothing else into a declared bucket
        const key = `ebs-check-drill/${name}/${size}`;
        await s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body, ...options }));
        written.push({ bucket, key, sha256: sha256(body), ...(customerKey === undefined ? {} : { customerKey }) });
      }
    }
    return written;
  } finally {
    s3.destroy();
  }
}

function modesOf(environment: Environment): Mode[] {
  const customerKey = randomBytes(32).toString('base64');
  return [
    { name: 'no header', bucket: BUCKET, options: {} },
    { name: 'SSE-S3', bucket: BUCKET, options: { ServerSideEncryption: 'AES256' } },
    {
      name: 'SSE-C',
      bucket: BUCKET,
      options: { SSECustomerAlgorithm: 'AES256', SSECustomerKey: customerKey },
      customerKey,
    },
    ...minioKeys(environment).map((key): Mode => ({
      name: `SSE-KMS ${key}`,
      bucket: BUCKET,
      options: { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: key },
    })),
    ...environment.buckets.map(({ name }): Mode => ({ name: 'as the bucket has it', bucket: name, options: {} })),
  ];
}

/**
 * Opens every object and compares its hash.
 *
 * @throws ExternalError that names those that do not open, or are not what was written
 */
export async function openObjects(loaded: LoadedEnvironment, objects: readonly DrillObject[]): Promise<void> {
  const s3 = openS3(loaded);
  const lost: string[] = [];
  try {
    for (const object of objects) {
      const problem = await problemOf(s3, object);
      if (problem !== undefined) lost.push(`${object.bucket}/${object.key}: ${problem}`);
    }
  } finally {
    s3.destroy();
  }
  if (lost.length === 0) return;
  throw new ExternalError(`${lost.length} of ${objects.length} objects are lost:\n  ${lost.join('\n  ')}`);
}

/** Tries one object until it opens. @returns undefined once the signal is aborted */
export async function firstOpening(
  loaded: () => LoadedEnvironment,
  object: DrillObject,
  signal: AbortSignal,
): Promise<Date | undefined> {
  while (!signal.aborted) {
    try {
      const s3 = openS3(loaded(), { attempts: 1 });
      const problem = await problemOf(s3, object);
      s3.destroy();
      if (problem === undefined) return new Date();
    } catch {
      // its certificates and credentials are not restored yet
    }
    await delay(250, undefined, { signal }).catch(() => undefined);
  }
  return undefined;
}

async function problemOf(
  s3: S3Client,
  { bucket, key, customerKey, sha256: expected }: DrillObject,
): Promise<string | undefined> {
  try {
    const answer = await s3.send(
      new GetObjectCommand({
        Bucket: bucket,
        Key: key,
        ...(customerKey === undefined ? {} : { SSECustomerAlgorithm: 'AES256', SSECustomerKey: customerKey }),
      }),
    );
    const read = sha256(await bytesOf(answer));
    return read === expected ? undefined : 'it is not what was written';
  } catch (error) {
    return `${(error as Error).name}: ${messageOf(error)}`;
  }
}

function sha256(data: Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}
