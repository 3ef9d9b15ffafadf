/** Objects of the kinds that MinIO stores in different ways. */
import { randomBytes } from 'node:crypto';
import { claimed, type Mode, requireClaim } from '../objects/modes';
import type { Evidence } from '../check';
import { get, type Place, put, putParts, requireSameBytes, sha256 } from '../objects/objects';

export const KIB = 1024;
export const MIB = 1024 * KIB;

/** The smallest that S3 takes, except for the last. */
export const PART = 5 * MIB;

/** MinIO keeps up to 128 KiB in the object’s metadata file, more in files of its own (storage-class.go). */
const SAMPLES = {
  empty: [0],
  small: [10 * KIB],
  '1 MiB': [MIB],
  // a size that is no multiple of anything
  multipart: [PART, 64 * KIB + 7],
} as const satisfies Record<string, readonly number[]>;
export type Sample = keyof typeof SAMPLES;
export const EVERY_SAMPLE = Object.keys(SAMPLES) as Sample[];

export interface Written {
  readonly key: string;
  readonly mode: Mode;
  readonly body: Buffer;
}

/**
 * Writes random bytes.
 *
 * @param claim.fix what to do if the answer says another encryption than it must
 */
export async function write(
  place: Place,
  key: string,
  mode: Mode,
  sample: Sample = 'small',
  claim: { readonly fix?: string | undefined } = {},
): Promise<Written> {
  const parts = SAMPLES[sample].map((size) => randomBytes(size));
  const [body = Buffer.alloc(0)] = parts;
  if (parts.length === 1) {
    requireClaim('the answer to the PUT', await put(place, key, body, mode.headers), mode, claim.fix);
    return { key, mode, body };
  }
  // MinIO says nothing about encryption before the object is read
  await putParts(place, key, parts, mode);
  return { key, mode, body: Buffer.concat(parts) };
}

/** Reads it back: the encryption it was written with, the same bytes. */
export async function readBack(
  place: Place,
  { key, mode, body }: Written,
  options: { readonly fix?: string | undefined; readonly VersionId?: string | undefined } = {},
): Promise<Evidence> {
  const { fix, ...version } = options;
  const { output, body: read } = await get(place, key, { ...mode.access, ...version });
  requireClaim('the answer to the GET', output, mode, fix);
  requireSameBytes('the GET', read, body);
  return { ...claimed(output), bytes: read.length, etag: etagOf(output), sha256: sha256(read) };
}

/** Without its quotes. */
export function etagOf({ ETag }: { readonly ETag?: string | undefined }): string {
  return ETag?.replaceAll('"', '') ?? 'none';
}
