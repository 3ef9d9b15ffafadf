import {
  DeleteObjectCommand,
  GetObjectCommand,
  NoSuchKey,
  paginateListObjectsV2,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { z } from 'zod';
import type { Environment } from '../../config/environment';
import { everyStack } from './stack-names';
import { ExternalError, messageOf } from '../lib/errors';
import { parsedJson } from '../lib/text/json';
import { otherStorage } from '../minio/s3-client';

/**
 * Deletes the Terraform state of an environment from its S3 bucket, with the credentials by which Terraform reaches it
 * (`AWS_…` variables, profile or role; `AWS_CA_BUNDLE` for a private CA).
 *
 * @returns how many objects were deleted; a versioned bucket still has their versions
 */
export async function deleteRemoteState({ name, state }: Pick<Environment, 'name' | 'state'>): Promise<number> {
  if (state.backend !== 's3') return 0;
  const { bucket, keyPrefix } = state;
  const s3 = otherStorage(state, state.endpoint ?? 'AWS');
  try {
    let count = 0;
    for await (const page of paginateListObjectsV2(
      { client: s3 },
      { Bucket: bucket, Prefix: `${keyPrefix}/${name}/` },
    )) {
      for (const { Key } of page.Contents ?? []) {
        await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key }));
        count += 1;
      }
    }
    return count;
  } catch (error) {
    throw new ExternalError(
      `the Terraform state in s3://${bucket}/${keyPrefix}/${name}/ cannot be deleted: ${messageOf(error)}`,
      'set the AWS_… variables with which it was deployed, then run this again',
      { cause: error },
    );
  } finally {
    s3.destroy();
  }
}

/** The state in S3 cannot be read here; Terraform may know a way that we do not, such as a proxy. */
export class UnreadableStateError extends ExternalError {}

/**
 * The text of one stack's Terraform state in S3.
 *
 * @returns undefined if there is none yet
 * @throws UnreadableStateError if it cannot be read
 */
export async function readRemoteState(environment: string, state: S3State, stack: string): Promise<string | undefined> {
  return readObject(state, `${state.keyPrefix}/${environment}/${stack}.tfstate`);
}

// terraform's internal/states/statemgr/locker.go, LockInfo; the S3 backend writes it beside the state
const lockInfo = z.object({ ID: z.string(), Operation: z.string(), Who: z.string(), Created: z.string() });

/**
 * Refuses where a Terraform is known to hold the lock of a state in S3, or was killed while it did: a deploy would stop there, with
 * what comes before already changed. It is the lock of one stack at a time, so that a deploy between two is not noticed.
 *
 * A bucket that cannot be read is left to whoever needs it: Terraform may know a way that we do not.
 *
 * @throws ExternalError that names who holds it
 */
export async function requireUnlocked(environment: Environment): Promise<void> {
  const { name, state } = environment;
  if (state.backend !== 's3') return;
  const keys = everyStack(environment).map((stack) => `${state.keyPrefix}/${name}/${stack}.tfstate`);
  const locks = await Promise.all(keys.map((key) => readObject(state, `${key}.tflock`).catch(unlessUnreadable)));
  const held = keys.flatMap((key, index) => {
    const text = locks[index];
    return text === undefined ? [] : [`the Terraform state s3://${state.bucket}/${key} is locked${describeLock(text)}`];
  });
  if (held.length === 0) return;
  throw new ExternalError(
    held.join('\n  '),
    `wait if another machine deploys. Else a killed command left each lock; remove it: docs/operations.md, "A lock in S3 after a kill"; nothing was changed`,
  );
}

function describeLock(text: string): string {
  const { data } = lockInfo.safeParse(parsedJson(text));
  if (data === undefined) return ' by a lock that does not say whose it is';
  return ` by ${data.Who} since ${data.Created} (${data.Operation}, ID ${data.ID})`;
}

export function unlessUnreadable(error: unknown): undefined {
  if (!(error instanceof UnreadableStateError)) throw error;
}

/** The text of an object, as it is there. Undefined: there is none. */
export async function readObject(state: S3State, Key: string): Promise<string | undefined> {
  return withState(state, Key, 'read', async (s3) => {
    try {
      return await (await s3.send(new GetObjectCommand({ Bucket: state.bucket, Key }))).Body?.transformToString();
    } catch (error) {
      if (error instanceof NoSuchKey) return undefined;
      throw error;
    }
  });
}

/** @throws UnreadableStateError if it cannot be written */
export async function writeObject(state: S3State, Key: string, Body: string): Promise<void> {
  await withState(state, Key, 'written', (s3) => s3.send(new PutObjectCommand({ Bucket: state.bucket, Key, Body })));
}

/**
 * @throws ExternalError if there is no such bucket, or no server answers, as Terraform would find, too; and
 * UnreadableStateError if something else is in the way
 */
async function withState<T>(
  state: S3State,
  key: string,
  what: 'read' | 'written',
  action: (s3: S3Client) => Promise<T>,
): Promise<T> {
  const s3 = otherStorage(state, state.endpoint ?? 'AWS');
  try {
    return await action(s3);
  } catch (error) {
    if (error instanceof Error && error.name === 'NoSuchBucket') {
      throw new ExternalError(
        `the bucket of the Terraform state s3://${state.bucket}/${key} does not exist`,
        'make the bucket, or correct state.bucket in the environment file; nothing was changed',
        { cause: error },
      );
    }
    const message = `the Terraform state s3://${state.bucket}/${key} cannot be ${what}: ${messageOf(error)}`;
    if (isUnreachable(error) && !PROXIES.some((name) => process.env[name])) {
      throw new ExternalError(message, 'have the storage answer, or correct state.endpoint; nothing was changed', {
        cause: error,
      });
    }
    throw new UnreadableStateError(message, 'set the AWS_… variables with which Terraform reaches it', {
      cause: error,
    });
  } finally {
    s3.destroy();
  }
}

/** Through these Terraform reaches a storage that this process does not. */
const PROXIES = ['HTTPS_PROXY', 'https_proxy', 'ALL_PROXY', 'all_proxy'];

/** The SDK may wrap the error of a connection, and keeps its text alone. */
function isUnreachable(error: unknown): boolean {
  return /\b(?:ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT)\b/.test(messageOf(error));
}

export type S3State = Extract<Environment['state'], { backend: 's3' }>;
