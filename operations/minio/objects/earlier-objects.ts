/**
 * Objects that a deploy leaves behind, so that every later run of the checks can see whether what was written long ago
 * still opens: docs/adr/0014-earlier-objects.md.
 */
import { CreateBucketCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import { EARLIER_OBJECTS_BUCKET } from '../../../config/deployment-names';
import { minioKeys } from '../../../config/keys/master-keys';
import type { LoadedEnvironment } from '../../state/load';
import { ExternalError } from '../../lib/errors';
import { readIfExists, writeFileAtomically } from '../../lib/files';
import { openS3 } from '../s3-client';

const earlierObject = z.strictObject({
  /** Name of the object in {@link EARLIER_OBJECTS_BUCKET}. */
  key: z.string(),
  encryption: z.enum(['AES256', 'aws:kms']),
  masterKey: z.string(),
  bytes: z.int(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  writtenAt: z.iso.datetime(),
});
export type EarlierObject = z.infer<typeof earlierObject>;

const file = z.strictObject({ version: z.literal(1), objects: z.array(earlierObject) });

/** MinIO keeps the first inside its metadata and the second in a file of its own. */
const SIZES = [1024, 256 * 1024] as const;

/** The objects of a file; none if there is no file. */
export function readEarlierObjects(path: string): EarlierObject[] {
  const text = readIfExists(path);
  if (text === undefined) return [];
  try {
    return file.parse(JSON.parse(text)).objects;
  } catch {
    throw new ExternalError(
      `${path} is not a record of earlier objects`,
      'put it back from a backup; if there is none, remove it, and the next deploy begins a new one',
    );
  }
}

/**
 * Notes that the objects under one master key are under another now, after MinIO has sealed their data keys anew.
 *
 * @returns how many those are
 */
export function followKey(path: string, { from, to }: { readonly from: string; readonly to: string }): string {
  const objects = readEarlierObjects(path);
  const moved = objects.filter(({ masterKey }) => masterKey === from).length;
  const followed = objects.map((one) => (one.masterKey === from ? { ...one, masterKey: to } : one));
  if (moved > 0) write(path, followed);
  return `${moved} objects`;
}

/** Leaves an object of each size under each master key and in each mode for which there is none yet. */
export async function leaveObjects({ environment, state }: LoadedEnvironment): Promise<void> {
  const present = readEarlierObjects(state.earlierObjects);
  const missing = wanted(minioKeys(environment), environment.minio.defaultKey).filter(
    ({ encryption, masterKey, bytes }) =>
      !present.some((one) => one.encryption === encryption && one.masterKey === masterKey && one.bytes === bytes),
  );
  if (missing.length === 0) return;
  const s3 = openS3({ environment, state });
  try {
    await makeBucket(s3);
    const left: EarlierObject[] = [];
    for (const one of missing) left.push(await leave(s3, one));
    write(state.earlierObjects, [...present, ...left]);
  } finally {
    s3.destroy();
  }
}

function write(path: string, objects: readonly EarlierObject[]): void {
  writeFileAtomically(path, `${JSON.stringify({ version: 1, objects }, null, 2)}\n`, 0o644);
}

type Wanted = Pick<EarlierObject, 'encryption' | 'masterKey' | 'bytes'>;

function wanted(keys: readonly string[], defaultKey: string): Wanted[] {
  const modes: Omit<Wanted, 'bytes'>[] = [
    { encryption: 'AES256', masterKey: defaultKey },
    ...keys.map((masterKey) => ({ encryption: 'aws:kms' as const, masterKey })),
  ];
  return modes.flatMap((mode) => SIZES.map((bytes) => ({ ...mode, bytes })));
}

async function leave(s3: S3Client, { encryption, masterKey, bytes }: Wanted): Promise<EarlierObject> {
  const body = randomBytes(bytes);
  const sha256 = createHash('sha256').update(body).digest('hex');
  const key = `${encryption === 'AES256' ? 'sse-s3' : 'sse-kms'}/${masterKey}/${bytes}-${sha256.slice(0, 16)}`;
  const request = { Bucket: EARLIER_OBJECTS_BUCKET, Key: key, Body: body, ServerSideEncryption: encryption };
  await s3.send(new PutObjectCommand(encryption === 'AES256' ? request : { ...request, SSEKMSKeyId: masterKey }));
  return { key, encryption, masterKey, bytes, sha256, writtenAt: new Date().toISOString() };
}

async function makeBucket(s3: S3Client): Promise<void> {
  try {
    await s3.send(new CreateBucketCommand({ Bucket: EARLIER_OBJECTS_BUCKET }));
  } catch (error) {
    if ((error as Error).name !== 'BucketAlreadyOwnedByYou') throw error;
  }
}
