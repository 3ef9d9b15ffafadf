/** What was declared against what is there. */
import {
  GetBucketEncryptionCommand,
  GetBucketVersioningCommand,
  GetObjectLockConfigurationCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import type { BucketSettings } from '../../../config/environment';
import { isDeepStrictEqual } from 'node:util';
import { DENY_SSE_C_POLICY, denySseCPolicy } from '../../../config/minio/sse-c-policy';
import { openAdmin } from '../../minio/minio-admin';
import { unlessNone } from '../../minio/s3-client';
import { CheckFailure, type Evidence, type FullCheck } from '../check';
import { keyName } from '../objects/modes';
import { answered } from '../objects/objects';
import { MOST_BUCKETS, sampleOf } from '../sample';
import { someOf } from './differences';

const bucketDefaultEncryption: FullCheck = {
  from: 'deployment',
  id: 'bucket-default-encryption',
  title: 'Every declared bucket has its encryption, versioning and object lock',
  proves:
    'Each declared bucket exists, and its default encryption and object lock are those declared. Versioning is on or ' +
    'off where that is declared; elsewhere it belongs to the clients, and the evidence says what it is.',
  doesNotProve:
    'That objects which were written before the default encryption was set are encrypted. Of more than ' +
    `${MOST_BUCKETS} buckets, ${MOST_BUCKETS} are looked at in a run, by chance.`,
  severity: 'high',
  skipReason: ({ buckets }) => (buckets.length === 0 ? 'the environment declares no bucket' : undefined),
  run: async ({ loaded, expected, s3 }) => {
    const { buckets } = loaded.environment;
    const sample = sampleOf(buckets, MOST_BUCKETS);
    const seen: Record<string, Evidence> = {};
    const problems: string[] = [];
    for (const bucket of sample) {
      const reading = unlessNone(settingsOf(s3, bucket.name), 'NoSuchBucket');
      const actual = await answered(expected, `reading the settings of bucket ${bucket.name}`, reading);
      if (actual === undefined) {
        problems.push(`bucket ${bucket.name} does not exist`);
        continue;
      }
      seen[bucket.name] = { ...actual, ...(actual.versioning === 'suspended' ? { note: SUSPENDED_NOTE } : {}) };
      const declared = declaredSettings(bucket);
      for (const name of ['encryption', 'versioning', 'objectLock'] as const) {
        if (declared[name] === undefined || actual[name] === declared[name]) continue;
        // what was on before can only be suspended
        if (declared[name] === 'off' && actual[name] === 'suspended') continue;
        problems.push(`bucket ${bucket.name}: ${LABELS[name]} is ${actual[name]}, declared ${declared[name]}`);
      }
    }
    const evidence = { buckets: seen, leftOut: buckets.length - sample.length };
    if (problems.length === 0) return evidence;
    throw new CheckFailure(
      someOf(problems),
      'it was changed by hand: set it back with mc, or change the environment file; then `npx cdktf deploy`',
      evidence,
    );
  },
};

const sseCDenied: FullCheck = {
  from: 'deployment',
  id: 'sse-c-denied',
  title: 'The policy that denies writing under keys of clients is there, as declared',
  proves: `MinIO's IAM policy ${DENY_SSE_C_POLICY} is the declared one: users that have it write nothing with SSE-C.`,
  doesNotProve: 'That it is attached to every user. Nothing keeps the root user from SSE-C.',
  severity: 'medium',
  skipReason: ({ minio }) => (minio.sseC === 'allow' ? 'the environment allows SSE-C' : undefined),
  run: async ({ loaded }) => {
    const admin = openAdmin(loaded);
    try {
      const actual = await admin.policy(DENY_SSE_C_POLICY);
      if (isDeepStrictEqual(actual, denySseCPolicy)) return { policy: DENY_SSE_C_POLICY };
      throw new CheckFailure(
        `the policy ${DENY_SSE_C_POLICY} ${actual === undefined ? 'does not exist' : 'is not the declared one'}`,
        `put back what the evidence has as \`declared\`: mc admin policy create ALIAS ${DENY_SSE_C_POLICY} FILE`,
        { declared: denySseCPolicy },
      );
    } finally {
      admin.close();
    }
  },
};

/** In the order in which they are reported. */
export const declaredChecks: readonly FullCheck[] = [bucketDefaultEncryption, sseCDenied];

const LABELS = { encryption: 'default encryption', versioning: 'versioning', objectLock: 'object lock' } as const;

const VERSIONING = { Enabled: 'on', Suspended: 'suspended' } as const;

/** A deploy of an early version suspended every bucket without declared versioning; it is not ours to undo. */
const SUSPENDED_NOTE = 'every delete leaves a marker, and deleted data may go on using the drive: see docs/clients.md';

interface Settings {
  readonly encryption: string;
  readonly versioning: string;
  readonly objectLock: string;
}

/** Undefined: nothing is declared, and the deploy does not touch it. */
type DeclaredSettings = { readonly [name in keyof Settings]: Settings[name] | undefined };

function declaredSettings({ encryption, versioning, objectLock }: BucketSettings): DeclaredSettings {
  return {
    encryption: encryption.type === 'sse-s3' ? 'AES256' : `aws:kms under ${encryption.key}`,
    versioning: versioning === undefined ? undefined : versioning ? 'on' : 'off',
    objectLock: objectLock ? 'on' : 'off',
  };
}

async function settingsOf(s3: S3Client, Bucket: string): Promise<Settings> {
  const [encryption, versioning, lock] = await Promise.all([
    unlessNone(s3.send(new GetBucketEncryptionCommand({ Bucket })), 'ServerSideEncryptionConfigurationNotFoundError'),
    s3.send(new GetBucketVersioningCommand({ Bucket })),
    unlessNone(s3.send(new GetObjectLockConfigurationCommand({ Bucket })), 'ObjectLockConfigurationNotFoundError'),
  ]);
  const rule = encryption?.ServerSideEncryptionConfiguration?.Rules?.[0]?.ApplyServerSideEncryptionByDefault;
  return {
    encryption:
      rule?.SSEAlgorithm === 'aws:kms'
        ? `aws:kms under ${keyName(rule.KMSMasterKeyID) ?? 'no key'}`
        : (rule?.SSEAlgorithm ?? 'none'),
    versioning: versioning.Status === undefined ? 'off' : VERSIONING[versioning.Status],
    objectLock: lock?.ObjectLockConfiguration?.ObjectLockEnabled === 'Enabled' ? 'on' : 'off',
  };
}
