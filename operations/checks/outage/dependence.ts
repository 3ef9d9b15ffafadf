/** What depends on KES and on the key store behind it, seen by taking them away for a moment. */
import { GetObjectCommand, PutObjectCommand, type S3Client, S3ServiceException } from '@aws-sdk/client-s3';
import { randomBytes } from 'node:crypto';
import type { Environment } from '../../../config/environment';
import { nodesOf } from '../../../config/node';
import { messageOf } from '../../lib/errors';
import { ownFile, readCredentials, s3Client } from '../../minio/s3-client';
import { NotYet, waitFor } from '../../lib/wait';
import { type CheckContext, CheckFailure, type FullCheck, hasVault } from '../check';
import { allDone, get, put, requireSameBytes } from '../objects/objects';
import { credentialsOfKes, withoutLoginOfKes, withVault } from '../health/vault';

/** MinIO asks KES three times, up to a second apart, before it gives up (kms-go v0.3.1, retry.go). */
const REFUSAL_LIMIT_MS = 15_000;
/** KES starts in a second and logs in to its key store; MinIO finds it on the next request. */
const RECOVERY_LIMIT_MS = 20_000;

/** What is tried while KES is away. */
interface Attempt {
  readonly what: string;
  /** What it means if it succeeds. */
  readonly leak: string;
  readonly send: () => Promise<unknown>;
}

/** One KES is stopped, and those of other hosts answer in its place. */
const withSeveralHosts = ({ hosts }: Environment): string | undefined =>
  hosts === undefined ? undefined : 'the KES of another host answers for the one that would be stopped';

const unreadableWithoutKes: FullCheck = {
  from: 'deployment',
  disruptive: true,
  skipReason: withSeveralHosts,
  id: 'unreadable-without-kes',
  title: 'Without KES no object can be read or written',
  proves:
    'While KES is stopped, MinIO refuses to read what it wrote under each master key a moment before. It refuses to write ' +
    'what must be encrypted. Once KES is back, the same objects open. So MinIO keeps no master key of its own.',
  doesNotProve: 'What KES keeps in memory: see kes.cache.',
  severity: 'critical',
  run: async (context) => {
    const objects = await writeUnderEachKey(context, 'kes-outage');
    const single = singleTryClient(context);
    try {
      const refusals = await context.whileStopped('kes', async () => {
        const attempts = attemptsWithoutKes(context, single, objects);
        return Object.fromEntries(
          await allDone(attempts.map(async (attempt) => [attempt.what, await refusalWithoutKes(attempt)] as const)),
        );
      });
      const recoveredAfterMs = await requireRecovery(context, objects);
      return { refusals, recoveredAfterMs };
    } finally {
      single.destroy();
    }
  },
};

const durableAfterRestart: FullCheck = {
  from: 'deployment',
  disruptive: true,
  skipReason: withSeveralHosts,
  id: 'durable-after-kes-restart',
  title: 'After a restart of KES, with nothing in its memory, objects still open',
  proves:
    'Objects under each master key open when KES was restarted and has no key in memory: it read them from the key store. ' +
    'In Vault each key can be read by a token that did not create it.',
  doesNotProve: 'That there is a backup of the key store.',
  severity: 'critical',
  run: async (context) => {
    const objects = await writeUnderEachKey(context, 'kes-restart');
    await context.whileStopped('kes', async () => Promise.resolve());
    const recoveredAfterMs = await requireRecovery(context, objects);
    const keys = objects.map(({ masterKey }) => masterKey);
    return { keys, recoveredAfterMs, readBack: await readBack(context, keys) };
  },
};

/** In the order in which they run. */
export const dependenceChecks: readonly FullCheck[] = [unreadableWithoutKes, durableAfterRestart];

interface WrittenObject {
  readonly key: string;
  readonly masterKey: string;
  readonly body: Buffer;
}

async function writeUnderEachKey(context: CheckContext, folder: string): Promise<WrittenObject[]> {
  return allDone(
    context.expected.masterKeys.map(async (masterKey) => {
      const object = { key: `${folder}/${masterKey}`, masterKey, body: randomBytes(1024) };
      await put(context, object.key, object.body, { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: masterKey });
      const { body } = await get(context, object.key);
      requireSameBytes(`the GET of ${object.key}`, body, object.body);
      return object;
    }),
  );
}

function attemptsWithoutKes(
  { expected, bucket: Bucket }: CheckContext,
  s3: S3Client,
  objects: readonly WrittenObject[],
): Attempt[] {
  const write = { Bucket, Key: 'kes-outage/late', Body: 'must not be written' };
  const attempts: Attempt[] = objects.map(({ key, masterKey }) => ({
    what: `GET of an object under ${masterKey}`,
    leak: 'MinIO opens objects without KES, so it has the master keys from elsewhere, or KES runs twice',
    send: async () => s3.send(new GetObjectCommand({ Bucket, Key: key })),
  }));
  attempts.push({
    what: 'PUT that asks for SSE-S3',
    leak: 'MinIO makes data keys without KES, so what it writes is not protected by the key store',
    send: async () => s3.send(new PutObjectCommand({ ...write, ServerSideEncryption: 'AES256' })),
  });
  if (expected.autoEncryption === true) {
    attempts.push({
      what: 'PUT without an encryption header',
      leak: 'when KES is away, MinIO stores what auto-encryption should encrypt',
      send: async () => s3.send(new PutObjectCommand(write)),
    });
  }
  return attempts;
}

/** How MinIO refuses while KES is away, as `<status> <code> after <time> ms`. */
async function refusalWithoutKes({ what, leak, send }: Attempt): Promise<string> {
  const started = performance.now();
  try {
    await send();
  } catch (error) {
    if (!(error instanceof S3ServiceException)) throw error;
    const durationMs = Math.round(performance.now() - started);
    if (durationMs > REFUSAL_LIMIT_MS) {
      throw new CheckFailure(
        `${what} was refused only after ${durationMs / 1000} s without KES`,
        'clients hang that long in an outage: see `docker logs` of MinIO',
      );
    }
    return `${error.$metadata.httpStatusCode ?? 0} ${error.name} after ${durationMs} ms`;
  }
  throw new CheckFailure(
    `${what} succeeded while KES is stopped: ${leak}`,
    'look for MINIO_KMS_SECRET_KEY and MINIO_KMS_KES_ENDPOINT in the container of MinIO, and for a second KES; ' +
      'then `npx cdktf deploy`',
  );
}

/** @returns how long it took, in ms */
async function requireRecovery(context: CheckContext, objects: readonly WrittenObject[]): Promise<number> {
  const started = performance.now();
  const [{ kes }] = nodesOf(context.loaded.environment);
  for (const { key, masterKey, body } of objects) {
    let read: Buffer;
    try {
      const left = Math.max(1_000, RECOVERY_LIMIT_MS - (performance.now() - started));
      read = await waitFor({ what: `an object under ${masterKey} to open again`, timeoutMs: left }, async () => {
        try {
          return (await get(context, key)).body;
        } catch (error) {
          if (!(error instanceof CheckFailure)) throw error;
          return new NotYet(error.message);
        }
      });
    } catch (error) {
      throw new CheckFailure(
        `after KES was stopped and started: ${messageOf(error)}`,
        `the key store does not give KES the master key: see \`docker logs ${kes.container}\`, and whether the key is still ` +
          'in the key store; put it back from a backup, and stop writing until then',
      );
    }
    requireSameBytes(`the GET of ${key}`, read, body);
  }
  return Math.round(performance.now() - started);
}

/**
 * Reads each master key from Vault with a token that was made for this alone, by the same SecretID, and forgets what it
 * read. Other key stores know no such token: KES, started anew, is who reads them.
 */
async function readBack(context: CheckContext, keys: readonly string[]): Promise<string> {
  if (!hasVault(context)) {
    return `not done: with ${context.loaded.environment.keyStore.type} KES, started anew, is who reads them back`;
  }
  const { environment } = context.loaded;
  const onlyKes = withoutLoginOfKes(environment);
  if (onlyKes !== undefined) return `not possible: ${onlyKes}`;
  const { approle, mount, prefix, kvVersion } = environment.keyStore;
  await withVault(context, async (vault) => {
    const { client } = await vault.logIn(approle.mount, credentialsOfKes(context));
    await client.usedUp(async (reader) => {
      for (const key of keys) {
        const folder = `${mount}/${kvVersion === 2 ? 'data/' : ''}${prefix}`;
        const status = await reader.probe('GET', `${folder}/${key}`);
        if (status === 200) continue;
        throw new CheckFailure(
          `Vault answers ${status} for the master key ${key}, which KES just used`,
          'put the key back from a backup before KES is restarted again',
        );
      }
    });
  });
  return `${keys.length} of ${keys.length} read with another token than that of KES`;
}

/** A client that asks once: tries again would only make an outage longer. */
function singleTryClient({ s3Endpoint, region, loaded }: CheckContext): S3Client {
  return s3Client({
    endpoint: s3Endpoint,
    region,
    credentials: readCredentials(ownFile(loaded, 'minioOperations')),
    attempts: 1,
  });
}
