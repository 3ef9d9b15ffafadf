/**
 * Looks at objects as MinIO stored them on its drive. Facts: minio/minio, cmd/xl-storage-format-v2.go and
 * internal/crypto/metadata.go. Names and values of metadata are plain bytes in xl.meta, so that searching them needs no
 * parser, and no parser's mistake hides anything.
 */
import { randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { extract } from 'tar-stream';
import type { Evidence } from './check';

/** How an object’s data key is sealed: by KES for SSE-S3, by KES for SSE-KMS, by the client’s own key. */
export type Sealing = 'sse-s3' | 'sse-kms' | 'sse-c';

const PREFIX = 'X-Minio-Internal-Server-Side-Encryption-';

/** Name of the metadata that holds the sealed key. None contains another, thanks to the prefix. */
export const SEALED_KEY: Readonly<Record<Sealing, string>> = {
  'sse-s3': `${PREFIX}S3-Sealed-Key`,
  'sse-kms': `${PREFIX}Kms-Sealed-Key`,
  'sse-c': `${PREFIX}Sealed-Key`,
};

/** Metadata with the name of the master key, for SSE-S3 and SSE-KMS alike. */
const MASTER_KEY_NAME = `${PREFIX}S3-Kms-Key-Id`;

/** How often the marker is in the body: wherever a drive or a stripe ends, whole ones remain. */
const BLOCK = 4096;

/** An object whose every block holds its marker, and whose metadata holds another. */
export interface MarkedObject {
  /** Name of its folder in the archive. */
  readonly name: string;
  readonly body: Buffer;
  /** Must be nowhere on the drive. */
  readonly marker: Buffer;
  /** Goes into user metadata, which MinIO does not encrypt: must be there, or the search found the wrong files. */
  readonly control: string;
  readonly sealing: Sealing;
  /** Name of the master key. Default: none is expected. */
  readonly masterKey?: string;
}

/** Makes an object. Its bytes are random, so that no compression takes the marker apart. */
export function markedObject(name: string, size: number, sealing: Sealing, masterKey?: string): MarkedObject {
  const marker = randomBytes(32);
  const body = randomBytes(size);
  for (let offset = 0; offset + marker.length <= size; offset += BLOCK) marker.copy(body, offset);
  return {
    ...{ name, body, marker, sealing },
    control: randomBytes(16).toString('hex'),
    ...(masterKey === undefined ? {} : { masterKey }),
  };
}

/** A file of the drive. */
export interface DriveFile {
  /** Path in the archive. */
  readonly path: string;
  readonly content: Buffer;
}

/** The files of a tar archive, in memory: the checks’ own objects are a few MiB. */
export async function filesOf(archive: NodeJS.ReadableStream): Promise<DriveFile[]> {
  const files: DriveFile[] = [];
  const entries = extract();
  archive.on('error', (error: Error) => {
    entries.destroy(error);
  });
  archive.pipe(entries);
  for await (const entry of entries) {
    if (entry.header.type === 'file') files.push({ path: entry.header.name, content: await buffer(entry) });
    else entry.resume();
  }
  return files;
}

/** What the drive says about one object. */
export interface Finding {
  /** What is wrong; nothing if the object is encrypted as it should be. */
  readonly problems: readonly string[];
  readonly evidence: Evidence;
}

/**
 * Searches the files of a drive for one object.
 *
 * @param files everything in which its plaintext must not be, its own files among it
 * @throws Error if the object's own files are not there, so that nothing can be said about them
 */
export function inspect(object: MarkedObject, files: readonly DriveFile[]): Finding {
  const own = files.filter(({ path }) => path.split('/').includes(object.name));
  const metadata = own.filter(({ path }) => path.endsWith('/xl.meta')).map(({ content }) => content);
  if (metadata.length === 0) throw new Error(`the drive holds no xl.meta of ${object.name}`);
  if (!metadata.some((content) => content.includes(object.control))) {
    throw new Error(`xl.meta of ${object.name} does not hold its user metadata: these are not the object’s files`);
  }

  const problems = files.flatMap(({ path, content }) => {
    const at = content.indexOf(object.marker);
    return at < 0 ? [] : [`${object.name}: its plaintext is in ${path} at byte ${at}`];
  });
  const filesWithMarker = problems.length;
  const has = (text: string): boolean => metadata.every((content) => content.includes(text));
  const wanted = SEALED_KEY[object.sealing];
  const sealedBy = Object.values(SEALED_KEY).filter(has);
  if (!sealedBy.includes(wanted)) {
    problems.push(
      `${object.name}: xl.meta has no ${wanted}${sealedBy.length > 0 ? `, but ${sealedBy.join(', ')}` : ''}`,
    );
  }
  if (object.masterKey !== undefined && !(has(MASTER_KEY_NAME) && has(object.masterKey))) {
    problems.push(`${object.name}: xl.meta does not name the master key ${object.masterKey}`);
  }

  const parts = own.filter(({ path }) => /\/part\.\d+$/.test(path));
  return {
    problems,
    evidence: {
      objectBytes: object.body.length,
      storedBytes: own.reduce((sum, { content }) => sum + content.length, 0),
      stored: parts.length === 0 ? 'inline in xl.meta' : `${parts.length} part file`,
      sealedKey: sealedBy,
      filesWithMarker,
    },
  };
}
