/** The settings of MinIO that are in no object: what a backup holds of them, what it cannot hold, and how they come back. */
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import type { LoadedEnvironment } from '../state/load';
import { nodesOf } from '../../config/node';
import { waitUntilHealthy } from '../docker/docker';
import { onEachNode } from '../docker/hosts/each-node';
import { filesInZip } from '../lib/zip';
import { type MinioAdmin, RefusedByMinio } from '../minio/minio-admin';

/**
 * What MinIO exports without the credentials that it needs, or not at all.
 *
 * @param files names in the archive of all bucket settings
 * @returns each as a person would look for it; empty if the backup holds every setting
 */
export async function settingsNotSaved(
  admin: Pick<MinioAdmin, 'replicates' | 'tiers' | 'replicatesSites'>,
  files: readonly string[],
): Promise<string[]> {
  const replicated: string[] = [];
  for (const bucket of new Set(files.map((file) => file.split('/')[0] ?? ''))) {
    if (files.includes(`${bucket}/replication.xml`) || (await admin.replicates(bucket))) replicated.push(bucket);
  }
  return [
    ...replicated.map((bucket) => `replication of bucket ${bucket}: its rules and its targets`),
    ...(await admin.tiers()).map((tier) => `tier ${tier}: its address and credentials`),
    ...((await admin.replicatesSites()) ? ['site replication'] : []),
  ];
}

/** Names of the files in a ZIP archive, from its central directory. */
export function namesInZip(archive: Buffer): string[] {
  return [...filesInZip(archive).keys()];
}

const statuses = z.record(z.string(), z.object({ status: z.string().optional() }));

/** What of an archive of {@link MinioAdmin.exportIam} was disabled and is enabled by its import. */
export function disabledIn(iam: Buffer): { readonly groups: string[]; readonly accessKeys: string[] } {
  const files = filesInZip(iam);
  const named = (file: string, status: string): string[] => {
    const text = files.get(`iam-assets/${file}`)?.().toString('utf8');
    // Go writes a map without entries as null
    const entries = statuses.nullable().parse(text === undefined ? null : JSON.parse(text)) ?? {};
    return Object.entries(entries).flatMap(([name, entry]) => (entry.status === status ? [name] : []));
  };
  return {
    groups: named('groups.json', 'disabled'),
    accessKeys: named('svcaccts.json', 'off'),
  };
}

/**
 * Disables what {@link MinioAdmin.importIam} enabled.
 *
 * @returns what could not be disabled, each in a few words
 */
export async function disableAgain(
  admin: Pick<MinioAdmin, 'disableAccessKey' | 'disableGroup'>,
  iam: Buffer,
): Promise<string[]> {
  const { groups, accessKeys } = disabledIn(iam);
  const problems: string[] = [];
  const attempt = async (what: string, disable: () => Promise<void>): Promise<void> => {
    try {
      await disable();
    } catch (error) {
      if (!(error instanceof RefusedByMinio)) throw error;
      // it is gone
      if (error.status === 404) return;
      problems.push(`${what} was disabled: ${error.message}`);
    }
  };
  for (const key of accessKeys) await attempt(`access key ${key}`, async () => admin.disableAccessKey(key));
  for (const group of groups) await attempt(`group ${group}`, async () => admin.disableGroup(group));
  return problems;
}

/** What a backup holds of MinIO's settings. */
export interface SavedSettings {
  /** Lines of `mc admin config export`; undefined in a backup of an early version. */
  readonly settings: string | undefined;
  readonly iam: Buffer;
  readonly buckets: Buffer;
}

/**
 * Gives a MinIO with an empty drive the settings of a backup.
 *
 * @param restart starts MinIO again and waits until it serves
 * @returns what MinIO did not take, each in a few words
 */
export async function restoreSettings(
  admin: Pick<
    MinioAdmin,
    'exportSettings' | 'importSettings' | 'importIam' | 'importBuckets' | 'disableAccessKey' | 'disableGroup'
  >,
  { settings = '', iam, buckets }: SavedSettings,
  restart: () => Promise<void>,
): Promise<string[]> {
  const problems: string[] = [];
  let targets = /^notify_/m.test(settings);
  if (settings !== '' && settings !== (await admin.exportSettings())) {
    try {
      await admin.importSettings(importable(settings));
      // most count from the next start on; a rule for events is refused while its target is not known
      await restart();
    } catch (error) {
      // an identity provider that is away would otherwise keep users and buckets away, too
      if (!(error instanceof RefusedByMinio)) throw error;
      problems.push(`settings of the server: ${error.message}`);
      targets = false;
    }
  }
  problems.push(...(await admin.importIam(iam)));
  problems.push(...(await disableAgain(admin, iam)));
  let refused = await admin.importBuckets(buckets);
  // targets are known a moment after MinIO serves again (cmd/server-main.go, initBucketTargets)
  const by = performance.now() + TARGETS_WITHIN_MS;
  while (targets && refused.some((problem) => problem.includes(': notification: ')) && performance.now() < by) {
    await delay(500);
    refused = await admin.importBuckets(buckets);
  }
  // imported rules for events are followed from the next start on (cmd/bucket-metadata-sys.go)
  if (targets) await restart();
  return [...problems, ...refused];
}

/**
 * Without the lines that name a part and no setting of it. MinIO exports one where variables of its container give every
 * value, such as `storage_class`, and refuses the whole import because of it.
 */
function importable(settings: string): string {
  return settings
    .split('\n')
    .filter((line) => line.trim() === '' || line.startsWith('#') || line.includes('='))
    .join('\n');
}

const TARGETS_WITHIN_MS = 10_000;

/** Starts MinIO again and waits until it serves; that of several hosts together, because no client uses it yet. */
export async function restartMinio({ environment }: LoadedEnvironment): Promise<void> {
  await onEachNode(nodesOf(environment), async ({ minio }, docker) => {
    const container = docker.getContainer(minio.container);
    await container.restart({ t: 30 });
    await waitUntilHealthy(container, minio.container);
  });
}
