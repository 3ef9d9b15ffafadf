import { createCipheriv, createHash, createHmac, randomBytes } from 'node:crypto';
import type { Canary } from '../../operations/state/notes/canaries';

/** A master key as KES has stored it from version 0.24 on. */
export function storedKey(key: Buffer): Buffer {
  const fields = Buffer.concat([Buffer.from([0x0a, 36, 0x0a, 32]), key, Buffer.from([0x10, 1])]);
  return Buffer.from(fields.toString('base64'));
}

/** What KES v0.24 makes of a data key. */
export function canaryOf(name: string, key: Buffer): Canary {
  const dataKey = randomBytes(32);
  const [iv, nonce] = [randomBytes(16), randomBytes(12)];
  const cipher = createCipheriv('aes-256-gcm', createHmac('sha256', key).update(iv).digest(), nonce);
  cipher.setAAD(Buffer.from(`encrypted-backup-storage canary of ${name}`));
  const sealed = Buffer.concat([cipher.update(dataKey), cipher.final(), cipher.getAuthTag(), iv, nonce]);
  return {
    bornAt: '2026-01-01T00:00:00.000Z',
    origin: 'created',
    ciphertext: sealed.toString('base64'),
    plaintextSha256: createHash('sha256').update(dataKey).digest('hex'),
  };
}
