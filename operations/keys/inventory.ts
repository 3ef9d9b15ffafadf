/**
 * Under which master keys everything of a MinIO is: read from the drive, because S3 does not say it of SSE-S3 and not of
 * what MinIO keeps for itself.
 */
import {
  GetBucketVersioningCommand,
  ListBucketsCommand,
  ListObjectVersionsCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { ExternalError, messageOf } from '../lib/errors';
import { contentsBelow, type contentsOf, sealingKey } from '../checks/at-rest/configuration';
import { type DriveFile, SYSTEM } from '../checks/at-rest/drive';
import type { ReadableDrive } from '../minio/drives/drives';
import type { MinioAdmin } from '../minio/minio-admin';
import type { InspectedFile } from '../minio/drives/minio-inspection';
import { type ObjectVersions, type Sealing, versionsOf } from '../minio/drives/xl-meta';

type Counts = Readonly<Record<string, number>>;

/** All versions of the objects of one bucket. */
export interface BucketInventory {
  readonly bucket: string;
  /** Whether an object can have several versions here, because it keeps them, or has kept them once. */
  readonly versioned: boolean;
  /** Versions by master key. */
  readonly sseS3: Counts;
  readonly sseKms: Counts;
  /** Names of the objects with such a version, by master key. */
  readonly s3Objects: ReadonlyMap<string, ReadonlySet<string>>;
  readonly kmsObjects: ReadonlyMap<string, ReadonlySet<string>>;
}

export interface Inventory {
  readonly buckets: readonly BucketInventory[];
  /** Uploads in parts that have not been completed, by master key. */
  readonly uploads: Counts;
  /** Files of IAM, of the configuration and of buckets' settings by master key: paths below `.minio.sys`. */
  readonly own: Readonly<Record<string, readonly string[]>>;
}

/** What is asked. */
export interface InventorySources {
  readonly s3: S3Client;
  readonly admin: Pick<MinioAdmin, 'rawFiles'>;
  readonly drives: readonly ReadableDrive[];
}

const MULTIPART = 'multipart/*/*/xl.meta';
/** More of its own MinIO has only with very many users. */
const OWN_LIMIT = 512 * 1024 * 1024;

/** @param report told how far it is */
export async function takeInventory(sources: InventorySources, report: (text: string) => void): Promise<Inventory> {
  const { Buckets = [] } = await sources.s3.send(new ListBucketsCommand({}));
  const buckets: BucketInventory[] = [];
  for (const { Name = '' } of Buckets) buckets.push(await bucketInventory(sources, Name, report));
  const uploads = new Tally();
  const seen = new SeenFiles();
  for await (const file of sources.admin.rawFiles(SYSTEM, MULTIPART)) {
    if (file.path.endsWith(META)) seen.add(file.path, versionsIn(file));
  }
  for (const { sealings } of seen.current()) for (const sealing of sealings) uploads.add(sealing);
  return { buckets, uploads: uploads.counts, own: await ownInventory(sources.drives) };
}

/** What is under a master key, in words; undefined if nothing is. */
export function usesOf({ buckets, uploads, own }: Inventory, key: string): string | undefined {
  const objects = buckets.reduce((sum, { sseS3, sseKms }) => sum + (sseS3[key] ?? 0) + (sseKms[key] ?? 0), 0);
  const uses = [
    [objects, 'versions of objects'],
    [uploads[key] ?? 0, 'unfinished uploads'],
    [own[key]?.length ?? 0, 'files of IAM and configuration'],
  ] as const;
  const some = uses.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
  return some.length === 0 ? undefined : some.join(', ');
}

/** Whether clients' data is under a master key, in words; undefined if none is. */
export function dataUnder(inventory: Inventory, key: string): string | undefined {
  return usesOf({ ...inventory, own: {} }, key);
}

/** Every master key under which something is. */
export function keysIn({ buckets, uploads, own }: Inventory): string[] {
  const ofBuckets = buckets.flatMap(({ sseS3, sseKms }) => [...Object.keys(sseS3), ...Object.keys(sseKms)]);
  return [...new Set([...ofBuckets, ...Object.keys(uploads), ...Object.keys(own)])].sort();
}

/**
 * The beginnings of names that take in these objects and none of the others, because MinIO can choose by nothing else.
 *
 * @returns `mixed`: objects that cannot be told apart from others so
 */
export function prefixesOf(
  objects: Iterable<string>,
  others: Iterable<string>,
): { readonly prefixes: string[]; readonly mixed: string[] } {
  const prefixes: string[] = [];
  const mixed: string[] = [];
  const descend = (prefix: string, mine: readonly string[], others: readonly string[]): void => {
    if (others.length === 0) {
      prefixes.push(prefix);
      return;
    }
    const groups = new Map<string, string[]>();
    for (const name of mine) {
      const slash = name.indexOf('/', prefix.length);
      const next = slash < 0 ? name : name.slice(0, slash + 1);
      groups.set(next, [...(groups.get(next) ?? []), name]);
    }
    for (const [next, names] of groups) {
      if (next === prefix) mixed.push(prefix);
      else
        descend(
          next,
          names,
          others.filter((name) => name.startsWith(next)),
        );
    }
  };
  const mine = [...objects];
  if (mine.length > 0) descend('', mine, [...others]);
  return { prefixes, mixed };
}

const META = '/xl.meta';
/** How MinIO calls the folder of an object whose name ends with a slash. */
const FOLDER_OBJECT = '__XLDIR__';

async function bucketInventory(
  { s3, admin }: InventorySources,
  bucket: string,
  report: (text: string) => void,
): Promise<BucketInventory> {
  const tally = new Tally();
  let versioned = await keepsVersions(s3, bucket);
  const seen = new SeenFiles();
  const names = { 'sse-s3': new Map<string, Set<string>>(), 'sse-kms': new Map<string, Set<string>>() };
  const take = (file: InspectedFile): void => {
    if (!file.path.endsWith(META)) return;
    const name = file.path.slice(0, -META.length).replace(new RegExp(`${FOLDER_OBJECT}$`), '/');
    if (seen.add(name, versionsIn(file)) && seen.size % 1000 === 0) report(`${bucket}: ${seen.size} objects`);
  };

  for await (const file of admin.rawFiles(bucket, `**${META}`)) take(file);
  // a name that reads like a pattern matches none, and a file that was replaced while it was read is skipped
  for await (const name of objectNames(s3, bucket)) {
    if (seen.has(name)) continue;
    const folder = name.endsWith('/') ? `${name.slice(0, -1)}${FOLDER_OBJECT}` : name;
    const escaped = folder.replace(/[\\*?[\]]/g, '\\$&');
    for await (const file of admin.rawFiles(bucket, `${escaped}${META}`)) take(file);
  }
  report(`${bucket}: ${seen.size} objects`);
  for (const { name, sealings, withId } of seen.current()) {
    versioned ||= withId;
    for (const sealing of sealings) {
      tally.add(sealing);
      if (sealing.by === 'no master key') continue;
      const byKey = names[sealing.by];
      byKey.set(sealing.masterKey, (byKey.get(sealing.masterKey) ?? new Set()).add(name));
    }
  }
  const { sseS3, sseKms } = tally;
  return { bucket, versioned, sseS3, sseKms, s3Objects: names['sse-s3'], kmsObjects: names['sse-kms'] };
}

/** Whether what is written over, or deleted, from now on stays as an older version. */
export async function keepsVersions(s3: S3Client, bucket: string): Promise<boolean> {
  return (await s3.send(new GetBucketVersioningCommand({ Bucket: bucket }))).Status === 'Enabled';
}

async function* objectNames(s3: S3Client, Bucket: string): AsyncGenerator<string> {
  let KeyMarker: string | undefined;
  let VersionIdMarker: string | undefined;
  do {
    const page = await s3.send(new ListObjectVersionsCommand({ Bucket, KeyMarker, VersionIdMarker }));
    for (const { Key } of page.Versions ?? []) if (Key !== undefined) yield Key;
    ({ NextKeyMarker: KeyMarker, NextVersionIdMarker: VersionIdMarker } = page);
    if (page.IsTruncated !== true) return;
  } while (KeyMarker !== undefined);
}

async function ownInventory(drives: readonly ReadableDrive[]): Promise<Inventory['own']> {
  const own: Record<string, string[]> = {};
  const note = (key: string, path: string): void => {
    (own[key] ??= []).push(path.replace(/^\.minio\.sys\//, '').replace(/\/(xl\.meta|[^/]+\/part\.1)$/, ''));
  };
  const config = await contentsBelow(drives, `${SYSTEM}/config`, OWN_LIMIT);
  for (const { path, content } of wholeContents(config)) {
    const key = sealingKey(content);
    if (key !== undefined) note(key, path);
  }
  const buckets = await contentsBelow(drives, `${SYSTEM}/buckets`, OWN_LIMIT);
  for (const { path, content } of wholeContents(buckets).filter((file) => file.path.includes('/.metadata.bin/'))) {
    // the settings name it in JSON, and only where they hold credentials of another storage
    const key = /S3-Kms-Key-Id\\?":\\?"([\w-]+)/.exec(content.toString('latin1'))?.[1];
    if (key !== undefined) note(key, path);
  }
  if (config.cutOff || buckets.cutOff) throw new Error(`MinIO keeps more than ${OWN_LIMIT} bytes of its own`);
  return own;
}

/** @throws ExternalError where a part is on a drive that is away: nothing could be said of what is under a key then */
function wholeContents({ contents, incomplete }: ReturnType<typeof contentsOf>): readonly DriveFile[] {
  const [first] = incomplete;
  if (first === undefined) return contents;
  const others = incomplete.length === 1 ? '' : ` and ${incomplete.length - 1} others`;
  throw new ExternalError(
    `${first}${others} cannot be read as a whole: a drive is away, or lacks what was written or deleted while it was`,
    './scripts/heal mends drives that are back; then run it again',
  );
}

interface FileState extends ObjectVersions {
  readonly copies: number;
}

/**
 * Files by what their copies on several drives say. A copy that says something else counts, too: a drive that was away may
 * have the current one, and nothing that is under a key must be overlooked. But an object without versions that was written
 * over may have gone into another pool, and MinIO leaves the earlier one where it was: it is never read again.
 */
export class SeenFiles {
  private readonly files = new Map<string, Map<string, FileState>>();

  /** @returns whether it is the first copy */
  add(name: string, versions: ObjectVersions): boolean {
    const before = this.files.get(name);
    const states = before ?? new Map<string, FileState>();
    const said = JSON.stringify(versions);
    states.set(said, { ...versions, copies: (states.get(said)?.copies ?? 0) + 1 });
    this.files.set(name, states);
    return before === undefined;
  }

  has(name: string): boolean {
    return this.files.has(name);
  }

  /** How many files there are. */
  get size(): number {
    return this.files.size;
  }

  /** What counts, each with the name of its file. */
  *current(): Generator<ObjectVersions & { readonly name: string }> {
    for (const [name, states] of this.files) {
      const all = [...states.values()];
      const readable = all.filter(({ copies, dataShards }) => copies >= dataShards);
      const newest = all.some(({ withId }) => withId) ? 0 : Math.max(0, ...readable.map(({ modified }) => modified));
      const said = new Set<string>();
      for (const state of all.filter(({ modified }) => modified >= newest)) {
        const sealings = JSON.stringify(state.sealings);
        if (!said.has(sealings)) yield { name, ...state };
        said.add(sealings);
      }
    }
  }
}

function versionsIn({ path, content }: InspectedFile): ObjectVersions {
  try {
    return versionsOf(content);
  } catch (error) {
    throw new Error(`${path}: ${messageOf(error)}`, { cause: error });
  }
}

class Tally {
  readonly sseS3: Record<string, number> = {};
  readonly sseKms: Record<string, number> = {};

  add(sealing: Sealing): void {
    if (sealing.by === 'no master key') return;
    const counts = sealing.by === 'sse-s3' ? this.sseS3 : this.sseKms;
    counts[sealing.masterKey] = (counts[sealing.masterKey] ?? 0) + 1;
  }

  /** Both together. */
  get counts(): Counts {
    const sum = { ...this.sseS3 };
    for (const [key, count] of Object.entries(this.sseKms)) sum[key] = (sum[key] ?? 0) + count;
    return sum;
  }
}
