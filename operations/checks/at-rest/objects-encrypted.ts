/** Objects from before a bucket had its encryption, or from before MinIO had a KMS. */
import { ListBucketsCommand, ListObjectsV2Command, type S3Client, S3ServiceException } from '@aws-sdk/client-s3';
import { randomInt } from 'node:crypto';
import { EARLIER_OBJECTS_BUCKET } from '../../../config/deployment-names';
import { atATime } from '../../lib/at-a-time';
import { printable } from '../../lib/text/printable';
import { type ListedPage, listedVersions, type ListedVersion } from '../../minio/objects/listed-versions';
import { ownFile, readCredentials, s3Client } from '../../minio/s3-client';
import type { LoadedEnvironment } from '../../state/load';
import { CheckFailure, type Evidence, type FullCheck } from '../check';
import { someOf } from '../drift/differences';
import { isScratchBucket } from '../objects/scratch-bucket';

/** So many versions a run looks at in all buckets: MinIO asks KES about each SSE-S3 object that it lists. */
const MOST_VERSIONS = 1000;
/** Of each bucket at least so many, however many buckets there are. */
const LEAST_OF_BUCKET = 10;
/** So many buckets are listed at a time. */
const AT_A_TIME = 4;
/** How deep the way to a random name goes, and among how many names it chooses each time. */
const DEPTH = 6;
const OF_A_FOLDER = 200;

export const objectsEncrypted: FullCheck = {
  from: 'deployment',
  id: 'objects-encrypted',
  title: 'Objects and their older versions are encrypted, also those from before',
  proves:
    `MinIO says of each version that it lists, up to ${MOST_VERSIONS} in all buckets, that it is encrypted. Of a bucket ` +
    'that holds more than its share, the first names and those after a random one are looked at; the evidence says so.',
  doesNotProve:
    'Anything of versions that were not looked at: `./scripts/encrypt --dry-run` looks at all. Nor of buckets that the ' +
    'environment does not declare, where auto-encryption is off.',
  severity: 'critical',
  run: async ({ loaded, s3Endpoint, region }) => {
    // MinIO says it only to who may read the object
    const credentials = readCredentials(ownFile(loaded, 'minioObjects'));
    const s3 = s3Client({ endpoint: s3Endpoint, region, credentials });
    try {
      return await look(s3, loaded);
    } finally {
      s3.destroy();
    }
  },
};

async function look(s3: S3Client, { environment, argument }: LoadedEnvironment): Promise<Evidence> {
  const declared = environment.buckets.map(({ name }) => name);
  const { Buckets = [] } = await s3.send(new ListBucketsCommand({}));
  const names = Buckets.flatMap(({ Name }) => Name ?? []).filter(
    (name) =>
      !isScratchBucket(name) &&
      // of its objects another check asks each
      name !== EARLIER_OBJECTS_BUCKET &&
      (environment.minio.autoEncryption || declared.includes(name)),
  );
  // a bucket that has more than a page gets two
  const pageSize = Math.max(LEAST_OF_BUCKET, Math.floor(MOST_VERSIONS / 2 / Math.max(1, names.length)));
  const found: Look[] = [];
  await atATime(AT_A_TIME, names, async (name) => {
    const seen = await lookAt(s3, name, pageSize);
    if (seen !== undefined) found.push(seen);
  });
  const sampled = found.filter(({ whole }) => !whole).map(({ bucket }) => bucket);
  const evidence = {
    buckets: found.length,
    versions: found.reduce((sum, { looked }) => sum + looked, 0),
    ...(sampled.length === 0 ? {} : { sampledOnly: sampled.sort().slice(0, 20), sampledBuckets: sampled.length }),
  };
  const problems = found.flatMap(problemOf).sort();
  if (problems.length > 0) {
    throw new CheckFailure(
      someOf(problems),
      `\`./scripts/encrypt ${argument}\` encrypts current versions, and names all; older and locked ones end when ` +
        'they expire or are deleted: docs/moving-in.md',
      evidence,
    );
  }
  return evidence;
}

interface Look {
  readonly bucket: string;
  readonly looked: number;
  readonly plain: readonly ListedVersion[];
  /** Whether the bucket has no others. */
  readonly whole: boolean;
}

/** @returns undefined if the bucket was deleted meanwhile */
async function lookAt(s3: S3Client, bucket: string, pageSize: number): Promise<Look | undefined> {
  try {
    const first = await firstPage(s3, bucket, { pageSize });
    const more = first.truncated
      ? await firstPage(s3, bucket, { after: await randomName(s3, bucket), pageSize })
      : none;
    // both may have the same
    const versions = new Map(
      [...first.versions, ...more.versions].map((one) => [`${one.key}\0${one.versionId}`, one] as const),
    );
    const plain = [...versions.values()].filter(({ encrypted }) => !encrypted);
    return { bucket, looked: versions.size, plain, whole: !first.truncated };
  } catch (error) {
    if (error instanceof S3ServiceException && error.name === 'NoSuchBucket') return undefined;
    throw error;
  }
}

const none: ListedPage = { versions: [], truncated: false };

async function firstPage(...asked: Parameters<typeof listedVersions>): Promise<ListedPage> {
  for await (const page of listedVersions(...asked)) return page;
  return none;
}

/** Goes down from folder to folder, each time into any of the first ones. */
async function randomName(s3: S3Client, Bucket: string): Promise<string> {
  let name = '';
  for (let depth = 0; depth < DEPTH; depth += 1) {
    const request = { Bucket, Prefix: name, Delimiter: '/', MaxKeys: OF_A_FOLDER };
    const { CommonPrefixes = [], Contents = [] } = await s3.send(new ListObjectsV2Command(request));
    const names = [...CommonPrefixes.map(({ Prefix }) => Prefix), ...Contents.map(({ Key }) => Key)];
    const chosen = names[randomInt(Math.max(1, names.length))];
    if (chosen === undefined || chosen === name) break;
    name = chosen;
    if (!name.endsWith('/')) break;
  }
  return name;
}

function problemOf({ bucket, plain }: Look): string[] {
  const [first] = plain;
  if (first === undefined) return [];
  const current = plain.filter(({ latest, locked }) => latest && !locked).length;
  const kinds = [
    [current, 'current'],
    [plain.filter(({ latest, locked }) => !latest && !locked).length, 'older'],
    [plain.filter(({ locked }) => locked).length, 'locked'],
  ] as const;
  const counts = kinds.filter(([count]) => count > 0).map(([count, kind]) => `${count} ${kind}`);
  return [
    `bucket ${bucket} has versions that are not encrypted: ${counts.join(', ')}; such as ${printable(first.key)}`,
  ];
}
