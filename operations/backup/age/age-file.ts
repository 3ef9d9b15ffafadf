/**
 * Encryption of a whole file with age (https://age-encryption.org/v1). What is decrypted may be anybody's: it is bounded
 * before the library sees it.
 */
import {
  Decrypter,
  Encrypter,
  generateHybridIdentity,
  generateX25519Identity,
  identityToRecipient,
} from 'age-encryption';
import { createReadStream, createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import { ExternalError, messageOf } from '../../lib/errors';
import { isHybrid } from './age-keys';
import { MOST_BYTES } from '../bundle/entries';

/** First line of every age file: https://age-encryption.org/v1, "File format". */
const MAGIC = 'age-encryption.org/v1\n';
/** Where its header ends: a line with its MAC. */
const MAC_LINE = '\n--- ';
/** Of hybrid recipients, which take 1.6 KiB each, about a hundred. */
const MOST_HEADER_BYTES = 160 * 1024;

// Node's types for the two kinds of stream know nothing of the browser's, which age-encryption uses
type WebStream = globalThis.ReadableStream<Uint8Array>;

/** A key pair of which the secret half is forgotten when the backup was read back. */
export interface ProofKey {
  readonly identity: string;
  readonly recipient: string;
}

/** @param recipients those beside which it is to stand: a classic key beside hybrid ones would make them as weak as itself */
export async function newProofKey(recipients: readonly string[]): Promise<ProofKey> {
  const identity = recipients.some(isHybrid) ? await generateHybridIdentity() : await generateX25519Identity();
  return { identity, recipient: await identityToRecipient(identity) };
}

/** Encrypts a stream into a new file of its owner alone. */
export async function encryptInto(file: string, plain: Readable, recipients: readonly string[]): Promise<void> {
  const encrypter = new Encrypter();
  for (const recipient of recipients) encrypter.addRecipient(recipient);
  const encrypted = await encrypter.encrypt(Readable.toWeb(plain) as WebStream);
  const stream = Readable.fromWeb(encrypted as ReadableStream<Uint8Array>);
  await pipeline(stream, createWriteStream(file, { mode: 0o600, flags: 'wx', flush: true }));
}

/**
 * Reads a file once, so that what is verified is what is used.
 *
 * @throws ExternalError if it cannot be read, or is larger than any backup
 */
export async function readBounded(file: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  try {
    // one byte more than is right, and no more
    for await (const chunk of createReadStream(file, { end: MOST_BYTES })) chunks.push(chunk as Buffer);
  } catch (error) {
    throw new ExternalError(`the backup cannot be read: ${messageOf(error)}`, undefined, { cause: error });
  }
  const content = Buffer.concat(chunks);
  if (content.length > MOST_BYTES) throw tooLarge(file);
  return content;
}

export function tooLarge(file: string, mostBytes = MOST_BYTES): ExternalError {
  return new ExternalError(
    `${file} is no backup: it has more than ${mostBytes} bytes, and no backup has`,
    'give a file that ./scripts/backup made',
  );
}

/**
 * @param file how messages call it
 * @param identities `AGE-SECRET-KEY-…`
 * @throws ExternalError that says what is wrong with it: no age file, another recipient, truncated or altered
 */
export async function decrypt(file: string, encrypted: Buffer, identities: readonly string[]): Promise<Buffer> {
  requireAgeFile(file, encrypted);
  const decrypter = new Decrypter();
  for (const identity of identities) decrypter.addIdentity(identity);
  try {
    return Buffer.from(await decrypter.decrypt(encrypted));
  } catch (error) {
    const text = messageOf(error);
    if (/no identity matched/i.test(text)) {
      throw new ExternalError(
        `${file} is encrypted for other recipients than the given identity`,
        'give the identity of one of the recipients that the backup was made for',
        { cause: error },
      );
    }
    throw damaged(file, text, error);
  }
}

export function damaged(file: string, what: string, cause?: unknown): ExternalError {
  return new ExternalError(
    `${file} is truncated or was altered: ${what}`,
    'take another copy of it, or an older backup',
    cause === undefined ? {} : { cause },
  );
}

function requireAgeFile(file: string, encrypted: Buffer): void {
  if (encrypted.subarray(0, MAGIC.length).toString('latin1') !== MAGIC) {
    throw new ExternalError(
      `${file} is not a backup: it is not encrypted with age`,
      'give a file that ./scripts/backup made',
    );
  }
  const start = encrypted.subarray(0, MOST_HEADER_BYTES);
  if (start.includes(MAC_LINE)) return;
  throw damaged(file, `its header does not end within ${MOST_HEADER_BYTES} bytes`);
}
