/** Ed25519 keys, as they are written in files and on command lines. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto';

const PREFIX = 'ed25519:';
/** `ed25519:` and 32 bytes, base64. */
export const PUBLIC_KEY = /^ed25519:[A-Za-z0-9+/]{43}=$/;

/** What stands before the 32 bytes of a public key in its DER encoding (RFC 8410, section 4). */
const SPKI_START = Buffer.from('302a300506032b6570032100', 'hex');

export interface Signature {
  /** The public key. Only a hint: a signature is verified with the key that was asked for. */
  readonly signer: string;
  /** Base64. */
  readonly signature: string;
}

/** The private half, with what it is called by. */
export interface SigningKey {
  readonly publicKey: string;
  readonly sign: (content: Buffer) => Signature;
}

/** Whether it was signed with the private half of this key. */
export function isSignedBy(publicKey: string, content: Buffer, { signature }: Pick<Signature, 'signature'>): boolean {
  const der = Buffer.concat([SPKI_START, Buffer.from(publicKey.slice(PREFIX.length), 'base64')]);
  const key = createPublicKey({ key: der, format: 'der', type: 'spki' });
  return verify(null, content, key, Buffer.from(signature, 'base64'));
}

function signingKeyOf(privateKey: KeyObject): SigningKey {
  const der = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  const publicKey = `${PREFIX}${der.subarray(SPKI_START.length).toString('base64')}`;
  return {
    publicKey,
    sign: (content) => ({ signer: publicKey, signature: sign(null, content, privateKey).toString('base64') }),
  };
}

/** A new key, and how it is written into a file. */
export function newSigningKey(): { readonly key: SigningKey; readonly pem: string } {
  const { privateKey } = generateKeyPairSync('ed25519');
  return { key: signingKeyOf(privateKey), pem: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString() };
}

/** @returns undefined if it is no Ed25519 key in PEM; it never says what it is instead */
export function signingKeyIn(pem: string): SigningKey | undefined {
  try {
    const key = createPrivateKey(pem);
    return key.asymmetricKeyType === 'ed25519' ? signingKeyOf(key) : undefined;
  } catch {
    return undefined;
  }
}
