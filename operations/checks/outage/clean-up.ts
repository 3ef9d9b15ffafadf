/** What the cleanup watchdog of a run does when the run is gone. */
import type { S3Client } from '@aws-sdk/client-s3';
import { setTimeout as delay } from 'node:timers/promises';
import { ENVIRONMENT_LABEL } from '../../../config/deployment-names';
import { dockerEngine } from '../../docker/docker';
import { readCredentials, s3Client } from '../../minio/s3-client';
import { parsedJson } from '../../lib/text/json';
import { waitFor } from '../../lib/wait';
import { type GuardedContainer, type GuardedTarget, watchdogNote } from './cleanup-watchdog';
import { deleteScratchBucket } from '../objects/scratch-bucket';

/** MinIO itself may be starting: long enough for that, and then a later run finds what is left. */
const TIME_LIMIT_MS = 120_000;

/** A request that was under way when the run was killed may still be carried out. */
const AFTERMATH_MS = 1_500;

/** Starts the containers that the run had stopped and deletes its buckets. */
export async function putBack(notes: string): Promise<void> {
  let target: GuardedTarget | undefined;
  const buckets: string[] = [];
  const stopped = new Map<string, GuardedContainer>();
  for (const line of notes.split('\n')) {
    // the last line may have been cut short; then what it says was not done
    const note = watchdogNote.safeParse(parsedJson(line)).data;
    if (note === undefined) continue;
    if ('target' in note) target = note.target;
    else if ('bucket' in note) buckets.push(note.bucket);
    else if ('stopped' in note) stopped.set(note.stopped.name, note.stopped);
    else stopped.delete(note.started.name);
  }
  const results = await Promise.allSettled([
    ...[...stopped.values()].map(keepRunning),
    ...(target === undefined || buckets.length === 0 ? [] : [deleteBuckets(target, buckets)]),
  ]);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

/** Docker may still be stopping it, which it does for ten seconds at most unless it was told otherwise. */
const STOPPING_MS = 12_000;

async function keepRunning(container: GuardedContainer): Promise<void> {
  const end = performance.now() + STOPPING_MS;
  do {
    await startContainer(container);
    await delay(500);
  } while (performance.now() < end);
}

/**
 * Starts a container again, if it is still one of that environment.
 *
 * @throws whatever Docker says, after trying for two minutes
 */
export async function startContainer({ name, environment, docker }: GuardedContainer): Promise<void> {
  const container = dockerEngine(docker).getContainer(name);
  await waitFor({ what: `${name} to start`, timeoutMs: TIME_LIMIT_MS, intervalMs: 1_000 }, async () => {
    try {
      const { Config } = await container.inspect();
      if (Config.Labels[ENVIRONMENT_LABEL] === environment) await container.start();
    } catch (error) {
      // 304: it runs; 404: it was taken down
      if (![304, 404].includes((error as { statusCode?: number }).statusCode ?? 0)) throw error;
    }
    return true;
  });
}

async function deleteBuckets(target: GuardedTarget, buckets: readonly string[]): Promise<void> {
  const { url, caFile, serverName, region, credentialsFile } = target;
  const s3 = s3Client({
    endpoint: {
      url,
      ...(caFile === undefined ? {} : { caFile }),
      ...(serverName === undefined ? {} : { serverName }),
    },
    region,
    ...(credentialsFile === undefined ? {} : { credentials: readCredentials(credentialsFile) }),
  });
  const deleteAll = async (): Promise<void> => {
    await Promise.all(buckets.map((bucket) => deleteUntilGone(s3, bucket)));
  };
  try {
    await deleteAll();
    await delay(AFTERMATH_MS);
    await deleteAll();
  } finally {
    s3.destroy();
  }
}

async function deleteUntilGone(s3: S3Client, bucket: string): Promise<void> {
  await waitFor({ what: `${bucket} to be deleted`, timeoutMs: TIME_LIMIT_MS, intervalMs: 1_000 }, async () => {
    await deleteScratchBucket(s3, bucket);
    return true;
  });
}
