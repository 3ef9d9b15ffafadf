/** Writes a backup and proves that a restore would take it. */
import { randomBytes } from 'node:crypto';
import { closeSync, linkSync, openSync, rmSync } from 'node:fs';
import { mkdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { flushFolder, renameDurably } from '../../lib/files';
import { encryptInto, newProofKey } from '../age/age-file';
import { type ArchiveEntry, archiveOf } from './archive';
import { type BundleHeader, json, type Manifest, sha256 } from './bundle';
import { alreadyThere } from '../destination';
import { HEADER_ENTRY, MANIFEST_ENTRY, SIGNATURE_ENTRY } from './entries';
import { openFor } from './open-bundle';
import type { SigningKey } from '../../lib/ed25519';

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
 * @param key by which it is signed
 * @throws UsageError if there is such a file; ExternalError if what was read back is no bundle that a restore takes
 */
export async function writeBundle(
  file: string,
  header: BundleHeader,
  entries: AsyncIterable<ArchiveEntry>,
  recipients: readonly string[],
  key: SigningKey,
): Promise<WrittenBundle> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  const temporary = `${file}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    const proof = await newProofKey(recipients);
    await encryptEntries(temporary, signed(header, entries, recipients, key), [...recipients, proof.recipient]);
    const provenance = { signers: [{ publicKey: key.publicKey, environment: header.environment }] };
    const { sha256: digest } = await openFor(temporary, [proof.identity], recipients, provenance);
    const { size: bytes } = await stat(temporary);
    giveName(temporary, file);
    return { bytes, sha256: digest };
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Where the file system has no hard links, as FAT and some network shares. */
const NO_LINKS: readonly (string | undefined)[] = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'];

/**
 * Names the finished file, and replaces nothing that appeared meanwhile. A link does both at once; without links an empty
 * file takes the name first, which a kill just then leaves there.
 */
function giveName(temporary: string, file: string): void {
  try {
    linkSync(temporary, file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') throw alreadyThere(file);
    if (!NO_LINKS.includes(code)) throw error;
    takeName(file);
    try {
      renameDurably(temporary, file);
    } catch (failed) {
      rmSync(file, { force: true });
      throw failed;
    }
    return;
  }
  rmSync(temporary, { force: true });
  flushFolder(path.dirname(file));
}

/** What is there then is ours, and empty. */
function takeName(file: string): void {
  try {
    closeSync(openSync(file, 'wx', 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw alreadyThere(file);
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

/** The entries between the header and the manifest that lists them, and the signature of that. */
async function* signed(
  header: BundleHeader,
  entries: AsyncIterable<ArchiveEntry>,
  recipients: readonly string[],
  key: SigningKey,
): AsyncGenerator<ArchiveEntry> {
  const list: Manifest['entries'] = [];
  const add = (entry: ArchiveEntry): ArchiveEntry => {
    list.push({ name: entry.name, bytes: entry.content.length, sha256: sha256(entry.content) });
    return entry;
  };
  yield add({ name: HEADER_ENTRY, content: json(header) });
  for await (const entry of entries) yield add(entry);
  const content = json({ recipients: [...recipients], entries: list } satisfies Manifest);
  yield { name: MANIFEST_ENTRY, content };
  yield { name: SIGNATURE_ENTRY, content: json(key.sign(content)) };
}
