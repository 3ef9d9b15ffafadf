/**
 * Encrypts what a MinIO without KMS wrote of users, policies, access keys and its settings: MinIO encrypts them when it
 * writes them, and writes them when they change. So it gets back what it exports.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { z } from 'zod';
import { disableAgain } from '../../backup/minio-settings';
import { plainConfiguration } from '../../checks/at-rest/configuration';
import { writeFileAtomically } from '../../lib/files';
import { filesInZip, zipOf } from '../../lib/zip';
import type { ReadableDrive } from '../drives/drives';
import type { MinioAdmin } from '../minio-admin';

export interface ConfigurationSources {
  readonly admin: Pick<
    MinioAdmin,
    'exportSettings' | 'importSettings' | 'exportIam' | 'importIam' | 'disableAccessKey' | 'disableGroup'
  >;
  readonly drives: readonly ReadableDrive[];
  /** Where the export is kept meanwhile. It holds secret keys in the clear. */
  readonly exportFile: string;
}

/**
 * Does nothing where all is encrypted. Access keys and groups that are disabled are enabled for the moment of the import:
 * MinIO deletes each access key and makes it anew (minio/minio, cmd/admin-handlers-users.go, importIAM). So the export is
 * kept in a file until all is back, and the next call first mends what an interrupted one left.
 *
 * @param dryRun whether nothing is written
 * @returns the files that are plain still, and what MinIO did not take, each in a few words
 */
export async function encryptConfiguration(
  { admin, drives, exportFile }: ConfigurationSources,
  dryRun: boolean,
): Promise<{ readonly encrypted: number; readonly left: readonly string[] }> {
  const before = await plainConfiguration(drives);
  if (existsSync(exportFile)) {
    const unfinished = dryRun
      ? ['access keys and groups are not all back after an interrupted run']
      : await putBack(admin, readFileSync(exportFile));
    if (unfinished.length > 0) return { encrypted: 0, left: [...before, ...unfinished] };
    rmSync(exportFile);
  }
  if (before.length === 0 || dryRun) return { encrypted: 0, left: before };
  await admin.importSettings(await admin.exportSettings());
  const iam = await admin.exportIam();
  writeFileAtomically(exportFile, iam);
  const problems = [...(await admin.importIam(iam)), ...(await disableAgain(admin, iam))];
  if (problems.length === 0) rmSync(exportFile);
  const after = await plainConfiguration(drives);
  return { encrypted: before.length - after.length, left: [...after, ...problems] };
}

const ACCESS_KEYS = 'iam-assets/svcaccts.json';
const accessKeysIn = (iam: Buffer): Record<string, unknown> =>
  // Go writes a map without entries as null
  z
    .record(z.string(), z.unknown())
    .nullable()
    .parse(JSON.parse(String(filesInZip(iam).get(ACCESS_KEYS)?.() ?? 'null'))) ?? {};

/**
 * Makes the access keys that are lost, and disables what was disabled. Everything else stays: it may have changed since.
 *
 * @returns what MinIO did not take, each in a few words
 */
async function putBack(admin: ConfigurationSources['admin'], kept: Buffer): Promise<string[]> {
  const there = accessKeysIn(await admin.exportIam());
  const lost = Object.entries(accessKeysIn(kept)).filter(([key]) => !(key in there));
  const archive = zipOf({ [ACCESS_KEYS]: JSON.stringify(Object.fromEntries(lost)) });
  return [...(lost.length === 0 ? [] : await admin.importIam(archive)), ...(await disableAgain(admin, kept))];
}
