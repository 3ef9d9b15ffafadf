/** What `xl.meta` says about each version of an object (minio/minio, cmd/xl-storage-format-v2.go). */
import { decode, decodeMulti } from '@msgpack/msgpack';
import { z } from 'zod';

/** How the data key of one version is sealed. */
export type Sealing =
  | { readonly by: 'sse-s3' | 'sse-kms'; readonly masterKey: string }
  /** SSE-C, or not encrypted at all. */
  | { readonly by: 'no master key' };

const MAGIC = 'XL2 ';
/** Magic and version, then the header of a binary value with four bytes of length. */
const HEADER_BYTES = 13;
const BIN_32 = 0xc6;

const DELETE_MARKER = 2;
/** Names of metadata (internal/crypto/metadata.go). */
const SSE = 'X-Minio-Internal-Server-Side-Encryption-';

/** The id of a version that S3 calls `null`: the only one in a bucket that has never had versioning. */
const NULL_ID = Buffer.alloc(16);

const bytes = z.instanceof(Uint8Array);

const version = z.object({
  Type: z.number(),
  V2Obj: z
    .object({
      ID: bytes,
      DDir: bytes.optional(),
      EcM: z.number().optional(),
      EcBSize: z.number().optional(),
      EcIndex: z.number().optional(),
      Size: z.number().optional(),
      MTime: z.number().optional(),
      MetaSys: z.record(z.string(), bytes).nullish(),
    })
    .optional(),
  DelObj: z.object({ ID: bytes }).optional(),
});

export interface ObjectVersions {
  /** Of each version that holds data; a delete marker is none. */
  readonly sealings: readonly Sealing[];
  /** Whether a version, or a delete marker, has an id: there may be several then, and their order matters. */
  readonly withId: boolean;
  /** Tells an earlier state of the file from a later one, by its newest version. */
  readonly modified: number;
  /** On so many drives a state must be, or MinIO reads an earlier one. */
  readonly dataShards: number;
}

/** How the newest version of a file is spread over drives, and which part of it this drive has. */
export interface ShardInfo {
  /** Number of the shard; those after `dataShards` are parity. */
  readonly index: number;
  readonly dataShards: number;
  readonly blockSize: number;
  /** Of the file. */
  readonly size: number;
  /** Tells an earlier state of the file from a later one. */
  readonly modified: number;
  /** In which the data is, if not in `xl.meta` itself. */
  readonly folder: string;
}

/**
 * @returns undefined where the newest version holds no data
 * @throws Error if it is of a format that this MinIO does not write
 */
export function shardInfo(content: Buffer): ShardInfo | undefined {
  const [newest] = allVersions(content);
  if (newest?.V2Obj === undefined) return undefined;
  const { EcIndex, EcM, EcBSize, Size, MTime, DDir } = newest.V2Obj;
  if (EcIndex === undefined || EcM === undefined || EcBSize === undefined || Size === undefined) {
    throw new Error('xl.meta has another format');
  }
  return {
    index: EcIndex,
    dataShards: EcM,
    blockSize: EcBSize,
    size: Size,
    modified: MTime ?? 0,
    folder: Buffer.from(DDir ?? [])
      .toString('hex')
      .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'),
  };
}

/**
 * All versions of an object.
 *
 * @throws Error if it is of a format that this MinIO does not write
 */
export function versionsOf(content: Buffer): ObjectVersions {
  const versions = allVersions(content);
  const { MTime: modified = 0, EcM: dataShards = 1 } = versions[0]?.V2Obj ?? {};
  return { sealings: versions.flatMap(sealingOf), withId: versions.some(hasId), modified, dataShards };
}

/** The newest first. */
function allVersions(content: Buffer): z.infer<typeof version>[] {
  if (content.subarray(0, 4).toString('latin1') !== MAGIC || content[8] !== BIN_32) throw new Error('it is no xl.meta');
  const end = HEADER_BYTES + content.readUInt32BE(9);
  if (end > content.length) throw new Error('xl.meta was cut off');
  const [headerVersion, metadataVersion, count, ...rest] = [...decodeMulti(content.subarray(HEADER_BYTES, end))];
  if (typeof headerVersion !== 'number' || typeof metadataVersion !== 'number' || rest.length !== 2 * Number(count)) {
    throw new Error('xl.meta has another format');
  }
  // header and metadata in turn
  return rest.flatMap((part, index) => (index % 2 === 0 ? [] : [version.parse(decode(bytes.parse(part)))]));
}

function hasId({ V2Obj, DelObj }: z.infer<typeof version>): boolean {
  const id = (V2Obj ?? DelObj)?.ID;
  // what does not say it is rather left alone
  return id === undefined || !NULL_ID.equals(id);
}

function sealingOf({ Type, V2Obj }: z.infer<typeof version>): Sealing[] {
  if (V2Obj === undefined) {
    if (Type !== DELETE_MARKER) throw new Error('xl.meta has another format');
    return [];
  }
  const metadata = V2Obj.MetaSys ?? {};
  const masterKey = metadata[`${SSE}S3-Kms-Key-Id`];
  if (masterKey === undefined) return [{ by: 'no master key' }];
  const by = metadata[`${SSE}Kms-Sealed-Key`] === undefined ? 'sse-s3' : 'sse-kms';
  return [{ by, masterKey: Buffer.from(masterKey).toString('utf8') }];
}
