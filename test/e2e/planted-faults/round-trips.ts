import type { GatewayRequest } from '../../helpers/e2e/servers/s3-gateway';
import type { PlantedFault } from './planted-fault';

const SSE = 'x-amz-server-side-encryption';
const PROXY = /if there is a proxy between client and server/;

/** Whether a request is about an object of a check: the objects of each are below its id. */
function isOf(check: string, { path }: GatewayRequest): boolean {
  return decodeURIComponent(path.split('?')[0] ?? '').includes(`/${check}/`);
}

/** A proxy that changes the headers of what it passes on to the objects of a check. */
function changing(check: string, change: (headers: Record<string, string>) => void): PlantedFault['plant'] {
  return async (bench) => {
    await bench.misbehave({
      onRequest: (request) => {
        if (isOf(check, request)) change(request.headers);
        return undefined;
      },
    });
  };
}

function dropping(check: string, ...names: readonly string[]): PlantedFault['plant'] {
  return changing(check, (headers) => {
    for (const name of names) Reflect.deleteProperty(headers, name);
  });
}

/** A server that takes a default encryption for a bucket and sets none. */
function withoutDefault(algorithm: string): PlantedFault['plant'] {
  return async (bench) => {
    await bench.misbehave({
      onRequest: ({ method, path, body }) =>
        method === 'PUT' && path.includes('?encryption') && body.includes(`<SSEAlgorithm>${algorithm}<`)
          ? { status: 200, headers: {}, body: Buffer.alloc(0) }
          : undefined,
    });
  };
}

export const roundTripFaults: readonly PlantedFault[] = [
  {
    name: 'MinIO runs without auto-encryption',
    red: {
      'auto-encryption': {
        message: /^the answer to the PUT says encryption none, expected aws:kms \(empty, small, 1 MiB\)/,
        fix: /MINIO_KMS_AUTO_ENCRYPTION/,
      },
      'ciphertext-on-disk': {
        message: /plaintext is in ebs-check-[0-9a-f]+\/auto-encryption-inline\/xl\.meta at byte \d+/,
        fix: /^stop writing backups/,
      },
    },
    alsoRed: {
      'minio-configuration': 'MinIO runs with another variable than the declared one',
      ...Object.fromEntries(
        ['copy-between-modes', 'versions', 'presigned-urls', 'listing'].map((id) => [
          id,
          'one of its objects is written without a header',
        ]),
      ),
    },
    plant: async (bench) => bench.runMinioWith({ MINIO_KMS_AUTO_ENCRYPTION: 'off' }),
  },
  {
    name: 'a proxy drops the header that asks for SSE-S3',
    red: {
      'sse-s3-round-trip': {
        message: /^the answer to the PUT says encryption aws:kms, expected AES256 \(empty, small, 1 MiB\)/,
        fix: PROXY,
      },
    },
    plant: dropping('sse-s3-round-trip', SSE),
  },
  {
    name: 'a proxy changes one byte of what it passes back',
    red: {
      'sse-kms-default-key-round-trip': {
        message: /^the GET returned other bytes than were written: 5308423 bytes .* \(multipart\)$/,
        fix: /memory or a drive that fails, changes data/,
      },
    },
    plant: async (bench) => {
      await bench.misbehave({
        onAnswer: ({ body }, request) => {
          if (!isOf('sse-kms-default-key-round-trip', request) || request.method !== 'GET') return;
          const at = 5 * 1024 * 1024 + 1;
          if (body.length > at) body.writeUInt8((body.readUInt8(at) + 1) % 256, at);
        },
      });
    },
  },
  {
    name: 'a proxy drops the name of the master key',
    red: {
      'sse-kms-named-key-round-trip': {
        message: /^the answer to the PUT says master key backup-default, expected archive-key \(empty, small, 1 MiB\)/,
        fix: PROXY,
      },
    },
    plant: dropping('sse-kms-named-key-round-trip', `${SSE}-aws-kms-key-id`),
  },
  {
    name: 'a proxy drops the encryption context',
    red: {
      'sse-kms-context-round-trip': {
        message:
          /^the answer to the PUT says encryption context none, expected \{"written-by":.* \(empty, small, 1 MiB\)/,
        fix: PROXY,
      },
    },
    plant: dropping('sse-kms-context-round-trip', `${SSE}-context`),
  },
  {
    name: 'a proxy drops the key of the client',
    red: {
      'sse-c-round-trip': {
        message: /^the answer to the PUT says encryption aws:kms, expected SSE-C \(empty, small, 1 MiB\)/,
        fix: PROXY,
      },
    },
    plant: dropping('sse-c-round-trip', ...['algorithm', 'key', 'key-md5'].map((part) => `${SSE}-customer-${part}`)),
  },
  {
    name: 'a bucket does not get its default encryption SSE-S3',
    red: {
      'bucket-default-sse-s3-round-trip': {
        message: /^the answer to the PUT says encryption aws:kms, expected AES256 \(empty, small, 1 MiB\)/,
        fix: /takes a default encryption for a bucket and does not apply it/,
      },
    },
    alsoRed: { 'ciphertext-on-disk': 'its own bucket has no such default either' },
    plant: withoutDefault('AES256'),
  },
  {
    name: 'a bucket does not get its default encryption SSE-KMS',
    red: {
      'bucket-default-sse-kms-round-trip': {
        message: /^the answer to the PUT says master key backup-default, expected archive-key \(empty, small, 1 MiB\)/,
        fix: /takes a default encryption for a bucket and does not apply it/,
      },
    },
    alsoRed: { 'ciphertext-on-disk': 'its own bucket has no such default either' },
    plant: withoutDefault('aws:kms'),
  },
  {
    name: 'a proxy reads ranges one byte late',
    red: {
      'range-read': {
        message:
          /^the GET of bytes=5000-5999 answered 206 with the range bytes 5001-5999\/10240, expected 206 with bytes/,
        fix: /changes data/,
      },
    },
    plant: changing('range-read', (headers) => {
      headers.range = headers.range?.replace(/^bytes=([1-9]\d*)-/, (_, first) => `bytes=${Number(first) + 1}-`) ?? '';
    }),
  },
  {
    name: 'a proxy copies without the headers of encryption',
    red: {
      'copy-between-modes': {
        message: /^the answer to the GET says encryption aws:kms, expected AES256 \(.*SSE-S3 to SSE-S3/,
        fix: PROXY,
      },
    },
    plant: async (bench) => {
      await bench.misbehave({
        onRequest: ({ headers }) => {
          if ('x-amz-copy-source' in headers) {
            for (const name of Object.keys(headers)) if (name.startsWith(SSE)) Reflect.deleteProperty(headers, name);
          }
          return undefined;
        },
      });
    },
  },
  {
    name: 'a proxy drops the version from what is asked for',
    red: {
      versions: { message: /^the GET answered 404 NoSuchKey: .* \(SSE-S3, SSE-KMS, /, fix: /docker logs ebs-.*-minio/ },
    },
    alsoRed: { 'locked-versions-survive': 'a DELETE without a version touches none, and succeeds' },
    plant: async (bench) => {
      await bench.misbehave({
        onRequest: (request) => {
          request.path = request.path.replace(/versionId=[^&]*&?/, '');
          return undefined;
        },
      });
    },
  },
  {
    name: 'a proxy adds to URLs that carry their signature',
    red: {
      'presigned-urls': {
        message: /^the presigned GET answered 403 SignatureDoesNotMatch \(GET, /,
        fix: /they are signed/,
      },
    },
    alsoRed: Object.fromEntries(
      ['altered-presigned-url-refused', 'forged-writes-refused'].map((id) => [
        id,
        'where unaltered URLs are refused, a refusal says nothing',
      ]),
    ),
    plant: async (bench) => {
      await bench.misbehave({
        onRequest: (request) => {
          if (request.path.includes('X-Amz-Signature=')) request.path += '&via=proxy';
          return undefined;
        },
      });
    },
  },
  {
    name: 'a proxy lists the sizes of the ciphertext',
    red: {
      listing: { message: /^the listing shows 10272 bytes, expected 10240 \(/, fix: /pass listings on unchanged/ },
    },
    plant: async (bench) => {
      await bench.misbehave({
        onAnswer: (answer, { path }) => {
          if (!path.includes('list-type=2') || !path.includes('listing')) return;
          // 32 bytes for each package of 64 KiB
          answer.body = Buffer.from(answer.body.toString('utf8').replaceAll('<Size>10240<', '<Size>10272<'));
        },
      });
    },
  },
];
