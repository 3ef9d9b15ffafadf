/** A sample of what is stored, read before and after its keys moved. Clients write and delete meanwhile. */
import { GetObjectCommand, ListBucketsCommand, ListObjectsV2Command, type S3Client } from '@aws-sdk/client-s3';
import { createHash } from 'node:crypto';
import { ExternalError, messageOf } from '../../lib/errors';
import { bytesOf } from '../../minio/s3-client';

/** Of each bucket, and of each object: enough to open its data key, and to verify what was encrypted with it. */
const OBJECTS = 3;
const BYTES = 1024 * 1024;

/** Which bytes of which object; of one version, where the bucket has versions. */
interface Place {
  readonly Bucket: string;
  readonly Key: string;
  readonly VersionId?: string;
  readonly Range?: string;
}

/** The beginning of an object as it was read. */
export interface Sample {
  readonly place: Place;
  readonly etag: string | undefined;
  readonly sha256: string;
}

/**
 * What S3 says when the object that was meant is gone, or another one is in its place: shorter (InvalidRange), one that
 * only its client can open (InvalidRequest, SSE-C), or the mark of its deletion (MethodNotAllowed). A lost key has
 * another name.
 */
const NOT_THERE = new Set([
  'NoSuchBucket',
  'NoSuchKey',
  'NoSuchVersion',
  'InvalidRange',
  'InvalidRequest',
  'MethodNotAllowed',
]);

/** Reads up to three objects of each bucket. What only its client can open (SSE-C) is left out. */
export async function takeSamples(s3: S3Client): Promise<Sample[]> {
  const samples: (Sample | undefined)[] = [];
  const { Buckets = [] } = await s3.send(new ListBucketsCommand({}));
  for (const { Name: Bucket = '' } of Buckets) {
    const listed = await unlessGone(s3.send(new ListObjectsV2Command({ Bucket, MaxKeys: OBJECTS })));
    for (const { Key = '', Size = 0 } of listed?.Contents ?? []) {
      const Range = Size > 0 ? `bytes=0-${Math.min(Size, BYTES) - 1}` : undefined;
      samples.push(await unlessGone(read(s3, { Bucket, Key, ...(Range === undefined ? {} : { Range }) })));
    }
  }
  return samples.filter((sample) => sample !== undefined);
}

/**
 * Reads the samples again. What clients have changed or deleted since is left out.
 *
 * @returns how many were compared, and how many were not
 * @throws ExternalError if an object cannot be opened, or has another content although nobody wrote it; and if there was
 * something to compare and all of it is gone
 */
export async function requireSame(s3: S3Client, before: readonly Sample[]): Promise<string> {
  const broken: string[] = [];
  let same = 0;
  for (const { place, etag, sha256 } of before) {
    const name = `${place.Bucket}/${place.Key}`;
    try {
      const now = await unlessGone(read(s3, place));
      if (now === undefined || now.etag !== etag) continue;
      if (now.sha256 === sha256) same += 1;
      else broken.push(`${name} (another content under the same ETag)`);
    } catch (error) {
      broken.push(`${name} (${messageOf(error)})`);
    }
  }
  if (broken.length > 0) {
    throw new ExternalError(
      `${broken.join(', ')} cannot be read as before`,
      'the keys open their canaries, so this is something else: look at the log of MinIO',
    );
  }
  const changed = before.length - same;
  if (same === 0 && changed > 0) {
    throw new ExternalError(
      `nothing could be compared: clients have changed or deleted every sampled object, ${changed} in all`,
      'run it again: it takes other samples',
    );
  }
  return `${same} read as before${changed === 0 ? '' : `; clients changed or deleted ${changed} meanwhile`}`;
}

async function read(s3: S3Client, place: Place): Promise<Sample> {
  const answer = await s3.send(new GetObjectCommand(place));
  const { ETag, VersionId } = answer;
  const bytes = await bytesOf(answer);
  return {
    place: VersionId === undefined ? place : { ...place, VersionId },
    etag: ETag,
    sha256: createHash('sha256').update(bytes).digest('hex'),
  };
}

async function unlessGone<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (NOT_THERE.has((error as Error).name)) return undefined;
    throw error;
  }
}
