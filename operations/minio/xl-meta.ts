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

const version = z.object({
  Type: z.number(),
  V2Obj: z
    .object({
      ID: z.instanceof(Uint8Array),
      MetaSys: z.record(z.string(), z.instanceof(Uint8Array)).nullish(),
    })
    .optional(),
  DelObj: z.object({ ID: z.instanceof(Uint8Array) }).optional(),
});

export interface ObjectVersions {
  /** Of each version that holds data; a delete marker is none. */
  readonly sealings: readonly Sealing[];
  /** Whether a version, or a delete marker, has an id: there may be several then, and their order matters. */
  readonly withId: boolean;
}

/**
 * All versions of an object.
 *
 * @throws Error if it is of a format that this MinIO does not write
 */
export function versionsOf(content: Buffer): ObjectVersions {
  if (content.subarray(0, 4).toString('latin1') !== MAGIC || content[8] !== BIN_32) throw new Error('it is no xl.meta');
  const end = HEADER_BYTES + content.readUInt32BE(9);
  if (end > content.length) throw new Error('xl.meta was cut off');
  const [headerVersion, metadataVersion, count, ...rest] = [...decodeMulti(content.subarray(HEADER_BYTES, end))];
  if (typeof headerVersion !== 'number' || typeof metadataVersion !== 'number' || rest.length !== 2 * Number(count)) {
    throw new Error('xl.meta has another format');
  }
  // header and metadata in turn
  const versions = rest.flatMap((part, index) =>
    index % 2 === 0 ? [] : [version.parse(decode(z.instanceof(Uint8Array).parse(part)))],
  );
  return {
    sealings: versions.flatMap(sealingOf),
    withId: versions.some(hasId),
  };
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
