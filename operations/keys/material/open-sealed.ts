/**
 * Opens with the bytes of a master key what KES sealed under it. KES itself is no proof of them: it goes on for minutes
 * with a key that it has in memory. Source: minio/kes v0.24.0, internal/crypto.
 */
import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';
import { z } from 'zod';
import { parsedJson } from '../../lib/text/json';

/** The ciphers by the names that KES gave them before it wrote numbers. */
const CIPHERS = {
  AES256: 'aes-256-gcm',
  'AES256-GCM_SHA256': 'aes-256-gcm',
  ChaCha20: 'chacha20-poly1305',
  'XCHACHA20-POLY1305': 'chacha20-poly1305',
} as const;

const olderKey = z.object({
  bytes: z.base64(),
  algorithm: z.enum(Object.keys(CIPHERS) as (keyof typeof CIPHERS)[]).default('AES256'),
});

/** Before the 32 bytes of the key, and between them and the number of its cipher (KeyVersion in crypto.proto of KES). */
const KEY_STARTS = Buffer.from([0x0a, 36, 0x0a, 32]);
const CIPHER_FIELD = 0x10;

const TAG_BYTES = 16;
const IV_BYTES = 16;
const NONCE_BYTES = 12;

interface SecretKey {
  readonly cipher: (typeof CIPHERS)[keyof typeof CIPHERS];
  readonly key: Buffer;
}

/**
 * @param material a master key as KES stored it
 * @returns undefined if it was sealed under another key or for something else, or if these are not the bytes of a key
 */
export function openSealed(material: Buffer, sealed: Buffer, context: Buffer): Buffer | undefined {
  const secret = secretKeyOf(material);
  const end = sealed.length - IV_BYTES - NONCE_BYTES - TAG_BYTES;
  if (secret === undefined || end < 0) return undefined;
  const [tag, iv, nonce] = [
    sealed.subarray(end, end + TAG_BYTES),
    sealed.subarray(end + TAG_BYTES, -NONCE_BYTES),
    sealed.subarray(-NONCE_BYTES),
  ];
  // Node's types know the option of each cipher, but not that one call may serve both
  const decipher = createDecipheriv(secret.cipher as 'aes-256-gcm', derivedKey(secret, iv), nonce, {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(context).setAuthTag(tag);
  try {
    return Buffer.concat([decipher.update(sealed.subarray(0, end)), decipher.final()]);
  } catch {
    return undefined;
  }
}

function secretKeyOf(material: Buffer): SecretKey | undefined {
  const text = material.toString('utf8');
  if (text.startsWith('{')) {
    const { data } = olderKey.safeParse(parsedJson(text));
    return data && keyOf(CIPHERS[data.algorithm], Buffer.from(data.bytes, 'base64'));
  }
  const bytes = Buffer.from(text, 'base64');
  const [field, cipher] = bytes.subarray(36);
  if (!bytes.subarray(0, 4).equals(KEY_STARTS) || field !== CIPHER_FIELD) return undefined;
  const name = ([undefined, 'AES256', 'ChaCha20'] as const)[cipher ?? 0];
  return name && keyOf(CIPHERS[name], bytes.subarray(4, 36));
}

function keyOf(cipher: SecretKey['cipher'], key: Buffer): SecretKey | undefined {
  return key.length === 32 ? { cipher, key } : undefined;
}

function derivedKey({ cipher, key }: SecretKey, iv: Buffer): Buffer {
  return cipher === 'aes-256-gcm' ? createHmac('sha256', key).update(iv).digest() : hChaCha20(key, iv);
}

/** The block function of ChaCha20 without its last addition, of which only the first and the last row are the result. */
function hChaCha20(key: Buffer, iv: Buffer): Buffer {
  const block = createCipheriv('chacha20', key, iv).update(Buffer.alloc(64));
  const added = [Buffer.from('expand 32-byte k'), iv];
  const rows = [block.subarray(0, 16), block.subarray(48)];
  const derived = Buffer.alloc(32);
  for (let word = 0; word < 8; word += 1) {
    const [row, at] = [word < 4 ? 0 : 1, (word % 4) * 4];
    derived.writeUInt32LE(((rows[row]?.readUInt32LE(at) ?? 0) - (added[row]?.readUInt32LE(at) ?? 0)) >>> 0, word * 4);
  }
  return derived;
}
