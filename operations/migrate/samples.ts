/** A sample of what is stored, read before and after its keys moved. */
import { GetObjectCommand, ListBucketsCommand, ListObjectsV2Command, type S3Client } from '@aws-sdk/client-s3';
import { createHash } from 'node:crypto';

/** Of each bucket, and of each object: enough to open its data key, and to verify what was encrypted with it. */
const OBJECTS = 3;
const BYTES = 1024 * 1024;

/** SHA-256 of the beginning of an object, by bucket and key. */
export type Samples = Readonly<Record<string, string>>;

/** Reads up to three objects of each bucket. What only its client can open (SSE-C) is left out. */
export async function takeSamples(s3: S3Client): Promise<Samples> {
  const samples: Record<string, string> = {};
  const { Buckets = [] } = await s3.send(new ListBucketsCommand({}));
  for (const { Name: Bucket } of Buckets) {
    const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket, MaxKeys: OBJECTS }));
    for (const { Key, Size = 0 } of Contents) {
      try {
        const Range = Size > 0 ? `bytes=0-${Math.min(Size, BYTES) - 1}` : undefined;
        const { Body } = await s3.send(
          new GetObjectCommand({ Bucket, Key, ...(Range === undefined ? {} : { Range }) }),
        );
        const bytes = (await Body?.transformToByteArray()) ?? new Uint8Array();
        samples[`${Bucket}/${Key}`] = createHash('sha256').update(bytes).digest('hex');
      } catch (error) {
        if ((error as { name?: string }).name !== 'InvalidRequest') throw error;
      }
    }
  }
  return samples;
}

/** The objects of the earlier samples that cannot be told from what they were. */
export function differing(before: Samples, after: Samples): string[] {
  return Object.keys(before).filter((name) => before[name] !== after[name]);
}
