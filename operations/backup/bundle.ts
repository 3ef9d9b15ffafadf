/**
 * A backup as a file: a tar archive, encrypted with age (https://age-encryption.org/v1), so that `age` and `tar` open
 * it wherever this project is not at hand.
 *
 * | entry           | place | content                                                            |
 * |-----------------|-------|--------------------------------------------------------------------|
 * | `bundle.json`   | first | what it is a backup of: {@link bundleHeader}                       |
 * | anything else   |       | see contents.ts                                                    |
 * | `manifest.json` | last  | size and SHA-256 of every entry before it, so that none is missing |
 */
import { Decrypter, Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import { extract, type Pack, pack } from 'tar-stream';
import { z } from 'zod';
import { ExternalError, messageOf } from '../errors';

/** Raised when a program that reads a bundle would have to change. */
export const BUNDLE_FORMAT = 1;

const HEADER = 'bundle.json';
const MANIFEST = 'manifest.json';

/** What is in a bundle is small; one that unpacks to more is none of ours. */
const MOST_BYTES = 512 * 1024 * 1024;

export const bundleHeader = z.strictObject({
  format: z.literal(BUNDLE_FORMAT),
  environment: z.string(),
  /** Of the deployment, as `deployment.json` has it. */
  deployment: z.string(),
  createdAt: z.iso.datetime(),
  /** MinIO's own id of the data that the keys open: `id` of `.minio.sys/format.json`. */
  minioDeployment: z.string(),
  /** Where the master keys came from. */
  keyStore: z.string(),
  masterKeys: z.array(z.string()),
  /** Version of this project, and of every program that it had deployed. */
  versions: z.record(z.string(), z.string()),
});
export type BundleHeader = z.infer<typeof bundleHeader>;

const manifest = z.strictObject({
  entries: z.array(z.strictObject({ name: z.string(), bytes: z.number(), sha256: z.string().regex(/^[0-9a-f]{64}$/) })),
});
type Manifest = z.infer<typeof manifest>;

/** One file of a bundle. */
export interface BundleEntry {
  readonly name: string;
  readonly content: Buffer;
}

/** A bundle that was opened and found whole. */
export interface Bundle {
  readonly header: BundleHeader;
  /** Of the encrypted file, hex. */
  readonly sha256: string;
  /** Everything but the header and the manifest. */
  readonly entries: ReadonlyMap<string, Buffer>;
}

/** What was written. */
export interface WrittenBundle {
  readonly bytes: number;
  /** Of the encrypted file, hex. */
  readonly sha256: string;
  readonly entries: number;
}

/**
 * Writes a bundle in one step and proves that it can be opened: it is read back from the disk, decrypted with a key that
 * exists only for that (a recipient beside the given ones, forgotten afterwards) and compared with its manifest.
 *
 * @param entries are read one after the other, so that no more than one is in memory
 * @param recipients `age1…`
 * @throws ExternalError if what was read back is not what was written
 */
export async function writeBundle(
  file: string,
  header: BundleHeader,
  entries: AsyncIterable<BundleEntry>,
  recipients: readonly string[],
): Promise<WrittenBundle> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  const temporary = `${file}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    const proof = await generateX25519Identity();
    await encryptTo(temporary, header, entries, [...recipients, await identityToRecipient(proof)]);
    const { sha256: digest, entries: read } = await openBundle(temporary, [proof]);
    const { size: bytes } = await stat(temporary);
    await rename(temporary, file);
    return { bytes, sha256: digest, entries: read.size };
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

async function encryptTo(
  file: string,
  header: BundleHeader,
  entries: AsyncIterable<BundleEntry>,
  recipients: readonly string[],
): Promise<void> {
  const encrypter = new Encrypter();
  for (const recipient of recipients) encrypter.addRecipient(recipient);
  const archive = pack();
  const packing = packAll(archive, header, entries).catch((error: unknown) => {
    archive.destroy(error as Error);
    throw error;
  });
  const writing = (async () => {
    const encrypted = await encrypter.encrypt(webStream(Readable.from(archive)));
    await pipeline(nodeStream(encrypted), createWriteStream(file, { mode: 0o600, flags: 'wx', flush: true }));
  })();
  const [packed, wrote] = await Promise.allSettled([packing, writing]);
  // what went wrong while packing is the cause; the stream only says that it ended early
  for (const { reason } of [packed, wrote].filter(({ status }) => status === 'rejected') as PromiseRejectedResult[]) {
    throw reason;
  }
}

async function packAll(archive: Pack, header: BundleHeader, entries: AsyncIterable<BundleEntry>): Promise<void> {
  const listed: Manifest['entries'] = [];
  const add = async ({ name, content }: BundleEntry): Promise<void> => {
    listed.push({ name, bytes: content.length, sha256: sha256(content) });
    await addEntry(archive, name, content);
  };
  await add({ name: HEADER, content: json(header) });
  for await (const entry of entries) await add(entry);
  await addEntry(archive, MANIFEST, json({ entries: listed } satisfies Manifest));
  archive.finalize();
}

async function addEntry(archive: Pack, name: string, content: Buffer): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    archive.entry({ name, mode: 0o600 }, content, (error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}

/**
 * Opens a bundle and proves that it is whole, before anything of it is used.
 *
 * @param identities `AGE-SECRET-KEY-1…`
 * @throws ExternalError that says what is wrong with it: no backup, another recipient, truncated, altered, another format
 */
export async function openBundle(file: string, identities: readonly string[]): Promise<Bundle> {
  await requireAgeFile(file);
  const decrypter = new Decrypter();
  for (const identity of identities) decrypter.addIdentity(identity);
  const entries = new Map<string, Buffer>();
  try {
    const decrypted = await decrypter.decrypt(webStream(createReadStream(file)));
    await unpack(nodeStream(decrypted), entries);
  } catch (error) {
    if (error instanceof ExternalError) throw error;
    const text = messageOf(error);
    if (/no identity matched/i.test(text)) {
      throw new ExternalError(
        `${file} is encrypted for other recipients than the given identity`,
        'give the identity of one of the recipients that the backup was made for',
        { cause: error },
      );
    }
    throw new ExternalError(
      `${file} is truncated or was altered: ${text}`,
      'take another copy of it, or an older backup',
      {
        cause: error,
      },
    );
  }
  return { ...verified(file, entries), sha256: await digestOf(file) };
}

async function unpack(archive: Readable, entries: Map<string, Buffer>): Promise<void> {
  const reader = extract();
  let total = 0;
  // an error of the decryption must not end as a silently short archive
  const flowing = pipeline(archive, reader);
  const reading = (async () => {
    for await (const entry of reader) {
      const chunks: Buffer[] = [];
      for await (const chunk of entry) {
        chunks.push(chunk as Buffer);
        total += (chunk as Buffer).length;
        if (total > MOST_BYTES) throw new Error(`it unpacks to more than ${MOST_BYTES} bytes`);
      }
      const { name } = entry.header;
      if (entries.has(name)) throw new Error(`it holds ${name} twice`);
      entries.set(name, Buffer.concat(chunks));
    }
  })();
  await Promise.all([flowing, reading]);
}

function verified(file: string, entries: Map<string, Buffer>): Omit<Bundle, 'sha256'> {
  const header = entries.get(HEADER);
  const list = entries.get(MANIFEST);
  const broken = (what: string): ExternalError =>
    new ExternalError(`${file} is no whole backup: ${what}`, 'take another copy of it, or an older backup');
  if (header === undefined) throw broken(`there is no ${HEADER} in it`);
  const { format } = z.object({ format: z.number() }).parse(JSON.parse(header.toString('utf8')));
  if (format !== BUNDLE_FORMAT) {
    throw new ExternalError(
      `${file} is a backup of format ${format}; this version reads format ${BUNDLE_FORMAT}`,
      'restore it with the version of this project that made it: bundle.json in it says which',
    );
  }
  if (list === undefined) throw broken(`there is no ${MANIFEST} in it`);
  const listed = manifest.parse(JSON.parse(list.toString('utf8'))).entries;
  for (const { name, bytes, sha256: expected } of listed) {
    const content = entries.get(name);
    if (content === undefined) throw broken(`${name} is missing`);
    if (content.length !== bytes || sha256(content) !== expected) throw broken(`${name} is not what was written`);
  }
  const names = new Set(listed.map(({ name }) => name));
  const strange = [...entries.keys()].find((name) => name !== MANIFEST && !names.has(name));
  if (strange !== undefined) throw broken(`${strange} is not in its manifest`);
  const contents = [...entries].filter(([name]) => name !== HEADER && name !== MANIFEST);
  return { header: bundleHeader.parse(JSON.parse(header.toString('utf8'))), entries: new Map(contents) };
}

// Node's types for the two kinds of stream know nothing of the browser's, which age-encryption uses
type WebStream = globalThis.ReadableStream<Uint8Array>;

function webStream(stream: Readable): WebStream {
  return Readable.toWeb(stream) as WebStream;
}

function nodeStream(stream: WebStream): Readable {
  return Readable.fromWeb(stream as ReadableStream<Uint8Array>);
}

/** First line of every age file: https://age-encryption.org/v1, "File format". */
const AGE_MAGIC = 'age-encryption.org/v1\n';

async function requireAgeFile(file: string): Promise<void> {
  let start: Buffer;
  try {
    const handle = await open(file);
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(AGE_MAGIC.length), 0, AGE_MAGIC.length, 0);
      start = buffer.subarray(0, bytesRead);
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw new ExternalError(`the backup cannot be read: ${messageOf(error)}`, undefined, { cause: error });
  }
  if (start.toString('latin1') === AGE_MAGIC) return;
  throw new ExternalError(
    `${file} is not a backup: it is not encrypted with age`,
    'give a file that ./scripts/backup made',
  );
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

function json(value: unknown): Buffer {
  return Buffer.from(`${JSON.stringify(value, null, 2)}\n`);
}

function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}
