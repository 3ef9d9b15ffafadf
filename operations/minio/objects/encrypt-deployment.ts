/** Encrypts what is plain in a deployment, in its buckets and in MinIO's own files. */
import { GetBucketEncryptionCommand, ListBucketsCommand, type S3Client } from '@aws-sdk/client-s3';
import { EARLIER_OBJECTS_BUCKET } from '../../../config/deployment-names';
import { nearest } from '../../../config/spelling';
import { isScratchBucket } from '../../checks/objects/scratch-bucket';
import { UsageError } from '../../lib/errors';
import type { Step } from '../../lib/step';
import { withDeploymentLock } from '../../state/deployment-lock';
import type { LoadedEnvironment } from '../../state/load';
import { readableDrives } from '../drives/drives';
import { openAdmin } from '../minio-admin';
import { encryptConfiguration } from './encrypt-configuration';
import { type Encrypted, encryptBucket, type Kind } from './encrypt-objects';
import { statusOf } from './provision-buckets';

/** What came of it. */
export interface Found {
  /** Files of users and settings that are plain still. */
  readonly configuration: string[];
  readonly buckets: Encrypted[];
}

export interface EncryptOptions {
  readonly s3: S3Client;
  /** Write nothing. */
  readonly dryRun: boolean;
}

/**
 * @param only the one bucket that is looked at; then MinIO's own files are not. Default: all
 * @param found gets what each step has found
 */
export function encryptSteps(
  loaded: LoadedEnvironment,
  { s3, dryRun }: EncryptOptions,
  buckets: readonly string[],
  only: string | undefined,
  found: Found,
): Step[] {
  const steps = buckets.map((bucket): Step => ({
    title: bucket,
    run: async ({ report, signal }) => {
      const result = await encryptBucket(s3, bucket, { dryRun, signal, report });
      found.buckets.push(result);
      const { looked, encrypted } = result;
      return `${looked} looked at${dryRun ? '' : `, ${encrypted} encrypted`}, ${plainVersions([result]) ?? 'none plain'}`;
    },
  }));
  return only === undefined ? [configurationStep(loaded, dryRun, found.configuration), ...steps] : steps;
}

function configurationStep(loaded: LoadedEnvironment, dryRun: boolean, found: string[]): Step {
  const { environment, state } = loaded;
  return {
    title: 'Users, policies and settings',
    run: async () => {
      const admin = openAdmin(loaded, 'minioIam');
      try {
        const sources = { admin, drives: readableDrives(loaded), exportFile: state.secret.iamExport };
        const run = async () => encryptConfiguration(sources, dryRun);
        const { encrypted, left } = dryRun
          ? await run()
          : await withDeploymentLock(state, `encrypting the users of ${environment.name}`, run);
        found.push(...left);
        if (left.length > 0) return `${left.length} plain`;
        return encrypted === 0 ? 'encrypted already' : `${encrypted} files encrypted`;
      } finally {
        admin.close();
      }
    },
  };
}

export const KINDS: readonly Kind[] = ['current', 'older', 'locked'];

/** `3 current, 2 locked` with what that is; undefined if there are none. */
export function plainVersions(results: readonly Encrypted[]): string | undefined {
  const counts = KINDS.map((kind) => [kind, results.reduce((sum, { left }) => sum + left[kind].count, 0)] as const);
  const some = counts.filter(([, count]) => count > 0).map(([kind, count]) => `${count} ${kind}`);
  return some.length === 0 ? undefined : `versions that are plain: ${some.join(', ')}`;
}

/** @throws UsageError where what is written would not be encrypted either, or the bucket is not there */
export async function bucketsToEncrypt(
  { environment }: LoadedEnvironment,
  { s3, dryRun }: EncryptOptions,
  only: string | undefined,
): Promise<string[]> {
  const { Buckets = [] } = await s3.send(new ListBucketsCommand({}));
  const there = Buckets.flatMap(({ Name }) => Name ?? []).filter((name) => !isScratchBucket(name));
  if (only !== undefined && !there.includes(only)) {
    const meant = nearest(only, there);
    throw new UsageError(
      `--bucket: there is no bucket ${only} in ${environment.name}`,
      meant === undefined ? `there are ${there.join(', ') || 'none'}` : `did you mean ${meant}?`,
    );
  }
  const named = there.filter((name) => only === undefined || name === only);
  if (environment.minio.autoEncryption) return named;
  // each of its objects is written with encryption of its own
  const buckets = named.filter((name) => name !== EARLIER_OBJECTS_BUCKET);
  if (dryRun) return buckets;
  const bare: string[] = [];
  for (const name of buckets) if (!(await hasEncryption(s3, name))) bare.push(name);
  if (bare.length > 0) {
    throw new UsageError(
      `objects of ${bare.join(', ')} would be written without encryption again: minio.autoEncryption is false, and ` +
        `${bare.length === 1 ? 'the bucket has' : 'the buckets have'} no default encryption`,
      'declare each in buckets, or name one that has it by --bucket; nothing was changed',
    );
  }
  return buckets;
}

async function hasEncryption(s3: S3Client, Bucket: string): Promise<boolean> {
  try {
    await s3.send(new GetBucketEncryptionCommand({ Bucket }));
    return true;
  } catch (error) {
    if (statusOf(error) === 404) return false;
    throw error;
  }
}
