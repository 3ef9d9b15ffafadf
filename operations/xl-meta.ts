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

const version = z.object({
  Type: z.number(),
  V2Obj: z.object({ MetaSys: z.record(z.string(), z.instanceof(Uint8Array)).nullish() }).optional(),
});

/**
 * The versions of an object that hold data; delete markers are none.
 *
 * @throws Error if it is of a format that this MinIO does not write
 */
export function sealingsOf(content: Buffer): Sealing[] {
  if (content.subarray(0, 4).toString('latin1') !== MAGIC || content[8] !== BIN_32) throw new Error('it is no xl.meta');
  const end = HEADER_BYTES + content.readUInt32BE(9);
  if (end > content.length) throw new Error('xl.meta was cut off');
  const [headerVersion, metadataVersion, count, ...rest] = [...decodeMulti(content.subarray(HEADER_BYTES, end))];
  if (typeof headerVersion !== 'number' || typeof metadataVersion !== 'number' || rest.length !== 2 * Number(count)) {
    throw new Error('xl.meta has another format');
  }
  // header and metadata in turn
  return rest.flatMap((part, index) =>
    index % 2 === 0 ? [] : sealingOf(version.parse(decode(z.instanceof(Uint8Array).parse(part)))),
  );
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
