import { createHash } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { pack } from 'tar-stream';
import { type DriveFile, filesOf, inspect, type MarkedObject, markedObject } from '../../../operations/checks/disk';

const PREFIX = 'X-Minio-Internal-Server-Side-Encryption-';

/** The files of an object as a MinIO stores it that encrypts: ciphertext is anything without the marker. */
function stored(
  object: MarkedObject,
  metadata: readonly string[],
  data: Buffer = Buffer.alloc(5000, 0x5a),
): DriveFile[] {
  const names = [...metadata, 'X-Amz-Meta-Ebs-Control', object.control].join('\u00a0');
  return [
    { path: `folder/${object.name}/xl.meta`, content: Buffer.from(`XL2 ${names}`) },
    { path: `folder/${object.name}/a3a1/part.1`, content: data },
  ];
}

const SSE_S3 = [`${PREFIX}S3-Sealed-Key`, `${PREFIX}S3-Kms-Key-Id`, 'backup-default', `${PREFIX}S3-Kms-Sealed-Key`];

test.each([
  ['sse-s3', 'backup-default', SSE_S3],
  ['sse-kms', 'archive-key', [`${PREFIX}Kms-Sealed-Key`, `${PREFIX}S3-Kms-Key-Id`, 'archive-key']],
  ['sse-c', undefined, [`${PREFIX}Sealed-Key`]],
] as const)('an object encrypted by %s has no problem', (sealing, masterKey, metadata) => {
  const object = markedObject('object', 10_000, sealing, masterKey);
  expect(inspect(object, stored(object, metadata)).problems).toEqual([]);
});

test('plaintext is found in any file, at any place, also in another object’s', () => {
  const object = markedObject('object', 10_000, 'sse-s3', 'backup-default');
  const leak = Buffer.concat([Buffer.alloc(777), object.body]);
  expect(inspect(object, stored(object, SSE_S3, leak)).problems).toEqual([
    'object: its plaintext is in folder/object/a3a1/part.1 at byte 777',
  ]);
  const stray: DriveFile = { path: 'folder/other/xl.meta', content: object.body.subarray(4000, 4200) };
  const finding = inspect(object, [...stored(object, SSE_S3), stray]);
  expect(finding.problems).toEqual(['object: its plaintext is in folder/other/xl.meta at byte 96']);
  expect(finding.evidence).toMatchObject({ filesWithMarker: 1, stored: '1 part file' });
});

test('every block of a marked object has the marker, so that no stripe of it is without', () => {
  const { body, marker } = markedObject('object', 1024 * 1024, 'sse-c');
  for (let offset = 0; offset < body.length; offset += 64 * 1024) {
    expect(body.subarray(offset, offset + 64 * 1024).includes(marker)).toBe(true);
  }
});

test('metadata of no, of another or of an unnamed master key is found', () => {
  const object = markedObject('object', 5000, 'sse-kms', 'archive-key');
  expect(inspect(object, stored(object, [])).problems).toEqual([
    `object: xl.meta has no ${PREFIX}Kms-Sealed-Key`,
    'object: xl.meta does not name the master key archive-key',
  ]);
  // the name of the sealed data key of SSE-S3 ends like the one that is looked for
  expect(inspect(object, stored(object, SSE_S3)).problems).toEqual([
    `object: xl.meta has no ${PREFIX}Kms-Sealed-Key, but ${PREFIX}S3-Sealed-Key`,
    'object: xl.meta does not name the master key archive-key',
  ]);
});

test('nothing is said about files that are not the object’s', () => {
  const object = markedObject('object', 5000, 'sse-s3');
  const other = markedObject('object', 5000, 'sse-s3');
  expect(() => inspect(object, [])).toThrow('the drive holds no xl.meta of object');
  expect(() => inspect(object, stored(other, SSE_S3))).toThrow('these are not the object’s files');
});

test('the files of an archive are read whole, and folders are passed over', async () => {
  const large = Buffer.alloc(300_000, 'x');
  const archive = pack();
  archive.entry({ name: 'folder', type: 'directory' });
  archive.entry({ name: 'folder/object/xl.meta' }, 'XL2 ');
  archive.entry({ name: 'folder/object/a3a1/part.1' }, large);
  archive.finalize();
  const files = await filesOf(archive.pipe(new PassThrough()));
  expect(files.map(({ path }) => path)).toEqual(['folder/object/xl.meta', 'folder/object/a3a1/part.1']);
  const hash = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');
  expect(hash(files[1]?.content ?? Buffer.alloc(0))).toBe(hash(large));
});

test('an archive that breaks off is an error', async () => {
  const archive = new PassThrough();
  const reading = filesOf(archive);
  archive.destroy(new Error('the container is gone'));
  await expect(reading).rejects.toThrow('the container is gone');
});
