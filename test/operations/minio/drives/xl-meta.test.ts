import { encode } from '@msgpack/msgpack';
import { versionsOf } from '../../../../operations/minio/drives/xl-meta';

const SSE = 'X-Minio-Internal-Server-Side-Encryption-';
const NULL_ID = new Uint8Array(16);
const SOME_ID = new Uint8Array(16).fill(7);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** An object's version as cmd/xl-storage-format-v2.go has it, with what matters here. */
function version(metadata: Record<string, string> | null, ID = NULL_ID): unknown {
  const MetaSys =
    metadata === null
      ? null
      : Object.fromEntries(Object.entries(metadata).map(([name, value]) => [`${SSE}${name}`, bytes(value)]));
  return { Type: 1, V2Obj: { ID, Size: 7, MTime: 1_700_000_000_000_000_000n, MetaSys } };
}

function xlMeta(...versions: unknown[]): Buffer {
  const options = { useBigInt64: true };
  const parts = [3, 3, versions.length, ...versions.flatMap((one) => [bytes('header'), encode(one, options)])];
  const payload = Buffer.concat(parts.map((part) => encode(part, options)));
  const header = Buffer.from('584c322001000300c600000000', 'hex');
  header.writeUInt32BE(payload.length, 9);
  // a checksum and the data of small objects follow
  return Buffer.concat([header, payload, Buffer.from('ce00000000', 'hex'), Buffer.from('S3-Kms-Key-Id: other')]);
}

test('each version says how its data key is sealed', () => {
  const content = xlMeta(
    version({ 'S3-Kms-Key-Id': 'archive-key', 'Kms-Sealed-Key': 'x', 'S3-Kms-Sealed-Key': 'x' }),
    version({ 'S3-Kms-Key-Id': 'backup-default', 'S3-Sealed-Key': 'x', 'S3-Kms-Sealed-Key': 'x' }),
    version({ 'Sealed-Key': 'x' }),
    version(null),
  );
  expect(versionsOf(content).sealings).toEqual([
    { by: 'sse-kms', masterKey: 'archive-key' },
    { by: 'sse-s3', masterKey: 'backup-default' },
    { by: 'no master key' },
    { by: 'no master key' },
  ]);
});

test('a delete marker holds no data', () => {
  expect(versionsOf(xlMeta({ Type: 2, DelObj: { ID: NULL_ID } })).sealings).toEqual([]);
});

test.each<[string, boolean, Buffer]>([
  ['the version of a bucket that never had versioning', false, xlMeta(version(null))],
  ['a delete marker of a bucket where versioning is suspended', false, xlMeta({ Type: 2, DelObj: { ID: NULL_ID } })],
  ['a version that was kept', true, xlMeta(version(null), version(null, SOME_ID))],
  ['a delete marker that does not say it', true, xlMeta({ Type: 2 })],
  ['a delete marker above nothing', true, xlMeta({ Type: 2, DelObj: { ID: SOME_ID } })],
])('%s: with an id: %s', (_, withId, content) => {
  expect(versionsOf(content).withId).toBe(withId);
});

test.each<[string, Buffer]>([
  ['it is no xl.meta', Buffer.from('something else entirely')],
  ['xl.meta was cut off', xlMeta(version(null)).subarray(0, 40)],
  ['xl.meta has another format', xlMeta({ Type: 1, V3Obj: {} })],
  ['xl.meta has another format', xlMeta({ Type: 3, V1Obj: {} })],
])('what cannot be read is refused: %s', (message, content) => {
  expect(() => versionsOf(content)).toThrow(message);
});
