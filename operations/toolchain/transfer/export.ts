/** What was built, as one file that a machine of the same kind imports: no compiler and no network are needed there. */
import { createHash, type Hash, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { type Pack, pack } from 'tar-stream';
import { z } from 'zod';
import { ExternalError, messageOf, UsageError } from '../../lib/errors';
import type { CacheLayout } from '../cache';
import { FIXED_TIME, locateProgram } from '../go/go-build';
import { imageRecipes } from '../images/image-contexts';
import { goPlatform } from '../../lib/machine';
import { findBusybox } from '../prerequisites';
import { dockerProvider, type GoProgram, opentofu, vaultProvider } from '../go/programs';

/** The first entry of the file; the others are named by what they are. */
export const MANIFEST = 'manifest.json';
/** The shell of the images, which is no Go program. */
export const BUSYBOX = 'busybox';
/** Several times what the largest program has. */
export const MOST_BYTES = 600e6;

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const entry = z.strictObject({
  name: z.string(),
  /** The build key, by which the cache knows the program; busybox has none. */
  key: sha256.optional(),
  bytes: z.number().int().positive().max(MOST_BYTES),
  sha256,
});
export type CarriedFile = z.infer<typeof entry>;

export const manifestSchema = z.strictObject({
  format: z.literal(1),
  /** Go's names of system and architecture. */
  platform: z.string(),
  files: z.array(entry).min(1),
});

/** Every program that may be carried, by its name. */
export function carriedPrograms(): ReadonlyMap<string, GoProgram> {
  const programs = [...imageRecipes.flatMap((recipe) => recipe.programs), dockerProvider, vaultProvider, opentofu];
  return new Map(programs.map((program) => [program.name, program]));
}

export function thisPlatform(): string {
  const { os, architecture } = goPlatform();
  return `${os}-${architecture}`;
}

export interface Exported {
  readonly bytes: number;
  readonly sha256: string;
  /** What is in it. */
  readonly files: readonly string[];
  /** What this version of the project could build and this machine has not built. */
  readonly absent: readonly string[];
}

/**
 * Writes what the cache has for this version of the project.
 *
 * @throws UsageError where the file exists, or nothing was built
 */
export async function exportToolchain(cache: CacheLayout, file: string, signal?: AbortSignal): Promise<Exported> {
  if (existsSync(file)) throw new UsageError(`${file} exists already`, 'Name another file, or remove this one.');
  const sources = new Map<string, { file: string; key?: string }>();
  for (const program of carriedPrograms().values()) {
    const located = await locateProgram(cache, program);
    if (existsSync(located.file)) sources.set(program.name, located);
  }
  if (sources.size === 0) {
    throw new UsageError(
      `nothing was built for this version of the project in ${cache.root}`,
      'Run ./scripts/toolchain.',
    );
  }
  const busybox = findBusybox();
  if (busybox !== undefined) sources.set(BUSYBOX, { file: busybox });

  const files: CarriedFile[] = [];
  for (const [name, { file: source, key }] of sources) {
    files.push({ name, ...(key !== undefined && { key }), ...(await measure(source, signal)) });
  }
  const hash = createHash('sha256');
  const temporary = `${file}.tmp-${randomBytes(6).toString('hex')}`;
  try {
    const archive = pack();
    const packed = packAll(archive, files, sources).catch((error: unknown) => {
      archive.destroy(error as Error);
    });
    // the lowest level: programs of Go hardly get smaller by more work
    const written = pipeline(archive, createGzip({ level: 1 }), passing(hash), createWriteStream(temporary), {
      signal,
    });
    await Promise.all([written, packed]);
    await rename(temporary, file);
  } catch (error) {
    signal?.throwIfAborted();
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined || code === 'ENOSPC') throw error;
    throw new ExternalError(`${file} cannot be written: ${messageOf(error)}`);
  } finally {
    await rm(temporary, { force: true });
  }
  return {
    bytes: (await stat(file)).size,
    sha256: hash.digest('hex'),
    files: files.map(({ name }) => name),
    absent: [...carriedPrograms().keys(), BUSYBOX].filter((name) => !sources.has(name)),
  };
}

async function packAll(
  archive: Pack,
  files: readonly CarriedFile[],
  sources: ReadonlyMap<string, { readonly file: string }>,
): Promise<void> {
  const common = { mode: 0o644, mtime: FIXED_TIME, uid: 0, gid: 0 };
  const manifest: z.input<typeof manifestSchema> = { format: 1, platform: thisPlatform(), files: [...files] };
  archive.entry({ ...common, name: MANIFEST }, `${JSON.stringify(manifest, null, 2)}\n`);
  for (const { name, bytes } of files) {
    const source = sources.get(name)?.file ?? '';
    await pipeline(createReadStream(source), archive.entry({ ...common, mode: 0o755, name, size: bytes }));
  }
  archive.finalize();
}

/** A stream that only looks at what goes through it. */
export function passing(hash: Hash): Transform {
  return new Transform({
    transform(chunk: Buffer, _, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
}

/** Size and SHA-256 of a file. */
export async function measure(file: string, signal?: AbortSignal): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of createReadStream(file, { signal })) {
    hash.update(chunk as Buffer);
    bytes += (chunk as Buffer).length;
  }
  return { bytes, sha256: hash.digest('hex') };
}
