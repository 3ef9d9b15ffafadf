import type { S3Client } from '@aws-sdk/client-s3';
import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { CLIENTS } from '../../config/deployment-names';
import { masterKeys, minioKeys } from '../../config/keys/master-keys';
import { type LoadedEnvironment, loadEnvironment } from '../state/load';
import { kesName } from '../../config/names';
import { retiredKeysByClient } from '../state/notes/retired-keys';
import { readCanaries, writeCanaries } from '../state/notes/canaries';
import { followKey } from '../minio/objects/earlier-objects';
import { ExternalError, UsageError } from '../lib/errors';
import { writeFileAtomically } from '../lib/files';
import { readableDrives } from '../minio/drives/drives';
import { type JobEncryption, type MinioAdmin, openAdmin } from '../minio/minio-admin';
import { withInspector } from '../minio/inspector';
import { openS3 } from '../minio/s3-client';
import { NotYet, waitFor } from '../lib/wait';
import type { Phase } from '../state/rotation';
import type { RotationContext } from '../state/rotation-context';
import { editKeys } from './environment-file';
import {
  type BucketInventory,
  dataUnder,
  type Inventory,
  keepsVersions,
  prefixesOf,
  takeInventory,
  usesOf,
} from './inventory';

/** Which key takes the place of which. */
export interface KeySuccession {
  readonly from: string;
  readonly to: string;
}

/** The name of a key that follows another: with the month, in the place of an older month. */
export function successorOf(key: string, now = new Date()): string {
  return `${key.replace(/-\d{4}-\d{2}$/, '')}-${now.toISOString().slice(0, 7)}`;
}

/**
 * Refuses, before anything is changed, what could not be carried through.
 *
 * @throws UsageError
 */
export function requireSuccession({ environment, state }: LoadedEnvironment, { from, to }: KeySuccession): void {
  if (!minioKeys(environment).includes(from)) {
    throw new UsageError(
      `NAME: must be a master key of MinIO (${minioKeys(environment).join(', ')}), got: ${from}`,
      'other clients of KES must re-seal what is under their keys',
    );
  }
  if (!kesName.test(to)) throw new UsageError(`--to: ${kesName.rule}, got: ${to}`);
  if (masterKeys(environment).includes(to) || readCanaries(state.canaries)[to] !== undefined) {
    throw new UsageError(`--to: must be a new name, and there is a master key ${to} already`, 'give another by --to');
  }
}

/** Takes the inventory of a deployment. */
export async function inventoryOf(
  { environment, state }: LoadedEnvironment,
  report: (text: string) => void,
): Promise<Inventory> {
  const s3 = openS3({ environment, state });
  try {
    return await withInspector({ environment, state }, async (admin) =>
      takeInventory({ s3, admin, drives: readableDrives({ environment }) }, report),
    );
  } finally {
    s3.destroy();
  }
}

/**
 * A new master key in the place of one: the objects' data keys are sealed under it anew, their data is not rewritten.
 * Not those of versions, whose order MinIO's batch job does not keep: docs/adr/0026.
 *
 * The old key is never deleted. It is retired: MinIO may open by it and no more, and when nothing is under it, not even
 * that. The environment file says at each moment which keys there are, so that a deploy in between means the same.
 */
export function rotateMasterKey(
  { loaded, rotation, deploy, prove }: RotationContext,
  succession: KeySuccession,
): Phase[] {
  const { environment, file, state } = loaded;
  const { from, to } = succession;
  const edit = (keys: (declared: readonly string[]) => readonly string[], next: string): string => {
    const text = readFileSync(file, 'utf8');
    const { keys: declared } = loadEnvironment(file).environment.minio;
    const edited = editKeys(text, path.basename(file), { from, to: next, keys: [...new Set(keys(declared))] });
    if (edited !== text) writeFileAtomically(file, edited, statSync(file).mode & 0o777);
    return file;
  };
  const resealAll = async (report: (text: string) => void): ReturnType<typeof reseal> => {
    const admin = openAdmin(loaded, 'minioObjects');
    const s3 = openS3(loaded);
    try {
      return await reseal({ admin, s3 }, () => inventoryOf(loaded, report), succession, report);
    } finally {
      admin.close();
      s3.destroy();
    }
  };

  return [
    {
      id: 'inventory',
      title: `Inventory of ${from}`,
      run: async ({ report }) => {
        const inventory = await inventoryOf(loaded, report);
        requireUnmixed(inventory, succession);
        if (environment.minio.keys.includes(from)) rotation.remember('named', from);
        return usesOf(inventory, from) ?? 'nothing';
      },
    },
    {
      id: 'switch',
      title: 'Add the new key to the environment file',
      run: () => Promise.resolve(edit((keys) => [...keys, from, to], to)),
    },
    // it is created and proven before MinIO hears of it
    { id: 'deliver', ...deploy('Create it, and have MinIO use it', { to: 'minio' }) },
    {
      id: 'reseal',
      title: 'Re-seal the data keys',
      run: async ({ report }) => {
        const { before, left } = await resealAll(report);
        return `${before} before, ${dataUnder(left, from) ?? 'nothing'} now`;
      },
    },
    {
      id: 'note',
      title: 'Record the objects of the checks',
      run: () => Promise.resolve(followKey(state.earlierObjects, succession)),
    },
    {
      id: 'retire',
      title: 'Retire the old key',
      run: () => {
        // clients that named the old key by themselves shall be able to name the new one
        const named = rotation.remembered('named') !== undefined;
        return Promise.resolve(edit((keys) => keys.filter((key) => key !== from && (named || key !== to)), to));
      },
    },
    { id: 'deliver-retiring', ...deploy('Have KES open by it, and no more', { from: 'keystore', to: 'kes' }) },
    {
      id: 'last-look',
      title: `Final inventory of ${from}`,
      run: async ({ report }) => {
        // KES refuses to seal by it, so what is written from now on cannot be under it
        const uses = usesOf((await resealAll(report)).left, from);
        if (uses !== undefined) return `${uses}: MinIO may still decrypt by it`;
        withdraw(state, from);
        return 'nothing: MinIO has no more use for it';
      },
    },
    { id: 'withdraw', ...deploy('Have KES know that, and the checks prove the whole') },
    { id: 'prove', title: 'Master keys', run: prove },
  ];
}

/** Takes a retired master key, under which something was when it was retired, from MinIO, if nothing is now. */
export function withdrawMasterKey({ loaded, deploy, prove }: RotationContext, key: string): Phase[] {
  const { state } = loaded;
  return [
    {
      id: 'last-look',
      title: `Final inventory of ${key}`,
      run: async ({ report }) => {
        const uses = usesOf(await inventoryOf(loaded, report), key);
        if (uses !== undefined) {
          throw new ExternalError(
            `${uses} are still under ${key}, and MinIO may decrypt by it`,
            'versions go when they expire or are deleted, files of IAM and configuration when MinIO rewrites them, if ever; ./scripts/rotate inventory says where they are',
          );
        }
        withdraw(state, key);
        return 'nothing: MinIO has no more use for it';
      },
    },
    { id: 'withdraw', ...deploy('Have KES know that, and the checks prove the whole') },
    { id: 'prove', title: 'Master keys', run: prove },
  ];
}

/** Whether a key is one that MinIO may open by, and no more. Keys of other clients of KES are not MinIO's to give up. */
export function isRetired({ environment, state }: LoadedEnvironment, key: string): boolean {
  return retiredKeysByClient(environment, state)[CLIENTS.minio]?.includes(key) ?? false;
}

function withdraw({ canaries: file }: LoadedEnvironment['state'], key: string): void {
  const canaries = readCanaries(file);
  const canary = canaries[key];
  if (canary === undefined) throw new ExternalError(`master key ${key} has no canary in ${file}`);
  writeCanaries(file, { ...canaries, [key]: { ...canary, withdrawnAt: new Date().toISOString() } });
}

/**
 * What may be sealed anew. MinIO's batch job gives every version that it takes the time of now (cmd/erasure-object.go,
 * CopyObject), and the newest time is the current version: an overwritten version, or a deleted object, would come back.
 */
function withoutVersions(inventory: Inventory): Inventory {
  return { ...inventory, buckets: inventory.buckets.filter(({ versioned }) => !versioned) };
}

/** MinIO's job would put what is under other keys under the new one, too. */
function requireUnmixed(inventory: Inventory, succession: KeySuccession): void {
  for (const found of withoutVersions(inventory).buckets) {
    const { bucket } = found;
    const [first, ...more] = kmsPrefixes(found, succession).mixed;
    if (first === undefined) continue;
    throw new ExternalError(
      `${bucket}/${first}${more.length === 0 ? '' : ` and ${more.length} others`} cannot be re-sealed by MinIO without other objects, or versions, under a third key whose names begin with the same`,
      'give them other names, or a bucket of their own, then run it again',
    );
  }
}

function kmsPrefixes({ kmsObjects }: BucketInventory, { from, to }: KeySuccession): ReturnType<typeof prefixesOf> {
  const others = [...kmsObjects].flatMap(([key, names]) => (key === from || key === to ? [] : [...names]));
  return prefixesOf(kmsObjects.get(from) ?? [], others);
}

/** Past SSE-KMS objects, which a job for SSE-S3 may not take: each of them would be an error in MinIO's log. */
function s3Prefixes({ s3Objects, kmsObjects }: BucketInventory, from: string): string[] {
  const others = [...kmsObjects.values()].flatMap((names) => [...names]);
  const { prefixes, mixed } = prefixesOf(s3Objects.get(from) ?? [], others);
  const all = [...prefixes, ...mixed];
  return all.length > MANY_JOBS ? [''] : all;
}

const MANY_JOBS = 50;

/** Each round finds what was written by requests that had begun before MinIO knew of the new key. */
const ROUNDS = 3;

/** @returns what data was under the old key before, and what there is now: under the old key, versions alone */
async function reseal(
  { admin, s3 }: { readonly admin: MinioAdmin; readonly s3: S3Client },
  inventory: () => Promise<Inventory>,
  succession: KeySuccession,
  report: (text: string) => void,
): Promise<{ readonly before: string; readonly left: Inventory }> {
  const { from, to } = succession;
  let before = 'nothing';
  for (let round = 0; ; round++) {
    const found = await inventory();
    if (round === 0) before = dataUnder(found, from) ?? 'nothing';
    const open = withoutVersions(found);
    const data = dataUnder(open, from);
    if (data === undefined) return { before, left: found };
    if (round === ROUNDS) throw stillUnder(data, succession);
    requireUnmixed(found, succession);
    for (const bucket of open.buckets) {
      // versioning may have been switched on since
      if (await keepsVersions(s3, bucket.bucket)) continue;
      for (const prefix of s3Prefixes(bucket, from)) {
        await job(admin, bucket.bucket, prefix, { type: 'sse-s3' }, report);
      }
      for (const prefix of kmsPrefixes(bucket, succession).prefixes) {
        await job(admin, bucket.bucket, prefix, { type: 'sse-kms', key: to }, report);
      }
    }
  }
}

function stillUnder(data: string, { from, to }: KeySuccession): ExternalError {
  return new ExternalError(
    `${data} are under ${from} still`,
    `an unfinished upload ends by its client, or by MinIO 24 to 30 hours after it was begun (docs/messages.md, Rotation); clients that name ${from} must name ${to}; a version that could not be re-sealed is in the log of the minio container. Then run it again`,
  );
}

/** Whether it took every object, the next inventory says: it counts what it may not take as failed. */
async function job(
  admin: MinioAdmin,
  bucket: string,
  prefix: string,
  encryption: JobEncryption,
  report: (text: string) => void,
): Promise<void> {
  const id = await admin.startKeyRotation(bucket, prefix, encryption);
  await waitFor(
    { what: `batch job ${id} on ${bucket}/${prefix}`, timeoutMs: JOB_HOURS * 3_600_000, intervalMs: 300 },
    async () => {
      const { complete, failed, rotation } = await admin.keyRotation(id);
      report(`${bucket}/${prefix}: ${rotation?.objects ?? 0} versions`);
      return complete || failed ? true : new NotYet(`${rotation?.objects ?? 0} versions are done`);
    },
  );
}

const JOB_HOURS = 24;
