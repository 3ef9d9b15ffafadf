/** The tar archive in a backup. An archive that is read may be anybody's: nothing of it is used before all of it was looked at. */
import { Readable } from 'node:stream';
import { extract, type Pack, pack } from 'tar-stream';
import { printable } from '../../lib/text/printable';
import { MOST_BYTES, MOST_ENTRIES, mostBytesOf } from './entries';

/** One file of an archive. */
export interface ArchiveEntry {
  readonly name: string;
  readonly content: Buffer;
}

/** A stream of an archive, and the end of writing it. */
export interface Archive {
  readonly stream: Readable;
  readonly written: Promise<void>;
}

/** @param entries are taken one after the other, so that no more than one is in memory */
export function archiveOf(entries: AsyncIterable<ArchiveEntry>): Archive {
  const archive = pack();
  const written = addAll(archive, entries).catch((error: unknown) => {
    archive.destroy(error as Error);
    throw error;
  });
  return { stream: Readable.from(archive), written };
}

async function addAll(archive: Pack, entries: AsyncIterable<ArchiveEntry>): Promise<void> {
  for await (const { name, content } of entries) {
    await new Promise<void>((resolve, reject) => {
      archive.entry({ name, mode: 0o600 }, content, (error) => {
        if (error) reject(error);
        else resolve();
      });
    });
  }
  archive.finalize();
}

/** What is wrong with an archive, as the end of a sentence about it. */
export class ArchiveError extends Error {}

/**
 * Every entry of an archive by its name, none of them unknown, twice, too large or anything but a file.
 *
 * @throws ArchiveError
 */
export async function entriesIn(archive: Buffer): Promise<Map<string, Buffer>> {
  const reader = extract();
  reader.end(archive);
  const entries = new Map<string, Buffer>();
  try {
    for await (const entry of reader) {
      const { name, type, size } = entry.header;
      requireKnown(name, type, size);
      if (entries.has(name)) throw new ArchiveError(`it holds ${name} twice`);
      if (entries.size === MOST_ENTRIES) throw new ArchiveError(`it holds more than ${MOST_ENTRIES} entries`);
      const chunks: Buffer[] = [];
      for await (const chunk of entry) chunks.push(chunk as Buffer);
      entries.set(name, Buffer.concat(chunks));
    }
  } catch (error) {
    if (error instanceof ArchiveError) throw error;
    throw new ArchiveError((error as Error).message, { cause: error });
  }
  return entries;
}

function requireKnown(name: string, type: string | null | undefined, size: number): void {
  const most = mostBytesOf(name);
  const shown = printable(JSON.stringify(name.slice(0, 100)));
  if (type !== 'file') throw new ArchiveError(`${shown} in it is a ${type ?? 'thing of an unknown kind'}, and no file`);
  if (most === undefined) throw new ArchiveError(`it holds ${shown}, which is nothing that a backup has`);
  if (size > Math.min(most, MOST_BYTES))
    throw new ArchiveError(`${name} in it has ${size} bytes, and at most ${most} is right`);
}
