/** The ways in which a client gets an object encrypted. */
import { createHash, randomBytes } from 'node:crypto';
import { CheckFailure, type Evidence, type Expectations } from '../check';

/** A client's own key for SSE-C: in memory, for one run. */
export interface CustomerKey {
  readonly SSECustomerAlgorithm: 'AES256';
  /** 32 bytes in base64. */
  readonly SSECustomerKey: string;
}

/** What a request that makes an object says about encryption. */
interface EncryptionHeaders extends Partial<CustomerKey> {
  readonly ServerSideEncryption?: 'AES256' | 'aws:kms';
  readonly SSEKMSKeyId?: string;
  /** JSON in base64. */
  readonly SSEKMSEncryptionContext?: string;
}

/** What answers about an object must say. */
export type Claim =
  | { readonly mode: 'AES256' }
  /** Any master key will do where none is given. */
  | { readonly mode: 'aws:kms'; readonly key: string | undefined; readonly context?: Readonly<Record<string, string>> }
  | { readonly mode: 'SSE-C'; readonly key: CustomerKey };

export interface Mode {
  /** Part of object names and of messages. */
  readonly name: string;
  /** Sent with what makes an object: PUT, copy, the begin of a multipart upload. */
  readonly headers: EncryptionHeaders;
  /** Sent with everything else about it: reading, and each part of a multipart upload. */
  readonly access: Partial<CustomerKey>;
  readonly claim: Claim;
}

/** A request without an encryption header that the server encrypts all the same. */
export function headerless(name: string, claim: Claim): Mode {
  return { name, headers: {}, access: {}, claim };
}

export const SSE_S3: Mode = {
  ...headerless('SSE-S3', { mode: 'AES256' }),
  headers: { ServerSideEncryption: 'AES256' },
};

/** SSE-KMS without a key: the server takes its default key. */
export function sseKmsDefault({ defaultKey }: Expectations): Mode {
  return {
    ...headerless('SSE-KMS', { mode: 'aws:kms', key: defaultKey }),
    headers: { ServerSideEncryption: 'aws:kms' },
  };
}

/** SSE-KMS under a named master key, the default one if none is given, perhaps bound to an encryption context. */
export function sseKms(key: string | undefined, context?: Readonly<Record<string, string>>): Mode {
  const name = [`SSE-KMS under ${key ?? 'the default key'}`, ...(context === undefined ? [] : ['with a context'])];
  return {
    name: name.join(' '),
    headers: {
      ServerSideEncryption: 'aws:kms',
      ...(key === undefined ? {} : { SSEKMSKeyId: key }),
      ...(context === undefined
        ? {}
        : { SSEKMSEncryptionContext: Buffer.from(JSON.stringify(context)).toString('base64') }),
    },
    access: {},
    claim: { mode: 'aws:kms', key, ...(context === undefined ? {} : { context }) },
  };
}

/** SSE-C under a key of this run alone. */
export function sseC(): Mode {
  const key = customerKey();
  return { name: 'SSE-C', headers: key, access: key, claim: { mode: 'SSE-C', key } };
}

export function customerKey(): CustomerKey {
  return { SSECustomerAlgorithm: 'AES256', SSECustomerKey: randomBytes(32).toString('base64') };
}

/** Auto-encryption is SSE-KMS under the default key (minio/minio, internal/bucket/encryption/bucket-sse-config.go). */
export function autoEncrypted({ defaultKey }: Expectations): Mode {
  return headerless('auto-encryption', { mode: 'aws:kms', key: defaultKey });
}

/** One of each kind: every mode that a request into a bucket without default encryption can have. */
export function everyMode(expected: Expectations): Mode[] {
  const { defaultKey, masterKeys, autoEncryption } = expected;
  const named = masterKeys.find((key) => key !== defaultKey);
  return [
    SSE_S3,
    sseKmsDefault(expected),
    ...(named === undefined ? [] : [sseKms(named)]),
    sseC(),
    ...(autoEncryption === true ? [autoEncrypted(expected)] : []),
  ];
}

/** What an answer says about encryption. */
export interface EncryptionAnswer {
  readonly ServerSideEncryption?: string | undefined;
  readonly SSEKMSKeyId?: string | undefined;
  /** JSON in base64. */
  readonly SSEKMSEncryptionContext?: string | undefined;
  readonly SSECustomerAlgorithm?: string | undefined;
  readonly SSECustomerKeyMD5?: string | undefined;
}

const HEADERS_LOST =
  'if there is a proxy between client and server it must pass every x-amz-server-side-encryption header on, both ' +
  'ways; without one, see MINIO_KMS_* of the server';

/**
 * @param what completes the sentence "… says encryption none", for example "the answer to the PUT"
 * @throws CheckFailure unless an answer says what it must about an object of a mode
 */
export function requireClaim(what: string, answer: EncryptionAnswer, { claim }: Mode, fix = HEADERS_LOST): void {
  const said = answer.ServerSideEncryption ?? (answer.SSECustomerAlgorithm === undefined ? 'none' : 'SSE-C');
  if (said !== claim.mode) throw new CheckFailure(`${what} says encryption ${said}, expected ${claim.mode}`, fix);
  if (claim.mode === 'aws:kms' && claim.key !== undefined) {
    const key = keyName(answer.SSEKMSKeyId) ?? 'none';
    if (key !== claim.key) throw new CheckFailure(`${what} says master key ${key}, expected ${claim.key}`, fix);
  }
  if (claim.mode === 'aws:kms' && claim.context !== undefined) {
    const context = contextOf(answer) ?? 'none';
    const expected = JSON.stringify(claim.context);
    if (context !== expected) {
      throw new CheckFailure(`${what} says encryption context ${context}, expected ${expected}`, fix);
    }
  }
  if (claim.mode === 'SSE-C' && answer.SSECustomerKeyMD5 !== md5OfKey(claim.key.SSECustomerKey)) {
    throw new CheckFailure(`${what} names another client key than the one that was sent`, fix);
  }
}

/** What an answer says, as evidence. */
export function claimed(answer: EncryptionAnswer): Evidence {
  if (answer.SSECustomerAlgorithm !== undefined) return { mode: 'SSE-C' };
  const key = keyName(answer.SSEKMSKeyId);
  const context = contextOf(answer);
  return {
    mode: answer.ServerSideEncryption ?? 'none',
    ...(key === undefined ? {} : { key }),
    ...(context === undefined ? {} : { context }),
  };
}

/** As JSON. */
function contextOf({ SSEKMSEncryptionContext: context }: EncryptionAnswer): string | undefined {
  return context === undefined ? undefined : Buffer.from(context, 'base64').toString('utf8');
}

/** MinIO names keys in the form of an ARN in its answers, and takes them without. */
export function keyName(id: string | undefined): string | undefined {
  return id?.replace(/^arn:aws:kms:/, '');
}

/** The fingerprint by which requests and answers name a client's key. */
export function md5OfKey(key: CustomerKey['SSECustomerKey']): string {
  return createHash('md5').update(Buffer.from(key, 'base64')).digest('base64');
}
