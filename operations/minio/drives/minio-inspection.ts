/**
 * The answer of MinIO's `inspect-data`: a byte of version, a key, and under it a ZIP archive that is written while files
 * are read, so that no entry says beforehand how long it is (minio/minio, cmd/admin-handlers.go; secure-io/sio-go).
 */
import { createCipheriv, createDecipheriv } from 'node:crypto';
import { inflateRawSync } from 'node:zlib';

export interface InspectedFile {
  /** Drive, volume and path on it. */
  readonly path: string;
  readonly content: Buffer;
}

const VERSION = 1;
const KEY_BYTES = 32;
const TAG_BYTES = 16;
const FRAGMENT_BYTES = 16 * 1024 + TAG_BYTES;

/** @throws Error if it is something else, was cut off, or holds a file that is larger than any */
export async function* inspectedFiles(answer: AsyncIterable<Buffer>): AsyncGenerator<InspectedFile> {
  const encrypted = new Reader(answer);
  const version = (await encrypted.take(1))[0];
  if (version !== VERSION) throw new Error(`what MinIO inspected has version ${version ?? 'none'}, not ${VERSION}`);
  const key = await encrypted.take(KEY_BYTES);
  yield* zipEntries(new Reader(decrypted(encrypted, key)));
}

/** AES-256-GCM in fragments. Number 0 is empty, and its tag goes with every other; the last one says that it is. */
async function* decrypted(encrypted: Reader, key: Buffer): AsyncGenerator<Buffer> {
  const nonce = Buffer.alloc(12);
  const first = createCipheriv('aes-256-gcm', key, nonce);
  first.final();
  const associated = Buffer.concat([Buffer.alloc(1), first.getAuthTag()]);
  for (let number = 1, last = false; !last; number++) {
    last = (await encrypted.available(FRAGMENT_BYTES + 1)) <= FRAGMENT_BYTES;
    const fragment = await encrypted.take(last ? await encrypted.available(FRAGMENT_BYTES) : FRAGMENT_BYTES);
    const data = fragment.length - TAG_BYTES;
    if (data < 0) throw new Error('what MinIO inspected was cut off');
    nonce.writeUInt32LE(number, 8);
    associated[0] = last ? 0x80 : 0;
    const decipher = createDecipheriv('aes-256-gcm', key, nonce);
    decipher.setAAD(associated);
    decipher.setAuthTag(fragment.subarray(data));
    yield Buffer.concat([decipher.update(fragment.subarray(0, data)), decipher.final()]);
  }
}

const LOCAL_FILE = 0x04034b50;
const LOCAL_HEADER_BYTES = 30;
const DESCRIPTOR_BYTES = 16;
/** Bit of the flags: sizes follow the data. */
const WITH_DESCRIPTOR = 0x08;

/** The files of a ZIP archive, as Go's `zip.Writer` makes it of deflated files and empty folders. */
async function* zipEntries(archive: Reader): AsyncGenerator<InspectedFile> {
  while ((await archive.available(4)) === 4 && (await archive.peek(4)).readUInt32LE() === LOCAL_FILE) {
    const header = await archive.take(LOCAL_HEADER_BYTES);
    const path = (await archive.take(header.readUInt16LE(26))).toString('utf8');
    await archive.take(header.readUInt16LE(28));
    if ((header.readUInt16LE(6) & WITH_DESCRIPTOR) === 0) {
      await archive.take(header.readUInt32LE(18));
      continue;
    }
    const content = await inflated(archive);
    await archive.take(DESCRIPTOR_BYTES);
    yield { path, content };
  }
}

/** `xl.meta` holds an object of up to 128 KiB itself, and one entry for each version. */
const MOST_BYTES = 64 * 1024 * 1024;

/** Deflated data knows its own end: with too little of it, it is tried with more. */
async function inflated(archive: Reader): Promise<Buffer> {
  for (let bytes = 64 * 1024; ; bytes *= 4) {
    const available = await archive.available(bytes);
    try {
      // without an option of the types: what was read is known to the engine
      const options = { info: true, maxOutputLength: MOST_BYTES };
      const { buffer, engine } = inflateRawSync(await archive.peek(available), options) as unknown as {
        readonly buffer: Buffer;
        readonly engine: { readonly bytesWritten: number };
      };
      await archive.take(engine.bytesWritten);
      return buffer;
    } catch (error) {
      const more = (error as NodeJS.ErrnoException).code === 'Z_BUF_ERROR' && available === bytes && bytes < MOST_BYTES;
      if (!more) throw error;
    }
  }
}

/** Bytes of a stream, as many as are wanted. */
class Reader {
  private readonly chunks: AsyncIterator<Buffer>;
  private pending: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.chunks = source[Symbol.asyncIterator]();
  }

  /** How many of so many bytes there are before the end. */
  async available(wanted: number): Promise<number> {
    const chunks = [this.pending];
    let length = this.pending.length;
    while (length < wanted) {
      const next = await this.chunks.next();
      if (next.done === true) break;
      chunks.push(next.value);
      length += next.value.length;
    }
    if (chunks.length > 1) this.pending = Buffer.concat(chunks);
    return Math.min(length, wanted);
  }

  async peek(bytes: number): Promise<Buffer> {
    if ((await this.available(bytes)) < bytes) throw new Error('what MinIO inspected was cut off');
    return this.pending.subarray(0, bytes);
  }

  async take(bytes: number): Promise<Buffer> {
    const taken = await this.peek(bytes);
    this.pending = this.pending.subarray(bytes);
    return taken;
  }
}
