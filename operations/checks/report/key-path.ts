/** The way of the keys, from the client to the key store, and which checks guard which part of it. */
import type { Report } from './model';

/** A part of the deployment that a key, or what is encrypted under it, passes. */
export interface KeyPathPart {
  readonly name: string;
  /** What it must do for the whole to be worth anything. */
  readonly role: string;
  /** Ids of the checks that would turn red if it did not. */
  readonly guards: readonly string[];
}

/** Every check guards a part; a test sees to it that none is forgotten and none is made up. */
export const KEY_PATH = {
  clientLink: {
    name: 'TLS',
    role: 'S3 clients reach MinIO only encrypted, and can tell that it is MinIO.',
    guards: [
      'plain-http-refused',
      'sse-c-plain-http-refused',
      'untrusted-ca-refused',
      'old-tls-refused',
      'certificates-valid',
    ],
  },
  minio: {
    name: 'MinIO',
    role: 'Encrypts every object under a data key of its own, and gives the same bytes back to those who may have them.',
    guards: [
      'bucket-default-encryption',
      'sse-s3-round-trip',
      'sse-kms-default-key-round-trip',
      'sse-kms-named-key-round-trip',
      'sse-kms-context-round-trip',
      'sse-c-round-trip',
      'auto-encryption',
      'bucket-default-sse-s3-round-trip',
      'bucket-default-sse-kms-round-trip',
      'range-read',
      'copy-between-modes',
      'versions',
      'presigned-urls',
      'listing',
      'anonymous-read-refused',
      'altered-presigned-url-refused',
      'forged-writes-refused',
      'locked-versions-survive',
      'internal-headers-refused',
      'forwarded-headers-ignored',
      'sse-c-key-required',
      'sse-c-denied',
      'bucket-rules',
      'clients-declared',
      'clients-confined',
      'metrics-readers-confined',
      'minio-audit-sent',
      'root-refused',
      'identities-declared',
      'minio-configuration',
      'containers-hardened',
      'services-running',
    ],
  },
  drive: {
    name: 'Drive',
    role: 'Holds nothing but ciphertext and sealed data keys.',
    guards: [
      'ciphertext-on-disk',
      'configuration-on-disk',
      'objects-encrypted',
      'drives-online',
      'drive-space',
      'disk-encryption',
    ],
  },
  kesLink: {
    name: 'mTLS',
    role: 'MinIO gets data keys from KES with a client certificate of its own.',
    guards: ['kms-ready', 'kms-tls-only', 'kes-strangers-refused', 'certificates-valid'],
  },
  kes: {
    name: 'KES',
    role: 'Makes and opens data keys with the master keys.',
    guards: [
      'services-running',
      'kms-ready',
      'key-continuity',
      'kes-configuration',
      'kes-clients-confined',
      'containers-hardened',
      'unreadable-without-kes',
    ],
  },
  storeLink: {
    name: 'AppRole',
    role: 'KES logs in to the key store with a role of its own.',
    guards: [
      'kms-ready',
      'kms-tls-only',
      'vault-approle-role',
      'kes-secret-id-valid',
      'vault-kes-token-confined',
      'certificates-valid',
    ],
  },
  keyStore: {
    name: 'Key store',
    role: 'Keeps the master keys, the very same ones for as long as anything is sealed under them.',
    guards: [
      'services-running',
      'key-continuity',
      'vault-unsealed',
      'vault-seal',
      'vault-key-mount',
      'vault-master-keys',
      'vault-policies',
      'vault-audit-devices',
      'vault-audit-written',
      'vault-anonymous-refused',
      'vault-root-tokens',
      'provisioner-token-valid',
      'containers-hardened',
      'earlier-objects-open',
      'durable-after-kes-restart',
    ],
  },
} as const satisfies Readonly<Record<string, KeyPathPart>>;

export type KeyPathName = keyof typeof KEY_PATH;

/** `unchecked`: no check that guards the part was run. */
export type PartStatus = 'passed' | 'failed' | 'accepted' | 'could-not-check' | 'unchecked';

export interface PartState {
  readonly status: PartStatus;
  /** The same in words. */
  readonly words: string;
}

/** What the results of a run say about a part. */
export function stateOf({ guards }: KeyPathPart, { results, leftOut }: Report): PartState {
  const guarding = results.filter(({ id, status }) => guards.includes(id) && status !== 'skipped');
  const count = (status: string): number => guarding.filter((result) => result.status === status).length;
  const of = `of ${guarding.length}`;
  if (count('failed') > 0) return { status: 'failed', words: `${count('failed')} ${of} failed` };
  const unknown = count('could-not-check');
  if (unknown > 0) return { status: 'could-not-check', words: `${unknown} ${of} unknown` };
  if (guarding.length === 0) return { status: 'unchecked', words: 'not checked' };
  const accepted = count('accepted');
  if (accepted > 0) return { status: 'accepted', words: `${accepted} ${of} accepted` };
  const missing = leftOut.filter(({ id }) => guards.includes(id)).length;
  return {
    status: 'passed',
    words: missing === 0 ? `${count('passed')} ${of} passed` : `${count('passed')} passed, ${missing} excluded`,
  };
}
