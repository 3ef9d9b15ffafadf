/**
 * Looks at objects as MinIO stored them on its drive. Facts: minio/minio, cmd/xl-storage-format-v2.go and
 * internal/crypto/metadata.go. Names and values of metadata are plain bytes in xl.meta, so that searching them needs no
 * parser, and no parser's mistake hides anything.
 */
import { randomBytes } from 'node:crypto';
import type { Evidence } from '../check';
import type { Claim } from '../objects/modes';
import type { DriveFile } from './drive';

const PREFIX = 'X-Minio-Internal-Server-Side-Encryption-';

/**
 * Name of the metadata that holds the sealed key of an object: sealed by KES for SSE-S3, by KES for SSE-KMS, by the
 * client's own key. None contains another, thanks to the prefix.
 */
export const SEALED_KEY: Readonly<Record<Claim['mode'], string>> = {
  AES256: `${PREFIX}S3-Sealed-Key`,
  'aws:kms': `${PREFIX}Kms-Sealed-Key`,
  'SSE-C': `${PREFIX}Sealed-Key`,
};

/** Metadata with the name of the master key, for SSE-S3 and SSE-KMS alike. */
const MASTER_KEY_NAME = `${PREFIX}S3-Kms-Key-Id`;
const CONTEXT = `${PREFIX}Context`;
const MULTIPART = 'X-Minio-Internal-Encrypted-Multipart';

/** How often the marker is in a body: wherever a drive or a stripe ends, whole ones remain. */
const BLOCK = 4096;

/** How one object, or one version of it, must be sealed. */
export interface Seal {
  readonly claim: Claim;
  /** Name of the master key. Default: none is expected. */
  readonly masterKey?: string | undefined;
}

/** An object whose every block holds a marker, and whose metadata holds another. */
export interface MarkedObject {
  /** Name of its folder on the drive. */
  readonly name: string;
  /** One for each version. */
  readonly bodies: readonly Buffer[];
  /** Goes into user metadata, which MinIO does not encrypt: must be there, or the search found the wrong files. */
  readonly control: string;
  /** One for each version. */
  readonly seals: readonly Seal[];
  readonly multipart: boolean;
}

/** Makes objects that all have the same marker, so that one search finds whatever there is of any of them. */
export class Marker {
  readonly bytes = randomBytes(32);

  /** A version for each seal. The bytes around the marker are random, so that no compression takes it apart. */
  object(name: string, size: number, seals: readonly Seal[], multipart = false): MarkedObject {
    const bodies = seals.map(() => {
      const body = randomBytes(size);
      for (let offset = 0; offset + this.bytes.length <= size; offset += BLOCK) this.bytes.copy(body, offset);
      return body;
    });
    return { name, bodies, control: randomBytes(16).toString('hex'), seals, multipart };
  }

  /** Where it is: `<path> at byte <offset>`, once for each file. */
  findIn(files: readonly DriveFile[]): string[] {
    return files.flatMap(({ path, content }) => {
      const at = content.indexOf(this.bytes);
      return at < 0 ? [] : [`${path} at byte ${at}`];
    });
  }
}

const timesIn = (content: Buffer, text: string): number => content.toString('latin1').split(text).length - 1;

/** What the drive says about one object. */
export interface Finding {
  /** What is wrong; nothing if the object is sealed as it should be. */
  readonly problems: readonly string[];
  readonly evidence: Evidence;
}

/**
 * Looks how an object is sealed.
 *
 * @param files its own files among others
 * @throws Error if its files are not there, so that nothing can be said about them
 */
export function inspect(object: MarkedObject, files: readonly DriveFile[]): Finding {
  const { name, seals } = object;
  const own = files.filter(({ path }) => path.split('/').includes(name));
  const copies = own.filter(({ path }) => path.endsWith('/xl.meta'));
  const metadata = copies.map(({ content }) => content);
  if (metadata.length === 0) throw new Error(`the drive holds no xl.meta of ${name}`);
  if (!metadata.some((content) => content.includes(object.control))) {
    throw new Error(`xl.meta of ${name} does not hold its user metadata: these are not the object’s files`);
  }
  const versionsIn = (content: Buffer): number => timesIn(content, object.control);
  // MinIO writes each version into one pool, and there with a quorum: a drive that was away lacks some until it is healed
  const pools = [...new Set(copies.map(({ pool }) => pool))].map((of) => {
    const inPool = copies.filter(({ pool }) => pool === of).map(({ content }) => content);
    const most = Math.max(...inPool.map(versionsIn));
    return inPool.filter((content) => versionsIn(content) === most);
  });
  const complete = pools.flat();
  const times = (text: string): number =>
    pools.reduce((sum, whole) => sum + Math.min(...whole.map((content) => timesIn(content, text))), 0);
  const has = (text: string): boolean => times(text) > 0;
  const sealedBy = Object.values(SEALED_KEY).filter(has);
  const problems: string[] = [];
  const require = (isThere: boolean, what: string): void => {
    const problem = `${name}: xl.meta ${what}`;
    if (!isThere && !problems.includes(problem)) problems.push(problem);
  };
  for (const { claim, masterKey } of seals) {
    const wanted = SEALED_KEY[claim.mode];
    const others = sealedBy.length > 0 ? `, but ${sealedBy.join(', ')}` : '';
    require(has(wanted), `has no ${wanted}${others}`);
    const versions = seals.filter((seal) => seal.claim.mode === claim.mode).length;
    require(!has(wanted) || times(wanted) >= versions, `has ${wanted} for ${times(wanted)} of ${versions} versions`);
    if (masterKey !== undefined) {
      require(has(MASTER_KEY_NAME) && has(masterKey), `does not name the master key ${masterKey}`);
    }
    if (claim.mode === 'aws:kms' && claim.context !== undefined) require(has(CONTEXT), `has no ${CONTEXT}`);
  }
  for (const content of metadata.filter((copy) => !complete.includes(copy))) {
    const keys = Object.values(SEALED_KEY).reduce((sum, key) => sum + timesIn(content, key), 0);
    const versions = versionsIn(content);
    require(keys >= versions, `of a drive has ${keys} sealed keys for its ${versions} versions`);
  }
  if (object.multipart) require(has(MULTIPART), `has no ${MULTIPART}`);

  const parts = own.filter(({ path }) => /\/part\.\d+$/.test(path));
  return {
    problems,
    evidence: {
      objectBytes: object.bodies.reduce((sum, { length }) => sum + length, 0),
      storedBytes: own.reduce((sum, { content }) => sum + content.length, 0),
      stored:
        parts.length === 0 ? 'inline in xl.meta' : `${parts.length} part ${parts.length === 1 ? 'file' : 'files'}`,
      sealedKey: sealedBy,
    },
  };
}
