/**
 * Encrypts objects that were written without encryption: each is written again under its bucket's key.
 *
 * Not by CopyObject onto itself: MinIO compares the ETag of the source before it takes the lock of the object
 * (cmd/object-handlers.go), so what a client writes in between would be overwritten. PUT and the end of a multipart upload
 * compare it under that lock: docs/adr/0062.
 */
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  type CompletedPart,
  CreateMultipartUploadCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
  type GetObjectCommandOutput,
  GetObjectLockConfigurationCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  PutObjectCommand,
  type S3Client,
  S3ServiceException,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3';
import { atATime } from '../../lib/at-a-time';
import { listedVersions, type ListedVersion } from './listed-versions';
import { bytesOf } from '../s3-client';

/** Up to this size an object passes through the memory of this process, and keeps the kind of its ETag. */
export const WHOLE_BYTES = 16 * 1024 * 1024;
const PART_BYTES = 64 * 1024 * 1024;
const MOST_PARTS = 10_000;
/** Objects at a time. */
const AT_A_TIME = 4;
/** An object that changes more often while it is written again is left. */
const TRIES = 3;
/** So many names are kept of each kind; the others are counted. */
export const MOST_NAMES = 10_000;

/**
 * Why a version is plain still.
 *
 * - `current`: it could not be written again; or nothing is written
 * - `older`: another version is the current one, and a copy would take its place
 * - `locked`: by legal hold or retention; a copy would not take it away
 */
export type Kind = 'current' | 'older' | 'locked';

export interface Left {
  readonly count: number;
  /** `key`, or `key (version id)`; with why, where writing failed. The first {@link MOST_NAMES}. */
  readonly names: readonly string[];
}

export interface Encrypted {
  readonly bucket: string;
  /** Versions that were looked at. */
  readonly looked: number;
  /** Objects that were written again. */
  readonly encrypted: number;
  /** Versions that are plain still. */
  readonly left: Readonly<Record<Kind, Left>>;
}

interface Options {
  /** Whether nothing is written. */
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
  readonly report: (text: string) => void;
}

/** Encrypts the current versions of a bucket. What is encrypted already is not touched, so that it can be run again. */
export async function encryptBucket(s3: S3Client, bucket: string, options: Options): Promise<Encrypted> {
  const { dryRun, signal, report } = options;
  const left = { current: new Names(), older: new Names(), locked: new Names() };
  let looked = 0;
  let encrypted = 0;
  const suspended = (await s3.send(new GetBucketVersioningCommand({ Bucket: bucket }))).Status === 'Suspended';
  for await (const { versions } of listedVersions(s3, bucket)) {
    signal.throwIfAborted();
    looked += versions.length;
    const plain = versions.filter((version) => !version.encrypted);
    await atATime(AT_A_TIME, plain, async (version) => {
      signal.throwIfAborted();
      if (version.locked) left.locked.add(version);
      else if (!version.latest) left.older.add(version);
      else if (dryRun) left.current.add(version);
      else {
        const { written, why } = await encrypt(s3, { Bucket: bucket, Key: version.key }, suspended);
        if (written) encrypted += 1;
        if (why !== undefined) left.current.add(version, why);
        // where versions are kept, it is behind the new one
        else if (await isPlain(s3, bucket, version)) left.older.add(version);
        report(`${bucket}: ${looked} looked at, ${encrypted} encrypted`);
      }
    });
    report(`${bucket}: ${looked} looked at, ${encrypted} encrypted`);
  }
  return { bucket, looked, encrypted, left };
}

/** For how long what is written to a bucket is locked, if its client says nothing of it: `30 days`. */
export async function defaultRetention(s3: S3Client, Bucket: string): Promise<string | undefined> {
  try {
    const { ObjectLockConfiguration } = await s3.send(new GetObjectLockConfigurationCommand({ Bucket }));
    const { Days, Years } = ObjectLockConfiguration?.Rule?.DefaultRetention ?? {};
    if (Years !== undefined) return `${Years} years`;
    return Days === undefined ? undefined : `${Days} days`;
  } catch (error) {
    if (error instanceof S3ServiceException && error.$metadata.httpStatusCode === 404) return undefined;
    throw error;
  }
}

class Names implements Left {
  count = 0;
  readonly names: string[] = [];

  add({ key, versionId }: ListedVersion, why?: string): void {
    this.count += 1;
    if (this.names.length >= MOST_NAMES) return;
    const version = versionId === 'null' ? '' : ` (version ${versionId})`;
    this.names.push(`${key}${version}${why === undefined ? '' : `: ${why}`}`);
  }
}

/** @returns whether it was written again, and why it is plain still */
async function encrypt(
  s3: S3Client,
  object: ObjectName,
  suspended: boolean,
): Promise<{ readonly written: boolean; readonly why?: string }> {
  let written = false;
  for (let changes = 0; changes < TRIES;) {
    try {
      // of its encryption, the end of an upload in parts says nothing: so it is asked again
      const now = await s3.send(new HeadObjectCommand(object));
      if (isEncrypted(now)) return { written };
      if (written) return { written, why: 'MinIO wrote it again without encryption' };
      if (isLocked(now)) return { written, why: 'it has been locked since it was listed' };
      // what is written is version null then, and takes the place of one (cmd/xl-storage-format-v2.go, AddVersion)
      if (suspended && (now.VersionId ?? 'null') !== 'null' && (await hasVersionNull(s3, object)))
        return { written, why: 'versioning is suspended: its older version null would be overwritten' };
      const small = (now.ContentLength ?? 0) <= WHOLE_BYTES;
      written = await (small ? putAgain(s3, object) : copyInParts(s3, object, now));
    } catch (error) {
      // without its storage or its KMS, MinIO can do nothing with the others either
      if (!(error instanceof S3ServiceException) || (error.$metadata.httpStatusCode ?? 500) >= 500) throw error;
      if (error.$metadata.httpStatusCode === 404) return { written };
      if (error.name !== 'PreconditionFailed') return { written, why: `${error.name}: ${error.message}` };
      changes += 1;
    }
  }
  return { written, why: `it changed ${TRIES} times while it was written again` };
}

async function hasVersionNull(s3: S3Client, object: ObjectName): Promise<boolean> {
  try {
    await s3.send(new HeadObjectCommand({ ...object, VersionId: 'null' }));
    return true;
  } catch (error) {
    const status = error instanceof S3ServiceException ? (error.$metadata.httpStatusCode ?? 500) : 500;
    if (status >= 500) throw error;
    // 405: a delete marker. Others: MinIO says nothing of one that is there, such as one under a key of its client
    return status !== 404 && status !== 405;
  }
}

/** Whether a version is there, and plain. MinIO refuses to say anything of what is under a key of its client. */
async function isPlain(
  s3: S3Client,
  Bucket: string,
  { key: Key, versionId: VersionId }: ListedVersion,
): Promise<boolean> {
  try {
    return !isEncrypted(await s3.send(new HeadObjectCommand({ Bucket, Key, VersionId })));
  } catch (error) {
    const status = error instanceof S3ServiceException ? (error.$metadata.httpStatusCode ?? 500) : 500;
    if (status >= 500) throw error;
    return false;
  }
}

type Source = Pick<GetObjectCommandOutput, keyof HeadObjectCommandOutput & keyof GetObjectCommandOutput>;
interface ObjectName {
  readonly Bucket: string;
  readonly Key: string;
}

const isEncrypted = ({ ServerSideEncryption }: Pick<Source, 'ServerSideEncryption'>): boolean =>
  ServerSideEncryption !== undefined;

function isLocked({ ObjectLockLegalHoldStatus, ObjectLockRetainUntilDate }: Source): boolean {
  return ObjectLockLegalHoldStatus === 'ON' || Number(ObjectLockRetainUntilDate ?? 0) > Date.now();
}

/** @returns false if it was encrypted or locked since it was looked at */
async function putAgain(s3: S3Client, object: ObjectName): Promise<boolean> {
  const source = await s3.send(new GetObjectCommand(object));
  const Body = await bytesOf(source);
  if (isEncrypted(source) || isLocked(source)) return false;
  const said = await whatIsSaid(s3, object, source);
  await s3.send(new PutObjectCommand({ ...object, ...said, Body, IfMatch: source.ETag }));
  return true;
}

/** Inside MinIO: the content does not pass through this process. */
async function copyInParts(s3: S3Client, object: ObjectName, source: Source): Promise<true> {
  const { ContentLength: size = 0, ETag } = source;
  const partBytes = Math.max(PART_BYTES, Math.ceil(size / MOST_PARTS));
  const said = await whatIsSaid(s3, object, source);
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ ...object, ...said }));
  const upload = { ...object, UploadId };
  try {
    const Parts: CompletedPart[] = [];
    for (let start = 0; start < size; start += partBytes) {
      const PartNumber = Parts.length + 1;
      const part = {
        ...upload,
        PartNumber,
        CopySource: `${object.Bucket}/${object.Key.split('/').map(encodeURIComponent).join('/')}`,
        CopySourceRange: `bytes=${start}-${Math.min(start + partBytes, size) - 1}`,
        CopySourceIfMatch: ETag,
      };
      const { CopyPartResult } = await s3.send(new UploadPartCopyCommand(part));
      Parts.push({ PartNumber, ETag: CopyPartResult?.ETag });
    }
    await s3.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts }, IfMatch: ETag }));
    return true;
  } catch (error) {
    // its parts are not in the bucket and would outlive it; what went wrong matters more than whether this works
    await s3.send(new AbortMultipartUploadCommand(upload)).catch(() => undefined);
    throw error;
  }
}

/** What a client said of its object. A lock is none of it: what is locked is left. */
async function whatIsSaid(s3: S3Client, object: ObjectName, source: Source) {
  const { TagSet = [] } = await s3.send(new GetObjectTaggingCommand(object));
  const tags = new URLSearchParams();
  for (const { Key = '', Value = '' } of TagSet) tags.append(Key, Value);
  const Tagging = tags.toString();
  const { CacheControl, ContentDisposition, ContentEncoding, ContentLanguage, ContentType } = source;
  const { ExpiresString, Metadata, StorageClass, WebsiteRedirectLocation } = source;
  return {
    ...{ CacheControl, ContentDisposition, ContentEncoding, ContentLanguage, ContentType },
    ...{ Metadata, StorageClass, WebsiteRedirectLocation },
    ...(ExpiresString === undefined ? {} : { Expires: new Date(ExpiresString) }),
    ...(Tagging === '' ? {} : { Tagging }),
  };
}
