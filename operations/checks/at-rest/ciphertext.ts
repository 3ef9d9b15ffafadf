/** What is on the drive of objects. */
import { createHash } from 'node:crypto';
import { everyCase } from '../objects/cases';
import { type CheckContext, CheckFailure, type Evidence, type FullCheck } from '../check';
import { everyMode, headerless, type Mode, SSE_S3, sseKms } from '../objects/modes';
import { newPlace, type Place, put, putParts } from '../objects/objects';
import { inspect, type MarkedObject, Marker, type Seal } from './disk';
import { filesBelow, type SearchedDrives, SYSTEM } from './drive';

const KIB = 1024;
const MIB = 1024 * KIB;

/** MinIO keeps the data of small objects in xl.meta, that of others in files: up to 128 KiB (storage-class.go). */
const SIZES = { inline: 4 * KIB, file: MIB, multipart: 256 * KIB } as const;
const VERSION_SIZE = 64 * KIB;

/** In these folders are other people’s files, too. */
const SHARED_LIMIT = 16 * MIB;

interface Planted {
  readonly object: MarkedObject;
  /** Returns the number of its versions. */
  readonly write: () => Promise<number>;
}

export const ciphertextOnDisk: FullCheck = {
  from: 'deployment',
  id: 'ciphertext-on-disk',
  title: 'What is on the drives is ciphertext, in every mode',
  proves:
    'The plaintext of small, 1 MiB, multipart and versioned objects, in each mode, is nowhere in their buckets, in an ' +
    'upload that is not complete yet, or among the temporary files and bucket metadata of MinIO, on any drive; the ' +
    'metadata of each holds a data key sealed the right way.',
  doesNotProve:
    'That objects which were written by earlier runs or before encryption was set up are encrypted. Of temporary files ' +
    `and of the metadata of buckets the first ${SHARED_LIMIT / MIB} MiB of a drive are searched; memory and swap are not.`,
  severity: 'critical',
  run: async (context) => {
    const marker = new Marker();
    // buckets of its own: what other checks write and delete would change under the search
    const [plain, versioned, sseS3, kms] = await Promise.all([
      newPlace(context, 'a bucket', {}),
      newPlace(context, 'a bucket with versioning', { versioning: true }),
      newPlace(context, 'a bucket with default encryption', { encryption: { SSEAlgorithm: 'AES256' } }),
      newPlace(context, 'a bucket with default encryption', {
        encryption: { SSEAlgorithm: 'aws:kms', KMSMasterKeyID: context.expected.masterKeys.at(-1) },
      }),
    ]);
    const places = [plain, versioned, sseS3, kms];
    const planted = plant(context, marker, { plain, versioned, sseS3, kms });
    await everyCase(planted.map(({ object, write }) => ({ name: object.name, run: write })));

    const searched: Record<string, SearchedDrives> = {};
    const search = async (folder: string, limit?: number): Promise<void> => {
      searched[folder] = await filesBelow(context.drives, folder, limit);
    };
    for (const { bucket } of places) await search(bucket);
    const { bodies } = marker.object(UNFINISHED, MIB, [seal(SSE_S3, context)]);
    await putParts(plain, UNFINISHED, bodies, SSE_S3, async () => {
      await search(`${SYSTEM}/multipart/${uploadFolder(plain.bucket, UNFINISHED)}`);
      await search(`${SYSTEM}/tmp`, SHARED_LIMIT);
    });
    await search(`${SYSTEM}/buckets`, SHARED_LIMIT);

    const files = Object.values(searched).flatMap((folder) => folder.files);
    const findings = planted.map(({ object }) => ({ name: object.name, ...inspect(object, files) }));
    const found = marker.findIn(files);
    const evidence: Evidence = {
      ...(context.drives.length === 1 ? {} : { drives: context.drives.map(({ path }) => path) }),
      searched: Object.fromEntries(Object.entries(searched).map(([folder, read]) => [folder, extentOf(read)])),
      filesWithPlaintext: found.length,
      objects: Object.fromEntries(findings.map((finding) => [finding.name, finding.evidence])),
    };
    const problems = [
      ...found.map((where) => `plaintext is in ${where}`),
      ...findings.flatMap((finding) => finding.problems),
    ];
    if (problems.length > 0) {
      throw new CheckFailure(
        problems.join('; '),
        'stop writing backups: MinIO stores what it says it encrypts in another way; see MINIO_KMS_* of its container',
        evidence,
      );
    }
    return evidence;
  },
};

const UNFINISHED = 'unfinished-upload';

function extentOf({ files, bytes, cutOff, without }: SearchedDrives): Evidence {
  return {
    files: files.length,
    bytes,
    ...(cutOff ? { searchedOnly: SHARED_LIMIT } : {}),
    ...(without.length === 0 ? {} : { notOn: without }),
  };
}

function plant(
  context: CheckContext,
  marker: Marker,
  places: Readonly<Record<'plain' | 'versioned' | 'sseS3' | 'kms', Place>>,
): Planted[] {
  const { expected } = context;
  const modes = [...everyMode(expected), sseKms(expected.defaultKey, { 'written-by': 'encrypted-backup-storage' })];
  const defaults = [
    [places.sseS3, headerless('default SSE-S3', SSE_S3.claim)],
    [places.kms, headerless('default SSE-KMS', { mode: 'aws:kms', key: expected.masterKeys.at(-1) })],
  ] as const;
  const objects = [...modes.map((mode) => [places.plain, mode] as const), ...defaults].flatMap(([place, mode]) =>
    Object.entries(SIZES).map(([kind, size]): Planted => {
      const name = `${mode.name} ${kind}`.replaceAll(' ', '-');
      const multipart = kind === 'multipart';
      const object = marker.object(name, size, [seal(mode, context)], multipart);
      const [body = Buffer.alloc(0)] = object.bodies;
      const Metadata = { 'ebs-control': object.control };
      return {
        object,
        write: async () => {
          if (multipart) await putParts(place, name, [body], mode, undefined, Metadata);
          else await put(place, name, body, { ...mode.headers, Metadata });
          return 1;
        },
      };
    }),
  );
  const versions = marker.object(
    'versions',
    VERSION_SIZE,
    modes.map((mode) => seal(mode, context)),
  );
  const writeVersions = async (): Promise<number> => {
    const Metadata = { 'ebs-control': versions.control };
    for (const [index, { headers }] of modes.entries()) {
      await put(places.versioned, versions.name, versions.bodies[index] ?? Buffer.alloc(0), { ...headers, Metadata });
    }
    return modes.length;
  };
  return [...objects, { object: versions, write: writeVersions }];
}

/** What the metadata of an object in a mode must hold. */
function seal({ claim }: Mode, { expected }: CheckContext): Seal {
  if (claim.mode === 'SSE-C') return { claim };
  return { claim, masterKey: claim.mode === 'aws:kms' ? claim.key : expected.defaultKey };
}

/** Folder of an upload that is not complete (minio/minio, cmd/erasure-multipart.go, getMultipartSHADir). */
function uploadFolder(bucket: string, key: string): string {
  return createHash('sha256').update(`${bucket}/${key}`).digest('hex');
}
