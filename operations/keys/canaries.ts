import { createHash } from 'node:crypto';
import type { KesClient } from '../kes/kes-client';
import type { Canary } from '../state/notes/canaries';
import { openSealed } from './material/open-sealed';

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
