/**
 * Canaries: for each master key a data key that it sealed at its birth. As long as the master key opens it, and the
 * result is the same, the master key is still the one under which everything else was written.
 *
 * The file holds ciphertext and a SHA-256 of a random 256-bit key: nothing secret, so it may be committed and belongs
 * into every backup.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { ExternalError } from '../lib/errors';
import { readIfExists, writeFileAtomically } from '../lib/files';
import type { KesClient } from '../kes/kes-client';
import { openSealed } from './material/open-sealed';

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
  const parsed = canaryFile.safeParse(jsonOf(text));
  if (!parsed.success) {
    throw new ExternalError(
      `${file} is not a file of canaries: ${z.prettifyError(parsed.error)}`,
      'put it back from a backup; without it nobody can tell whether the master keys are still the same',
    );
  }
  return parsed.data.keys;
}

/** The canaries of a file's text; undefined if it is none of canaries. */
export function parseCanaries(text: string): Canaries | undefined {
  return canaryFile.safeParse(jsonOf(text)).data?.keys;
}

/** Replaces the file of canaries in one step. */
export function writeCanaries(file: string, canaries: Canaries): void {
  writeFileAtomically(file, `${JSON.stringify({ version: 1, keys: canaries }, null, 2)}\n`, 0o644);
}

/** What a canary says about its master key; `damaged`: nothing, because the canary is not what was written. */
export type CanaryVerdict = 'opens' | 'missing' | 'other' | 'damaged';

/** Opens the canary of a master key. */
export async function openCanary(
  prover: KesClient,
  key: string,
  { ciphertext, ciphertextSha256, plaintextSha256 }: Canary,
): Promise<CanaryVerdict> {
  if (ciphertextSha256 !== undefined && sha256(Buffer.from(ciphertext, 'base64')) !== ciphertextSha256)
    return 'damaged';
  const plaintext = await prover.decrypt(key, ciphertext, contextOf(key));
  if (plaintext === 'missing' || plaintext === 'other') return plaintext;
  // what another key sealed does not open at all
  return sha256(plaintext) === plaintextSha256 ? 'opens' : 'damaged';
}

/** Whether these very bytes are the master key of a canary, whatever KES has in memory. */
export function opensCanary(material: Buffer, key: string, { ciphertext, plaintextSha256 }: Canary): boolean {
  const plaintext = openSealed(material, Buffer.from(ciphertext, 'base64'), contextOf(key));
  return plaintext !== undefined && sha256(plaintext) === plaintextSha256;
}

/**
 * Has a master key seal a new canary.
 *
 * @returns undefined if there is no such master key
 */
export async function makeCanary(
  prover: KesClient,
  key: string,
  origin: Canary['origin'],
): Promise<Canary | undefined> {
  const dataKey = await prover.generate(key, contextOf(key));
  if (dataKey === undefined) return undefined;
  const plaintext = Buffer.from(dataKey.plaintext, 'base64');
  return {
    bornAt: new Date().toISOString(),
    origin,
    ciphertext: dataKey.ciphertext,
    ciphertextSha256: sha256(Buffer.from(dataKey.ciphertext, 'base64')),
    plaintextSha256: sha256(plaintext),
  };
}

/** Bound into the canary, so that it opens for no other purpose. */
function contextOf(key: string): Buffer {
  return Buffer.from(`encrypted-backup-storage canary of ${key}`);
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** The value of a JSON text, or undefined, which no schema accepts. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
