/** Takes what another machine built. The file may be anybody's: nothing gets into the cache before all of it was looked at. */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, utimes } from 'node:fs/promises';
import path from 'node:path';
import { Transform } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract, type Extract } from 'tar-stream';
import { z } from 'zod';
import { messageOf, UsageError } from '../../lib/errors';
import { type CacheLayout, provideFolder } from '../cache';
import {
  BUSYBOX,
  type CarriedFile,
  carriedPrograms,
  MANIFEST,
  manifestSchema,
  measure,
  passing,
  thisPlatform,
} from './export';
import { FIXED_TIME, locateProgram } from '../go/go-build';
import { isStaticElf } from '../../lib/machine';
import { importedBusybox } from '../prerequisites';

/** What a manifest may have, in bytes; it has a fortieth of it. */
const MOST_MANIFEST_BYTES = 64 * 1024;
/** What tar itself adds at most: a header and padding for each entry, and a last block. */
const tarBytes = (entries: number): number => (entries + 1) * 2 * 512 + 64 * 1024;

const NOTHING = 'Nothing was imported.';

type Entry = Extract extends AsyncIterable<infer Source> ? Source : never;

/** What is wrong with a file, as the end of a sentence about it. */
class ImportError extends Error {}

export interface ImportOptions {
  /** What the file must have; @default whatever it has */
  readonly sha256?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Imported {
  readonly sha256: string;
  readonly files: readonly string[];
}

/**
 * Puts every program of an exported file into the cache, where builds find it by its key.
 *
 * @throws UsageError where it is no such file, was altered, or is for another architecture or version of this project
 */
export async function importToolchain(cache: CacheLayout, file: string, options: ImportOptions): Promise<Imported> {
  const { signal } = options;
  const { sha256 } = await measure(file, signal).catch((error: unknown) => {
    signal?.throwIfAborted();
    throw new UsageError(`${file} cannot be read: ${messageOf(error)}`);
  });
  if (options.sha256 !== undefined && options.sha256.toLowerCase() !== sha256) {
    throw new UsageError(`${file} must have the SHA-256 ${options.sha256}, got: ${sha256}`, NOTHING);
  }
  await mkdir(cache.root, { recursive: true });
  const folder = await mkdtemp(path.join(cache.root, 'import.tmp-'));
  try {
    const files = await unpack(file, folder, cache, signal).catch((error: unknown) => {
      signal?.throwIfAborted();
      if ((error as NodeJS.ErrnoException).code === 'ENOSPC') throw error;
      throw new UsageError(`${file} cannot be imported: ${messageOf(error)}`, NOTHING);
    });
    for (const { name, target } of files) {
      await provideFolder(path.dirname(target), `importing ${name}`, { signal }, async (temporary) => {
        await rename(path.join(folder, name), path.join(temporary, name));
      });
    }
    return { sha256, files: files.map(({ name }) => name) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface Unpacked {
  readonly name: string;
  /** Where it belongs. */
  readonly target: string;
}

async function unpack(file: string, folder: string, cache: CacheLayout, signal?: AbortSignal): Promise<Unpacked[]> {
  const budget = { bytes: MOST_MANIFEST_BYTES + tarBytes(1) };
  const reader = extract();
  const read = pipeline(createReadStream(file), createGunzip(), withinBudget(budget), reader, { signal });
  // seen below, where the entries end with the same error
  read.catch(() => undefined);
  let declared: Map<string, CarriedFile> | undefined;
  const unpacked: Unpacked[] = [];
  for await (const entry of reader) {
    const { name } = entry.header;
    if (declared === undefined) {
      const files = await manifestOf(entry);
      declared = new Map(files.map((one) => [one.name, one]));
      budget.bytes += files.reduce((sum, { bytes }) => sum + bytes, tarBytes(files.length));
      for (const one of files) unpacked.push({ name: one.name, target: await placeOf(one, cache) });
      continue;
    }
    const expected = declared.get(name);
    if (expected === undefined) throw new ImportError(`it holds ${shown(name)}, which its manifest does not name`);
    declared.delete(name);
    await unpackFile(entry, expected, path.join(folder, name));
  }
  await read;
  if (declared === undefined) throw new ImportError('it is empty');
  const [absent] = declared.keys();
  if (absent !== undefined) throw new ImportError(`it lacks ${absent}, which its manifest names`);
  return unpacked;
}

async function manifestOf(entry: Entry): Promise<CarriedFile[]> {
  const { name, size } = requireFile(entry);
  if (name !== MANIFEST || size > MOST_MANIFEST_BYTES) throw new ImportError('it does not begin with a manifest');
  let manifest: z.infer<typeof manifestSchema>;
  try {
    manifest = manifestSchema.parse(JSON.parse(await text(entry)));
  } catch {
    throw new ImportError('its manifest is not one of this version of the project');
  }
  const { platform, files } = manifest;
  if (platform !== thisPlatform())
    throw new ImportError(`it is for ${shown(platform)}, this machine is ${thisPlatform()}`);
  if (new Set(files.map((file) => file.name)).size < files.length)
    throw new ImportError('its manifest names a file twice');
  return files;
}

/** Only names that this project has, and only the builds that this version of it would make. */
async function placeOf({ name, key }: CarriedFile, cache: CacheLayout): Promise<string> {
  if (name === BUSYBOX) return importedBusybox(cache);
  const program = carriedPrograms().get(name);
  if (program === undefined) throw new ImportError(`it holds ${shown(name)}, which this project does not build`);
  const located = await locateProgram(cache, program);
  if (key !== located.key) {
    throw new ImportError(
      `it was made by another version of this project: ${name} has the build key ${key?.slice(0, 16) ?? 'none'}, here ${located.key.slice(0, 16)}`,
    );
  }
  return located.file;
}

async function unpackFile(entry: Entry, expected: CarriedFile, file: string): Promise<void> {
  const { size } = requireFile(entry);
  if (size !== expected.bytes)
    throw new ImportError(`${expected.name} in it has ${size} bytes, its manifest says ${expected.bytes}`);
  const hash = createHash('sha256');
  await pipeline(entry, passing(hash), createWriteStream(file, { mode: 0o755, flags: 'wx' }));
  if (hash.digest('hex') !== expected.sha256) {
    throw new ImportError(`it was altered: ${expected.name} in it has another SHA-256 than its manifest says`);
  }
  if (expected.name === BUSYBOX && !isStaticElf(file))
    throw new ImportError(`${BUSYBOX} in it is not statically linked`);
  await utimes(file, FIXED_TIME, FIXED_TIME);
}

function requireFile({ header: { name, type, size } }: Entry): { name: string; size: number } {
  if (type !== 'file') throw new ImportError(`${shown(name)} in it is a ${type}, and no file`);
  return { name, size };
}

/** Ends what unpacks to more than it declared, before it fills memory or disk. */
function withinBudget(budget: { bytes: number }): Transform {
  return new Transform({
    transform(chunk: Buffer, _, done) {
      budget.bytes -= chunk.length;
      if (budget.bytes < 0) done(new ImportError('it unpacks to more than its manifest says'));
      else done(null, chunk);
    },
  });
}

/** A name from the file, fit for a terminal. */
function shown(name: string): string {
  return JSON.stringify(name.slice(0, 100)).replace(/[^\x20-\x7e]/g, '?');
}
