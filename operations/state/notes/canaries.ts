/**
 * Canaries: for each master key a data key that it sealed at its birth. As long as the master key opens it, and the
 * result is the same, the master key is still the one under which everything else was written.
 *
 * The file holds ciphertext and a SHA-256 of a random 256-bit key: nothing secret, so it may be committed and belongs
 * into every backup.
 */
import { z } from 'zod';
import { ExternalError } from '../../lib/errors';
import { readIfExists, writeFileAtomically } from '../../lib/files';
import { parsedJson } from '../../lib/text/json';

const canary = z.strictObject({
  /** When the master key was created, or first met. */
  bornAt: z.iso.datetime(),
  /** `created` by this toolkit, or `adopted`: it existed already when its canary was made. */
  origin: z.enum(['created', 'adopted']),
  /** The client of KES that uses it. Absent: MinIO. */
  client: z.string().optional(),
  /** The sealed data key, base64. */
  ciphertext: z.string(),
  /** SHA-256 of these bytes, hex. Absent in canaries of early versions. */
  ciphertextSha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
  /** SHA-256 of the data key, hex. */
  plaintextSha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** Since when MinIO may not use the master key any more, because an inventory found nothing under it. */
  withdrawnAt: z.iso.datetime().optional(),
});
export type Canary = z.infer<typeof canary>;

const canaryFile = z.strictObject({ version: z.literal(1), keys: z.record(z.string(), canary) });

/** The canaries by the name of their master key. */
export type Canaries = Readonly<Record<string, Canary>>;

/** The canaries of a file; none if there is no file. */
export function readCanaries(file: string): Canaries {
  const text = readIfExists(file);
  if (text === undefined) return {};
  const parsed = canaryFile.safeParse(parsedJson(text));
  if (!parsed.success) {
    throw new ExternalError(
      `${file} is not a file of canaries: ${z.prettifyError(parsed.error)}`,
      'put it back from a backup; without it the master keys cannot be verified',
    );
  }
  return parsed.data.keys;
}

/** The canaries of a file's text; undefined if it is none of canaries. */
export function parseCanaries(text: string): Canaries | undefined {
  return canaryFile.safeParse(parsedJson(text)).data?.keys;
}

/** Replaces the file of canaries in one step. */
export function writeCanaries(file: string, canaries: Canaries): void {
  writeFileAtomically(file, `${JSON.stringify({ version: 1, keys: canaries }, null, 2)}\n`, 0o644);
}
