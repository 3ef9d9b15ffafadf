/**
 * The encryption of admin requests and answers that hold secrets: a key from the secret key of who asks, whatever TLS
 * does. Source: minio/madmin-go v3.0.109, encrypt.go, and secure-io/sio-go v0.3.1.
 *
 * | part    | bytes | what                                                             |
 * |---------|-------|------------------------------------------------------------------|
 * | salt    | 32    | of Argon2id: 1 pass, 64 MiB, 4 lanes                             |
 * | cipher  | 1     | 0: AES-256-GCM, 1: ChaCha20-Poly1305                             |
 * | nonce   | 8     | the rest of it is the number of the piece, little endian, from 1 |
 * | pieces  |       | of at most 16 KiB, each with its tag of 16 bytes                 |
 */
import { argon2id } from '@noble/hashes/argon2.js';
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { ExternalError } from '../lib/errors';
import type { Secret } from '../lib/secret';

const CIPHERS = ['aes-256-gcm', 'chacha20-poly1305'] as const;
const SALT = 32;
const NONCE = 8;
const TAG = 16;
const PIECE = 16 * 1024;

/** Makes the key of a message out of a secret key and a salt. */
export type KeyDerivation = (secretKey: Secret, salt: Buffer) => Uint8Array;

/** Encrypts what an admin request holds. */
export function sealForAdmin(secretKey: Secret, data: Buffer, keyOf: KeyDerivation = argon2Key): Buffer {
  const salt = randomBytes(SALT);
  const nonce = randomBytes(NONCE);
  const stream = new Pieces(keyOf(secretKey, salt), 'aes-256-gcm', nonce);
  const pieces: Buffer[] = [];
  for (let at = 0; at === 0 || at < data.length; at += PIECE) {
    pieces.push(stream.seal(data.subarray(at, at + PIECE), at + PIECE >= data.length));
  }
  return Buffer.concat([salt, Buffer.from([0]), nonce, ...pieces]);
}

/**
 * Opens what an admin answer holds.
 *
 * @throws ExternalError if it is not what MinIO sealed for this secret key
 */
export function openFromAdmin(secretKey: Secret, sealed: Buffer, keyOf: KeyDerivation = argon2Key): Buffer {
  const cipher = CIPHERS[sealed[SALT] ?? -1];
  const nonce = sealed.subarray(SALT + 1, SALT + 1 + NONCE);
  const pieces = sealed.subarray(SALT + 1 + NONCE);
  if (cipher === undefined || pieces.length < TAG) {
    throw new ExternalError(
      'MinIO sealed its answer in a way that is not known here',
      'see whether MinIO is another version',
    );
  }
  const stream = new Pieces(keyOf(secretKey, sealed.subarray(0, SALT)), cipher, nonce);
  const opened: Buffer[] = [];
  try {
    for (let at = 0; at < pieces.length; at += PIECE + TAG) {
      opened.push(stream.open(pieces.subarray(at, at + PIECE + TAG), at + PIECE + TAG >= pieces.length));
    }
  } catch (error) {
    throw new ExternalError('MinIO’s answer was altered or cut short, or is sealed for another secret key', undefined, {
      cause: error,
    });
  }
  return Buffer.concat(opened);
}

function argon2Key(secretKey: Secret, salt: Buffer): Uint8Array {
  return argon2id(secretKey.reveal(), salt, { t: 1, m: 64 * 1024, p: 4, dkLen: 32 });
}

/** Seals or opens piece after piece; the last one is marked, so that none can be cut off. */
class Pieces {
  private count = 0;
  private readonly key: Uint8Array;
  private readonly algorithm: (typeof CIPHERS)[number];
  private readonly nonce: Buffer;
  /** What is authenticated with each piece: whether it is the last one, and a tag over nothing with number 0. */
  private readonly mark: Buffer;

  constructor(key: Uint8Array, algorithm: (typeof CIPHERS)[number], nonce: Buffer) {
    this.key = key;
    this.algorithm = algorithm;
    this.nonce = nonce;
    this.mark = Buffer.concat([Buffer.from([0]), this.encrypt(Buffer.alloc(0), Buffer.alloc(0))]);
  }

  seal(piece: Buffer, last: boolean): Buffer {
    return this.encrypt(piece, this.marked(last));
  }

  open(piece: Buffer, last: boolean): Buffer {
    const decipher = createDecipheriv(this.algorithm as 'aes-256-gcm', this.key, this.nextNonce(), LENGTHS);
    const sealed = piece.subarray(0, -TAG);
    decipher.setAAD(this.marked(last), { plaintextLength: sealed.length });
    decipher.setAuthTag(piece.subarray(-TAG));
    return Buffer.concat([decipher.update(sealed), decipher.final()]);
  }

  private encrypt(piece: Buffer, authenticated: Buffer): Buffer {
    const cipher = createCipheriv(this.algorithm as 'aes-256-gcm', this.key, this.nextNonce(), LENGTHS);
    cipher.setAAD(authenticated, { plaintextLength: piece.length });
    return Buffer.concat([cipher.update(piece), cipher.final(), cipher.getAuthTag()]);
  }

  private marked(last: boolean): Buffer {
    if (last) this.mark[0] = 0x80;
    return this.mark;
  }

  private nextNonce(): Buffer {
    const number = Buffer.alloc(4);
    number.writeUInt32LE(this.count++);
    return Buffer.concat([this.nonce, number]);
  }
}

const LENGTHS = { authTagLength: TAG } as const;
