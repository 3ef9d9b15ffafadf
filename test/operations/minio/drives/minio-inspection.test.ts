import { createCipheriv, randomBytes } from 'node:crypto';
import { deflateRawSync } from 'node:zlib';
import { inspectedFiles } from '../../../../operations/minio/drives/minio-inspection';

/** An entry as Go's zip.Writer makes it: sizes and checksum come after the data. */
function entry(name: string, content: Buffer): Buffer {
  const header = Buffer.alloc(30);
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt16LE(0x08, 6);
  header.writeUInt16LE(8, 8);
  header.writeUInt16LE(Buffer.byteLength(name), 26);
  return Buffer.concat([header, Buffer.from(name), deflateRawSync(content), Buffer.alloc(16)]);
}

/** What a `zip.Writer` ends with. */
const DIRECTORY = Buffer.from('504b01020000', 'hex');
const KEY = randomBytes(32);

/** Encrypts in fragments of 16 KiB, as secure-io/sio-go does with AES-256-GCM. */
function answerOf(archive: Buffer): Buffer {
  const nonce = Buffer.alloc(12);
  const seal = (number: number, data: Buffer, associated: Buffer): Buffer => {
    nonce.writeUInt32LE(number, 8);
    const cipher = createCipheriv('aes-256-gcm', KEY, nonce);
    cipher.setAAD(associated);
    return Buffer.concat([cipher.update(data), cipher.final(), cipher.getAuthTag()]);
  };
  const tag = seal(0, Buffer.alloc(0), Buffer.alloc(0));
  const fragments: Buffer[] = [];
  for (let at = 0; at === 0 || at < archive.length; at += 16 * 1024) {
    const last = at + 16 * 1024 >= archive.length;
    const data = archive.subarray(at, at + 16 * 1024);
    fragments.push(seal(fragments.length + 1, data, Buffer.concat([Buffer.from([last ? 0x80 : 0]), tag])));
  }
  return Buffer.concat([Buffer.from([1]), KEY, ...fragments]);
}

async function read(answer: Buffer, chunkBytes = 1000): Promise<[string, string][]> {
  async function* chunks(): AsyncGenerator<Buffer> {
    for (let at = 0; at < answer.length; at += chunkBytes) {
      yield Promise.resolve(answer.subarray(at, at + chunkBytes));
    }
  }
  const files: [string, string][] = [];
  for await (const { path, content } of inspectedFiles(chunks())) files.push([path, content.toString('base64')]);
  return files;
}

const SMALL = { path: 'data/bucket/a/xl.meta', content: Buffer.from('XL2 small') };
/** Needs more than one try to be inflated. */
const LARGE = { path: 'data/bucket/b/xl.meta', content: randomBytes(100_000) };
const FILES = [SMALL, LARGE].map(({ path, content }) => [path, content.toString('base64')]);
const ARCHIVE = Buffer.concat([entry(SMALL.path, SMALL.content), entry(LARGE.path, LARGE.content), DIRECTORY]);

test.each([100, 1_000_000])('the files of an answer that comes in chunks of %i bytes', async (chunkBytes) => {
  expect(await read(answerOf(ARCHIVE), chunkBytes)).toEqual(FILES);
});

test('an archive that ends with a fragment', async () => {
  const rest = (16 * 1024 - ((ARCHIVE.length + 1) % (16 * 1024))) % (16 * 1024);
  const archive = Buffer.concat([ARCHIVE, Buffer.alloc(rest + 1)]);
  expect(archive.length % (16 * 1024)).toBe(0);
  expect(await read(answerOf(archive))).toEqual(FILES);
});

test('an answer without files', async () => {
  expect(await read(answerOf(DIRECTORY))).toEqual([]);
});

test('an answer that was cut off, altered or is of another version is refused', async () => {
  const answer = answerOf(ARCHIVE);
  await expect(read(answer.subarray(0, -1))).rejects.toThrow(/unable to authenticate/);
  await expect(read(answer.subarray(0, 20))).rejects.toThrow('what MinIO inspected was cut off');
  const altered = Buffer.from(answer);
  altered[500] = (altered[500] ?? 0) ^ 1;
  await expect(read(altered)).rejects.toThrow(/unable to authenticate/);
  await expect(read(Buffer.from([2, 0]))).rejects.toThrow('what MinIO inspected has version 2, not 1');
});

test('a file that grows without end is not unpacked to the end', async () => {
  const bomb = Buffer.concat([entry('data/bucket/a/xl.meta', Buffer.alloc(65 * 1024 * 1024)), DIRECTORY]);
  expect(bomb.length).toBeLessThan(1024 * 1024);
  await expect(read(answerOf(bomb), 1_000_000)).rejects.toThrow('Cannot create a Buffer larger than 67108864 bytes');
});
