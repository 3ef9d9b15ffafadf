/** Objects written and read back in each mode of encryption. */
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetBucketEncryptionCommand,
  S3ServiceException,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { randomBytes } from 'node:crypto';
import { CheckFailure, type Evidence, type OutsideCheck, type OutsideContext } from './check';
import {
  allDone,
  answered,
  encryptionOf,
  get,
  head,
  put,
  refusalOf,
  requestGet,
  requireEncryption,
  requireSameBytes,
  sha256,
} from './objects';

const KIB = 1024;
const MIB = 1024 * KIB;

/** Size of a DARE package, MinIO's unit of encryption (minio/sio): a range that crosses it needs two of them. */
const DARE_PACKAGE = 64 * KIB;

const sseS3RoundTrip: OutsideCheck = {
  from: 'outside',
  id: 'sse-s3-round-trip',
  title: 'SSE-S3: an object is encrypted and read back',
  proves: 'A PUT that asks for SSE-S3 is answered and recorded as AES256, and a GET returns the same bytes.',
  doesNotProve: 'That the bytes on disk are encrypted (ciphertext-on-disk does).',
  severity: 'high',
  run: async (context) => {
    const key = 'sse-s3';
    const body = randomBytes(10 * KIB);
    const written = await put(context, key, body, { ServerSideEncryption: 'AES256' });
    requireEncryption('the answer to the PUT', written, { mode: 'AES256' });
    const { output, body: read } = await get(context, key);
    requireEncryption('the answer to the GET', output, { mode: 'AES256' });
    requireSameBytes('the GET', read, body);
    return { mode: 'AES256', bytes: body.length, sha256: sha256(read) };
  },
};

const sseKmsRoundTrip: OutsideCheck = {
  from: 'outside',
  id: 'sse-kms-named-key-round-trip',
  title: 'SSE-KMS: objects are encrypted under named master keys and read back',
  proves:
    'For each master key beyond the default one (the default one if there is no other), a PUT that names it is ' +
    'recorded under that very key, and a GET returns the same bytes.',
  doesNotProve: 'That the key is durable in the key store: KES may have answered from its cache.',
  severity: 'high',
  skipReason: ({ masterKeys }) => (masterKeys.length === 0 ? 'nobody said which master keys there are' : undefined),
  run: async (context) => {
    const [, ...named] = context.expected.masterKeys;
    const keys = named.length > 0 ? named : context.expected.masterKeys;
    const seen: Evidence[] = [];
    for (const masterKey of keys) {
      const key = `sse-kms/${masterKey}`;
      const body = randomBytes(10 * KIB);
      const expected = { mode: 'aws:kms', key: masterKey } as const;
      const written = await put(context, key, body, { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: masterKey });
      requireEncryption('the answer to the PUT', written, expected);
      const { output, body: read } = await get(context, key);
      requireEncryption('the answer to the GET', output, expected);
      requireSameBytes(`the GET of an object under ${masterKey}`, read, body);
      seen.push({ key: masterKey, bytes: body.length, sha256: sha256(read) });
    }
    return { mode: 'aws:kms', objects: seen };
  },
};

const sseCRoundTrip: OutsideCheck = {
  from: 'outside',
  id: 'sse-c-round-trip',
  title: 'SSE-C: only the client’s own key reads the object',
  proves: 'An object under a key of the client is read with that key, and neither without a key nor with another one.',
  doesNotProve: 'That MinIO forgets the key: it has it in memory while it serves the request.',
  severity: 'critical',
  run: async (context) => {
    const key = 'sse-c';
    const body = randomBytes(10 * KIB);
    const own = customerKey();
    const written = await put(context, key, body, own);
    if (written.SSECustomerAlgorithm !== 'AES256') {
      throw new CheckFailure(
        `the answer to the PUT says SSE-C algorithm ${written.SSECustomerAlgorithm ?? 'none'}, expected AES256`,
      );
    }
    const { body: read } = await get(context, key, own);
    requireSameBytes('the GET with the right key', read, body);

    const fix = 'MinIO gives out what a client’s own key should protect: stop using SSE-C with this version of it';
    const withoutKey = await refusalOf('a GET without the key', requestGet(context, key), [400], fix);
    const other = requestGet(context, key, customerKey());
    const withAnotherKey = await refusalOf('a GET with another key', other, [400, 403], fix);
    return { bytes: body.length, sha256: sha256(read), withoutKey, withAnotherKey };
  },
};

const autoEncryption: OutsideCheck = {
  from: 'outside',
  id: 'auto-encryption',
  title: 'Auto-encryption: a PUT without any encryption header is encrypted',
  proves:
    'A client that knows nothing about encryption, writing into a bucket without a default encryption, is answered ' +
    'SSE-KMS under the default key, and the object is recorded so.',
  doesNotProve: 'That the bytes on disk are encrypted (ciphertext-on-disk does).',
  severity: 'critical',
  skipReason: ({ autoEncryption: declared }) => {
    if (declared === undefined)
      return 'nobody said whether this endpoint encrypts requests without an encryption header';
    if (declared) return undefined;
    return 'minio.autoEncryption is false: requests without an encryption header are stored as they come, by declaration';
  },
  run: async (context) => {
    await requireNoDefaultEncryption(context);
    const expected = { mode: 'aws:kms', key: context.expected.defaultKey } as const;
    const fix = 'MinIO runs without MINIO_KMS_AUTO_ENCRYPTION=on: run `npx cdktf deploy` so that it is set again';
    const key = 'auto-encryption';
    const body = randomBytes(10 * KIB);
    requireEncryption('the answer to the PUT', await put(context, key, body), expected, fix);
    const recorded = await head(context, key);
    requireEncryption('the answer to the HEAD', recorded, expected, fix);
    const { body: read } = await get(context, key);
    requireSameBytes('the GET', read, body);
    return { ...encryptionEvidence(recorded), bytes: body.length, sha256: sha256(read) };
  },
};

const multipartRoundTrip: OutsideCheck = {
  from: 'outside',
  id: 'multipart-round-trip',
  title: 'Multipart: an SSE-KMS object in two parts is read back byte for byte',
  proves:
    'A multipart upload under SSE-KMS is recorded as such, and the whole object as well as a range across the border ' +
    'of its parts are the bytes that were written.',
  doesNotProve: 'That uploads of many or of very large parts work.',
  severity: 'high',
  run: async (context) => {
    const { defaultKey } = context.expected;
    const key = 'multipart';
    const parts = [randomBytes(5 * MIB), randomBytes(MIB + 7)];
    const body = Buffer.concat(parts);
    await putParts(context, key, parts, defaultKey);
    const { output, body: read } = await get(context, key);
    requireEncryption('the answer to the GET', output, { mode: 'aws:kms', key: defaultKey });
    if (!/-2"?$/.test(output.ETag ?? '')) {
      throw new CheckFailure(`the object has the ETag ${output.ETag ?? 'none'}, expected one of two parts`);
    }
    requireSameBytes('the GET', read, body);
    const border = parts[0]?.length ?? 0;
    await requireRange(context, key, body, `bytes=${border - 100}-${border + 99}`);
    return { ...encryptionEvidence(output), parts: parts.length, bytes: body.length, sha256: sha256(read) };
  },
};

const rangeRead: OutsideCheck = {
  from: 'outside',
  id: 'range-read',
  title: 'Range reads of an encrypted object return exactly the range',
  proves:
    'Ranges inside, across and at the end of the packages in which MinIO encrypts are the bytes that were written.',
  doesNotProve: 'Ranges of compressed or multipart objects (multipart-round-trip reads one).',
  severity: 'medium',
  run: async (context) => {
    const key = 'range-read';
    const body = randomBytes(3 * DARE_PACKAGE + 1234);
    await put(context, key, body, { ServerSideEncryption: 'AES256' });
    const ranges = [
      `bytes=${DARE_PACKAGE - 10}-${DARE_PACKAGE + 9}`,
      `bytes=${DARE_PACKAGE}-${2 * DARE_PACKAGE - 1}`,
      `bytes=1000-${3 * DARE_PACKAGE}`,
      'bytes=-700',
    ];
    await allDone(ranges.map((range) => requireRange(context, key, body, range)));
    return { mode: 'AES256', objectBytes: body.length, packageBytes: DARE_PACKAGE, ranges };
  },
};

/** In the order in which they are reported. */
export const roundTrips: readonly OutsideCheck[] = [
  sseS3RoundTrip,
  sseKmsRoundTrip,
  sseCRoundTrip,
  autoEncryption,
  multipartRoundTrip,
  rangeRead,
];

/** A random key of a client, and what goes with it in each request. */
function customerKey(): { SSECustomerAlgorithm: string; SSECustomerKey: string } {
  return { SSECustomerAlgorithm: 'AES256', SSECustomerKey: randomBytes(32).toString('base64') };
}

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

async function putParts(
  context: OutsideContext,
  key: string,
  parts: readonly Buffer[],
  masterKey: string | undefined,
): Promise<void> {
  const { s3, bucket, expected } = context;
  const object = { Bucket: bucket, Key: key };
  const ask = <T>(what: string, request: Promise<T>): Promise<T> => answered(expected, what, request);
  const begin = new CreateMultipartUploadCommand({
    ...object,
    ServerSideEncryption: 'aws:kms',
    ...(masterKey === undefined ? {} : { SSEKMSKeyId: masterKey }),
  });
  const { UploadId } = await ask('beginning a multipart upload', s3.send(begin));
  const upload = { ...object, UploadId };
  try {
    const numbered = parts.map((Body, index) => ({ Body, PartNumber: index + 1 }));
    const Parts = await allDone(
      numbered.map(async (part) => {
        const request = s3.send(new UploadPartCommand({ ...upload, ...part }));
        const { ETag } = await ask(`the upload of part ${part.PartNumber}`, request);
        return { ETag, PartNumber: part.PartNumber };
      }),
    );
    const end = new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } });
    await ask('completing the multipart upload', s3.send(end));
  } catch (error) {
    // its parts are not in the bucket and would outlive it; what went wrong matters more than whether this works
    await s3.send(new AbortMultipartUploadCommand(upload)).catch(() => undefined);
    throw error;
  }
}

/** Reads a range and compares it with the same range of what was written. */
async function requireRange(context: OutsideContext, key: string, whole: Buffer, range: string): Promise<void> {
  const [, from = '', to = ''] = /^bytes=(\d*)-(\d*)$/.exec(range) ?? [];
  const first = from === '' ? whole.length - Number(to) : Number(from);
  const last = from === '' ? whole.length - 1 : Number(to);
  const { output, body } = await get(context, key, { Range: range });
  const expected = `bytes ${first}-${last}/${whole.length}`;
  if (output.$metadata.httpStatusCode !== 206 || output.ContentRange !== expected) {
    throw new CheckFailure(
      `the GET of ${range} answered ${output.$metadata.httpStatusCode ?? 0} with the range ` +
        `${output.ContentRange ?? 'none'}, expected 206 with ${expected}`,
    );
  }
  requireSameBytes(`the GET of ${range}`, body, whole.subarray(first, last + 1));
}

function encryptionEvidence(answer: Parameters<typeof encryptionOf>[0]): Evidence {
  const { mode, key } = encryptionOf(answer);
  return { mode: mode ?? null, key: key ?? null };
}
