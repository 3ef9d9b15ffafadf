/**
 * Encrypts what a MinIO without KMS wrote of users, policies, access keys and its settings: MinIO encrypts them when it
 * writes them, and writes them when they change. So it gets back what it exports.
 */
import { disableAgain } from '../backup/minio-settings';
import { plainConfiguration } from '../checks/at-rest/configuration';
import type { ReadableDrive } from './drives';
import type { MinioAdmin } from './minio-admin';

export interface ConfigurationSources {
  readonly admin: Pick<
    MinioAdmin,
    'exportSettings' | 'importSettings' | 'exportIam' | 'importIam' | 'disableAccessKey' | 'disableGroup'
  >;
  readonly drives: readonly ReadableDrive[];
}

/**
 * Does nothing where all is encrypted. Access keys and groups that are disabled are enabled for the moment of the import.
 *
 * @param dryRun whether nothing is written
 * @returns the files that are plain still, and what MinIO did not take, each in a few words
 */
export async function encryptConfiguration(
  { admin, drives }: ConfigurationSources,
  dryRun: boolean,
): Promise<{ readonly encrypted: number; readonly left: readonly string[] }> {
  const before = await plainConfiguration(drives);
  if (before.length === 0 || dryRun) return { encrypted: 0, left: before };
  await admin.importSettings(await admin.exportSettings());
  const iam = await admin.exportIam();
  const problems = [...(await admin.importIam(iam)), ...(await disableAgain(admin, iam))];
  const after = await plainConfiguration(drives);
  return { encrypted: before.length - after.length, left: [...after, ...problems] };
}
