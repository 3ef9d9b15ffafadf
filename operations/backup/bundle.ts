/**
 * A backup as a file: a tar archive, encrypted with age, so that `age` and `tar` open it wherever this project is not at
 * hand. What may be in it, see entries.ts.
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { environmentName, kesName } from '../../config/names';
import { type Canaries, opensCanary, parseCanaries } from '../canaries';
import { ExternalError } from '../errors';
import { damaged, decrypt, encryptInto, newProofKey, readBounded } from './age-file';
import { type ArchiveEntry, ArchiveError, archiveOf, entriesIn } from './archive';
import {
  BUCKETS_ENTRY,
  CANARIES_ENTRY,
  ENVIRONMENT_ENTRY,
  HEADER_ENTRY,
  IAM_ENTRY,
  KEY_FOLDER,
  MANIFEST_ENTRY,
  MOST_ENTRIES,
  STATE_FOLDER,
} from './entries';

/** Raised when a program that reads a bundle would have to change. */
export const BUNDLE_FORMAT = 1;

/** Ids, versions and image references: shown on terminals, so nothing that steers one. */
const word = z.string().regex(/^[\x21-\x7e]{1,300}$/);

export const bundleHeader = z.strictObject({
  format: z.literal(BUNDLE_FORMAT),
  environment: z.string().refine(environmentName.test, { error: environmentName.rule }),
  /** Of the deployment, as `deployment.json` has it. */
  deployment: word,
  createdAt: z.iso.datetime(),
  /** MinIO's own id of the data that the keys open: `id` of `.minio.sys/format.json`. */
  minioDeployment: word,
  /** Where the master keys came from. */
  keyStore: word,
  masterKeys: z.array(z.string().refine(kesName.test, { error: kesName.rule })).max(MOST_ENTRIES),
  /** Version of this project, and of every program that it had deployed. */
  versions: z.record(word, word),
});
export type BundleHeader = z.infer<typeof bundleHeader>;

const manifest = z.strictObject({
  entries: z
    .array(z.strictObject({ name: z.string(), bytes: z.int(), sha256: z.string().regex(/^[0-9a-f]{64}$/) }))
    .max(MOST_ENTRIES),
});
type Manifest = z.infer<typeof manifest>;

/** A bundle that was opened and found whole. Nothing of it was written anywhere. */
export interface Bundle {
  readonly header: BundleHeader;
  /** Of the encrypted file, hex. */
  readonly sha256: string;
  /** The text of the environment file. */
  readonly environmentFile: string;
  /** Each opens its canary. */
  readonly masterKeys: ReadonlyMap<string, Buffer>;
  readonly canaries: Canaries;
  /** Files of the state folder, by their paths in it. */
  readonly stateFiles: ReadonlyMap<string, Buffer>;
  /** What MinIO has exported, and imports again. */
  readonly iam: Buffer;
  readonly buckets: Buffer;
}

/** What was written. */
export interface WrittenBundle {
  readonly bytes: number;
  /** Of the encrypted file, hex. */
  readonly sha256: string;
}

/**
 * Writes a bundle in one step and proves that it can be opened: it is read back from the disk, decrypted with a key that
 * exists only for that (a recipient beside the given ones, forgotten afterwards) and looked through as a restore does.
 *
 * @param entries everything but header and manifest
 * @param recipients `age1…`
 * @throws ExternalError if what was read back is no bundle that a restore takes
 */
export async function writeBundle(
  file: string,
  header: BundleHeader,
  entries: AsyncIterable<ArchiveEntry>,
  recipients: readonly string[],
): Promise<WrittenBundle> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  const temporary = `${file}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    const proof = await newProofKey(recipients);
    await encryptEntries(temporary, listed(header, entries), [...recipients, proof.recipient]);
    const { sha256: digest } = await openBundle(temporary, [proof.identity]);
    const { size: bytes } = await stat(temporary);
    await rename(temporary, file);
    return { bytes, sha256: digest };
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

async function encryptEntries(
  file: string,
  entries: AsyncIterable<ArchiveEntry>,
  recipients: readonly string[],
): Promise<void> {
  const { stream, written } = archiveOf(entries);
  const [packed, encrypted] = await Promise.allSettled([written, encryptInto(file, stream, recipients)]);
  // what went wrong while packing is the cause; the stream only says that it ended early
  for (const result of [packed, encrypted]) if (result.status === 'rejected') throw result.reason;
}

/** The entries between the header and the manifest that lists them. */
async function* listed(header: BundleHeader, entries: AsyncIterable<ArchiveEntry>): AsyncGenerator<ArchiveEntry> {
  const list: Manifest['entries'] = [];
  const add = (entry: ArchiveEntry): ArchiveEntry => {
    list.push({ name: entry.name, bytes: entry.content.length, sha256: sha256(entry.content) });
    return entry;
  };
  yield add({ name: HEADER_ENTRY, content: json(header) });
  for await (const entry of entries) yield add(entry);
  yield { name: MANIFEST_ENTRY, content: json({ entries: list } satisfies Manifest) };
}

/**
 * Opens a bundle and proves that it is whole, before anything of it is used.
 *
 * @param identities `AGE-SECRET-KEY-…`
 * @throws ExternalError that says what is wrong with it: no backup, another recipient, truncated, altered, another
 *   format, something in it that no backup has
 */
export async function openBundle(file: string, identities: readonly string[]): Promise<Bundle> {
  const encrypted = await readBounded(file);
  const archive = await decrypt(file, encrypted, identities);
  try {
    const entries = await entriesIn(archive);
    const header = headerIn(file, entries);
    requireWhole(entries);
    return { header, sha256: sha256(encrypted), ...contentsIn(entries, header) };
  } catch (error) {
    if (error instanceof ArchiveError) throw damaged(file, error.message, error);
    if (error instanceof NotWhole) {
      throw new ExternalError(
        `${file} is no whole backup: ${error.message}`,
        'take another copy of it, or an older backup',
      );
    }
    throw error;
  }
}

/** What is missing or does not fit, as the end of a sentence. */
class NotWhole extends Error {}

function headerIn(file: string, entries: ReadonlyMap<string, Buffer>): BundleHeader {
  const header = jsonIn(entries, HEADER_ENTRY);
  const format = z.object({ format: z.number() }).safeParse(header).data?.format;
  if (format !== undefined && format !== BUNDLE_FORMAT) {
    throw new ExternalError(
      `${file} is a backup of format ${format}; this version reads format ${BUNDLE_FORMAT}`,
      'restore it with the version of this project that made it: bundle.json in it says which',
    );
  }
  return parsed(HEADER_ENTRY, bundleHeader, header);
}

function requireWhole(entries: ReadonlyMap<string, Buffer>): void {
  const list = parsed(MANIFEST_ENTRY, manifest, jsonIn(entries, MANIFEST_ENTRY)).entries;
  for (const { name, bytes, sha256: expected } of list) {
    const content = entries.get(name);
    if (content === undefined) throw new NotWhole(`${JSON.stringify(name.slice(0, 100))} is missing`);
    if (content.length !== bytes || sha256(content) !== expected) throw new NotWhole(`${name} is not what was written`);
  }
  const names = new Set(list.map(({ name }) => name));
  const strange = [...entries.keys()].find((name) => name !== MANIFEST_ENTRY && !names.has(name));
  if (strange !== undefined) throw new NotWhole(`${strange} is not in its manifest`);
}

/** What is in it, by its kind; each kind fits what the others say. */
function contentsIn(entries: ReadonlyMap<string, Buffer>, header: BundleHeader): Omit<Bundle, 'header' | 'sha256'> {
  const masterKeys = below(entries, KEY_FOLDER);
  const canaries = parseCanaries(entry(entries, CANARIES_ENTRY).toString('utf8'));
  if (canaries === undefined) throw new NotWhole(`${CANARIES_ENTRY} is not a file of canaries`);
  const [declared, held] = [[...header.masterKeys].sort(), [...masterKeys.keys()].sort()];
  if (declared.join() !== held.join()) {
    throw new NotWhole(`it is said to hold the master keys ${declared.join(', ')}, and holds ${held.join(', ')}`);
  }
  for (const [name, material] of masterKeys) {
    const canary = Object.hasOwn(canaries, name) ? canaries[name] : undefined;
    if (canary === undefined) throw new NotWhole(`master key ${name} has no canary`);
    if (!opensCanary(material, name, canary)) throw new NotWhole(`master key ${name} does not open its canary`);
  }
  return {
    environmentFile: entry(entries, ENVIRONMENT_ENTRY).toString('utf8'),
    masterKeys,
    canaries,
    stateFiles: below(entries, STATE_FOLDER),
    iam: entry(entries, IAM_ENTRY),
    buckets: entry(entries, BUCKETS_ENTRY),
  };
}

function entry(entries: ReadonlyMap<string, Buffer>, name: string): Buffer {
  const content = entries.get(name);
  if (content === undefined) throw new NotWhole(`there is no ${name} in it`);
  return content;
}

/** The entries of a folder, by their names in it. */
function below(entries: ReadonlyMap<string, Buffer>, folder: string): Map<string, Buffer> {
  const inside = [...entries].filter(([name]) => name.startsWith(folder));
  return new Map(inside.map(([name, content]) => [name.slice(folder.length), content]));
}

function jsonIn(entries: ReadonlyMap<string, Buffer>, name: string): unknown {
  const text = entry(entries, name).toString('utf8');
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new NotWhole(`${name} is not JSON`);
  }
}

function parsed<T extends z.ZodType>(name: string, schema: T, value: unknown): z.infer<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new NotWhole(`${name} is not right: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`);
}

function json(value: unknown): Buffer {
  return Buffer.from(`${JSON.stringify(value, null, 2)}\n`);
}

function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}
