import { createHash } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { pack } from 'tar-stream';
import { inspect, Marker, type MarkedObject, type Seal } from '../../../../operations/checks/at-rest/disk';
import { type DriveFile, filesBelow, filesOf } from '../../../../operations/checks/at-rest/drive';
import { customerKey } from '../../../../operations/checks/objects/modes';

const PREFIX = 'X-Minio-Internal-Server-Side-Encryption-';
const SSE_S3 = [`${PREFIX}S3-Sealed-Key`, `${PREFIX}S3-Kms-Key-Id`, 'backup-default', `${PREFIX}S3-Kms-Sealed-Key`];
const SSE_KMS = [`${PREFIX}Kms-Sealed-Key`, `${PREFIX}S3-Kms-Key-Id`, 'archive-key', `${PREFIX}S3-Kms-Sealed-Key`];
const SSE_C = [`${PREFIX}Sealed-Key`];

const sseS3: Seal = { claim: { mode: 'AES256' }, masterKey: 'backup-default' };
const sseKms: Seal = { claim: { mode: 'aws:kms', key: 'archive-key' }, masterKey: 'archive-key' };
const sseC: Seal = { claim: { mode: 'SSE-C', key: customerKey() } };

const marker = new Marker();

/** The files of an object as a MinIO stores it that encrypts: ciphertext is anything without the marker. */
function stored(
  object: MarkedObject,
  metadata: readonly string[],
  data: Buffer = Buffer.alloc(5000, 0x5a),
): DriveFile[] {
  const names = [...metadata, 'X-Amz-Meta-Ebs-Control', object.control].join('\u00a0');
  return [
    { path: `bucket/${object.name}/xl.meta`, content: Buffer.from(`XL2 ${names}`) },
    { path: `bucket/${object.name}/a3a1/part.1`, content: data },
  ];
}

test.each([
  ['SSE-S3', [sseS3], SSE_S3],
  ['SSE-KMS', [sseKms], SSE_KMS],
  ['SSE-C', [sseC], SSE_C],
  ['each of its versions', [sseS3, sseKms, sseKms, sseC], [...SSE_S3, ...SSE_KMS, ...SSE_KMS, ...SSE_C]],
])('an object sealed by %s has no problem', (_, seals, metadata) => {
  const object = marker.object('object', 10_000, seals);
  expect(inspect(object, stored(object, metadata)).problems).toEqual([]);
});

test('plaintext is found in any file, at any place, also in another object’s', () => {
  const object = marker.object('object', 10_000, [sseS3]);
  const [body = Buffer.alloc(0)] = object.bodies;
  const leak = Buffer.concat([Buffer.alloc(777), body]);
  expect(marker.findIn(stored(object, SSE_S3))).toEqual([]);
  expect(marker.findIn(stored(object, SSE_S3, leak))).toEqual(['bucket/object/a3a1/part.1 at byte 777']);
  const stray: DriveFile = { path: '.minio.sys/tmp/1234/xl.meta', content: body.subarray(4000, 4200) };
  expect(marker.findIn([...stored(object, SSE_S3), stray])).toEqual(['.minio.sys/tmp/1234/xl.meta at byte 96']);
});

test('every block of every version has the marker, so that no stripe of it is without', () => {
  for (const body of marker.object('object', 1024 * 1024, [sseC, sseS3]).bodies) {
    for (let offset = 0; offset < body.length; offset += 64 * 1024) {
      expect(body.subarray(offset, offset + 64 * 1024).includes(marker.bytes)).toBe(true);
    }
  }
});

test('metadata of no, of another or of an unnamed master key is found', () => {
  const object = marker.object('object', 5000, [sseKms]);
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

test('a version, a context and a multipart object that are not sealed as they should be are found', () => {
  const versions = marker.object('versions', 5000, [sseKms, sseKms, sseC]);
  expect(inspect(versions, stored(versions, [...SSE_KMS, ...SSE_C])).problems).toEqual([
    `versions: xl.meta has ${PREFIX}Kms-Sealed-Key for 1 of 2 versions`,
  ]);
  const claim = { mode: 'aws:kms', key: 'archive-key', context: { a: 'b' } } as const;
  const object = marker.object('object', 5000, [{ claim, masterKey: 'archive-key' }], true);
  expect(inspect(object, stored(object, SSE_KMS)).problems).toEqual([
    `object: xl.meta has no ${PREFIX}Context`,
    'object: xl.meta has no X-Minio-Internal-Encrypted-Multipart',
  ]);
});

test('a drive that was away lacks versions, and each one that it holds must be sealed', () => {
  const object = marker.object('versions', 5000, [sseS3, sseKms]);
  const copy = (drive: number, versions: readonly (readonly string[])[]): DriveFile => ({
    path: `/drives/${drive}/bucket/versions/xl.meta`,
    content: Buffer.from(`XL2 ${versions.map((names) => [...names, object.control].join(' ')).join(' ')}`),
  });
  const complete = copy(1, [SSE_S3, SSE_KMS]);
  expect(inspect(object, [complete, copy(2, [SSE_S3])]).problems).toEqual([]);
  expect(inspect(object, [complete, copy(2, [[]])]).problems).toEqual([
    'versions: xl.meta of a drive has 0 sealed keys for its 1 versions',
  ]);
  expect(inspect(object, [complete, copy(2, [SSE_S3, []])]).problems).toEqual([
    `versions: xl.meta has no ${PREFIX}Kms-Sealed-Key, but ${PREFIX}S3-Sealed-Key`,
    'versions: xl.meta does not name the master key archive-key',
  ]);
});

test('the versions of an object are in several pools, each with a quorum of its own', () => {
  const object = marker.object('versions', 5000, [sseS3, sseKms, sseKms]);
  const copy = (drive: string, pool: number, versions: readonly (readonly string[])[]): DriveFile => ({
    path: `${drive}:/data/bucket/versions/xl.meta`,
    pool,
    content: Buffer.from(`XL2 ${versions.map((names) => [...names, object.control].join(' ')).join(' ')}`),
  });
  const first = [copy('a', 1, [SSE_S3, SSE_KMS]), copy('b', 1, [SSE_S3])];
  const inTwoPools = [...first, copy('d', 2, [SSE_KMS]), copy('e', 2, [SSE_KMS])];
  expect(inspect(object, inTwoPools).problems).toEqual([]);
  expect(inspect(object, [...first, copy('d', 2, [[]]), copy('e', 2, [[]])]).problems).toEqual([
    `versions: xl.meta has ${PREFIX}Kms-Sealed-Key for 1 of 2 versions`,
  ]);
  // one drive of it alone has a version that is not sealed
  expect(inspect(object, [...inTwoPools, copy('f', 2, [[]])]).problems).toEqual([
    `versions: xl.meta has ${PREFIX}Kms-Sealed-Key for 1 of 2 versions`,
  ]);
});

test('nothing is said about files that are not the object’s', () => {
  const object = marker.object('object', 5000, [sseS3]);
  const other = marker.object('object', 5000, [sseS3]);
  expect(() => inspect(object, [])).toThrow('the drive holds no xl.meta of object');
  expect(() => inspect(object, stored(other, SSE_S3))).toThrow('these are not the object’s files');
});

/** A tar archive as Docker sends it, of a folder with two files. */
function archive(large: Buffer): PassThrough {
  const tar = pack();
  tar.entry({ name: 'folder', type: 'directory' });
  tar.entry({ name: 'folder/object/xl.meta' }, 'XL2 ');
  tar.entry({ name: 'folder/object/a3a1/part.1' }, large);
  tar.finalize();
  return tar.pipe(new PassThrough());
}

test('the files of an archive are read whole, and folders are passed over', async () => {
  const large = Buffer.alloc(300_000, 'x');
  const { files, bytes, cutOff } = await filesOf(archive(large));
  expect(files.map(({ path }) => path)).toEqual(['folder/object/xl.meta', 'folder/object/a3a1/part.1']);
  const hash = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');
  expect(hash(files[1]?.content ?? Buffer.alloc(0))).toBe(hash(large));
  expect({ bytes, cutOff }).toEqual({ bytes: 300_004, cutOff: false });
});

test('reading ends at its limit, says so, and hangs up', async () => {
  const source = archive(Buffer.alloc(300_000));
  const { files, cutOff } = await filesOf(source, 4000);
  expect(files.map(({ path }) => path)).toEqual(['folder/object/xl.meta']);
  expect(cutOff).toBe(true);
  expect(source.destroyed).toBe(true);
});

test('an archive that breaks off is read again, and is an error if it always does', async () => {
  const broken = (): PassThrough => {
    const stream = new PassThrough();
    setImmediate(() => stream.destroy(new Error('the file went away')));
    return stream;
  };
  const archives = [broken(), archive(Buffer.alloc(10))];
  const drive = (read: () => PassThrough) => [{ path: '/data', read: async () => Promise.resolve(read()) }];
  const { files } = await filesBelow(
    drive(() => archives.shift() ?? broken()),
    '.minio.sys/folder',
  );
  expect(files.map(({ path }) => path)).toContain('.minio.sys/folder/object/xl.meta');
  await expect(filesBelow(drive(broken), 'folder')).rejects.toThrow('the file went away');
});
