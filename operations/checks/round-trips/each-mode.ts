/** Objects written and read back: each mode of encryption is a check, over every kind of object. */
import { GetBucketEncryptionCommand, S3ServiceException } from '@aws-sdk/client-s3';
import { everyCase } from '../objects/cases';
import type { CheckDescription, Expectations, OutsideCheck, OutsideContext } from '../check';
import { autoEncrypted, headerless, type Mode, sseC, sseKms, sseKmsDefault, SSE_S3 } from '../objects/modes';
import { newPlace, type Place } from '../objects/objects';
import { EVERY_SAMPLE, readBack, type Sample, write } from './samples';

interface Trip {
  readonly mode: Mode;
  /** @default - every one */
  readonly samples?: readonly Sample[];
}

interface RoundTrip extends CheckDescription {
  readonly skipReason?: (expected: Expectations) => string | undefined;
  readonly trips: (expected: Expectations) => readonly Trip[];
  /** Where the objects go. @default - the bucket of the run */
  readonly place?: (context: OutsideContext) => Promise<Place>;
  /** What to do if an answer says another encryption. @default - look for what loses the headers */
  readonly fix?: string;
}

function check({ trips, place, fix, ...description }: RoundTrip): OutsideCheck {
  return {
    ...description,
    from: 'outside',
    run: async (context) => {
      const here = (await place?.(context)) ?? context;
      const cases = trips(context.expected).flatMap(({ mode, samples = EVERY_SAMPLE }, _, { length }) =>
        samples.map((sample) => ({
          name: length === 1 ? sample : `${mode.name}, ${sample}`,
          run: async () => {
            const key = `${description.id}/${mode.name}/${sample}`;
            return readBack(here, await write(here, key, mode, sample, { fix }), { fix });
          },
        })),
      );
      return everyCase(cases);
    },
  };
}

const KINDS = 'An empty, a small, a 1 MiB and a multipart object';
const READ_BACK = 'They are read back byte for byte.';
const NOT_ON_DISK = 'That the bytes on disk are encrypted (ciphertext-on-disk does).';
const NO_KEY_NAMED = 'no master key was named (--default-key, --key)';

const sseS3RoundTrip = check({
  id: 'sse-s3-round-trip',
  title: 'SSE-S3: objects are encrypted and read back',
  proves: `${KINDS} that ask for SSE-S3 are answered and recorded as AES256. ${READ_BACK}`,
  doesNotProve: NOT_ON_DISK,
  severity: 'high',
  trips: () => [{ mode: SSE_S3 }],
});

const sseKmsDefaultKeyRoundTrip = check({
  id: 'sse-kms-default-key-round-trip',
  title: 'SSE-KMS without a key: objects are encrypted under the default key and read back',
  proves: `${KINDS} that ask for SSE-KMS and name no key are recorded under the default key. ${READ_BACK}`,
  doesNotProve: NOT_ON_DISK,
  severity: 'high',
  trips: (expected) => [{ mode: sseKmsDefault(expected) }],
});

const sseKmsNamedKeyRoundTrip = check({
  id: 'sse-kms-named-key-round-trip',
  title: 'SSE-KMS: objects are encrypted under named master keys and read back',
  proves:
    'For each master key but the default one, objects that name it are recorded under that very key, and read back byte ' +
    'for byte. They are of every kind for the first, small ones for the others. Where there is only the default key, it ' +
    'is that one.',
  doesNotProve: 'That the key is durable in the key store: KES may have answered from its cache.',
  severity: 'high',
  skipReason: ({ masterKeys }) => (masterKeys.length === 0 ? NO_KEY_NAMED : undefined),
  trips: ({ masterKeys: [defaultKey, ...others] }) => {
    const [first, ...rest] = others.length > 0 ? others : [defaultKey];
    return [{ mode: sseKms(first) }, ...rest.map((key) => ({ mode: sseKms(key), samples: ['small' as const] }))];
  },
});

const sseKmsContextRoundTrip = check({
  id: 'sse-kms-context-round-trip',
  title: 'SSE-KMS with an encryption context: the context is recorded, and the objects are read back',
  proves: `${KINDS} that ask for SSE-KMS with an encryption context are answered with that very context. ${READ_BACK}`,
  doesNotProve: 'That KES refuses the data key under another context: MinIO keeps the context beside the object.',
  severity: 'high',
  trips: ({ defaultKey }) => [{ mode: sseKms(defaultKey, { 'written-by': 'encrypted-backup-storage' }) }],
});

const sseCRoundTrip = check({
  id: 'sse-c-round-trip',
  title: 'SSE-C: objects are encrypted under the client’s own key and read back with it',
  proves: `${KINDS} under a key of the client are answered with the fingerprint of that key. They are read back with it.`,
  doesNotProve:
    'That they cannot be read without it (sse-c-key-required does), or that MinIO forgets the key: it has it in ' +
    'memory while it serves the request.',
  severity: 'high',
  trips: () => [{ mode: sseC() }],
});

const autoEncryption = check({
  id: 'auto-encryption',
  title: 'Auto-encryption: what is written without any encryption header is encrypted',
  proves: `A bucket has no default encryption. ${KINDS} without a header are recorded as SSE-KMS under the default key. ${READ_BACK}`,
  doesNotProve: NOT_ON_DISK,
  severity: 'critical',
  skipReason: ({ autoEncryption: declared }) => {
    if (declared === undefined)
      return '--auto-encryption does not say whether this endpoint encrypts requests without an encryption header';
    if (declared) return undefined;
    return 'minio.autoEncryption is false: requests without an encryption header are stored as they come, by declaration';
  },
  fix: 'MinIO runs without MINIO_KMS_AUTO_ENCRYPTION=on: run `npx cdktf deploy` so that it is set again',
  trips: (expected) => [{ mode: autoEncrypted(expected) }],
  place: async (context) => {
    await requireNoDefaultEncryption(context);
    return context;
  },
});

const bucketDefaultSseS3 = check({
  id: 'bucket-default-sse-s3-round-trip',
  title: 'Bucket default SSE-S3: what is written without a header is encrypted by it',
  proves:
    `A new bucket has the default encryption SSE-S3. ${KINDS} without a header are recorded as AES256. ` +
    `Auto-encryption would not do that. ${READ_BACK}`,
  doesNotProve: 'That declared buckets have their default encryption (bucket-default-encryption does).',
  severity: 'high',
  fix: 'the server takes a default encryption for a bucket and does not apply it: set it by a header in each request',
  trips: () => [{ mode: headerless('default SSE-S3', SSE_S3.claim) }],
  place: async (context) =>
    newPlace(context, 'a bucket with SSE-S3 as its default encryption', { encryption: { SSEAlgorithm: 'AES256' } }),
});

const bucketDefaultSseKms = check({
  id: 'bucket-default-sse-kms-round-trip',
  title: 'Bucket default SSE-KMS: what is written without a header is encrypted under its key',
  proves:
    `A new bucket has the default encryption SSE-KMS under a named master key. ${KINDS} without a header are ` +
    `recorded under that key. ${READ_BACK}`,
  doesNotProve: 'Where there is only the default key: that it was not auto-encryption, which says the same.',
  severity: 'high',
  skipReason: ({ masterKeys }) => (masterKeys.length === 0 ? NO_KEY_NAMED : undefined),
  fix: 'the server takes a default encryption for a bucket and does not apply it: set it by a header in each request',
  trips: ({ masterKeys }) => [{ mode: headerless('default SSE-KMS', { mode: 'aws:kms', key: masterKeys.at(-1) }) }],
  place: async (context) => {
    const encryption = { SSEAlgorithm: 'aws:kms', KMSMasterKeyID: context.expected.masterKeys.at(-1) } as const;
    return newPlace(context, 'a bucket with SSE-KMS as its default encryption', { encryption });
  },
});

/** In the order in which they are reported. */
export const modeRoundTrips: readonly OutsideCheck[] = [
  sseS3RoundTrip,
  sseKmsDefaultKeyRoundTrip,
  sseKmsNamedKeyRoundTrip,
  sseKmsContextRoundTrip,
  sseCRoundTrip,
  autoEncryption,
  bucketDefaultSseS3,
  bucketDefaultSseKms,
];

/** A default encryption of the bucket would make every object look as if auto-encryption worked. */
async function requireNoDefaultEncryption({ s3, bucket }: OutsideContext): Promise<void> {
  try {
    await s3.send(new GetBucketEncryptionCommand({ Bucket: bucket }));
  } catch (error) {
    if (error instanceof S3ServiceException && error.name === 'ServerSideEncryptionConfigurationNotFoundError') return;
    throw error;
  }
  throw new Error(`the bucket ${bucket} has a default encryption, so nothing can be said about auto-encryption`);
}
