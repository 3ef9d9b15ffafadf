/**
 * Whose turn it is, where several machines deploy one environment with Terraform's state in S3. Each has a copy of the
 * state folder, and a copy that is older than what was deployed would put old certificates, credentials and notes back.
 *
 * Every deploy gives itself an id, which is in the bucket beside the states and in the state folder. A folder with another
 * id was not the last to deploy. It keeps the id before its own, too: a kill may come between both writes.
 */
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { z } from 'zod';
import type { LoadedEnvironment } from '../state/load';
import { ExternalError } from '../lib/errors';
import { readIfExists, writeFileAtomically } from '../lib/files';
import { readObject, type S3State, UnreadableStateError, unlessUnreadable, writeObject } from './remote-state';

const inBucket = z.object({ id: z.string(), host: z.string(), since: z.iso.datetime() });
const inFolder = z.object({ id: z.string(), previous: z.string().optional() });

type Place = Pick<LoadedEnvironment, 'environment' | 'state'>;

/**
 * Refuses a state folder that is older than what was deployed. A restore makes the folder anew, and is not refused.
 *
 * A bucket that cannot be read is left to Terraform, which may know a way that we do not.
 *
 * @throws ExternalError that names the machine that deployed last
 */
export async function requireOwnTurn({ environment, state }: Place, env = process.env): Promise<void> {
  const { name, state: backend } = environment;
  if (backend.backend !== 's3' || !existsSync(state.deployment) || env.EBS_RESTORE === name) return;
  const text = await readObject(backend, keyOf(name, backend)).catch(unlessUnreadable);
  if (text === undefined) return;
  const last = inBucket.parse(JSON.parse(text));
  const own = ownTurn(state.turn);
  if (own !== undefined && (own.id === last.id || own.previous === last.id)) return;
  throw new ExternalError(
    `the state folder ${state.root} is older than what is deployed: ${last.host} deployed ${name} on ${last.since} with another copy of it`,
    `set this folder aside, copy the one of ${last.host} to the same path, then run this again. If that copy is lost, ./scripts/restore --replace ${name} makes the folder from a backup; nothing was changed`,
  );
}

/**
 * Notes that this folder is the one that deploys now; before anything is changed.
 *
 * @returns what to tell where the bucket does not take the note
 */
export async function takeTurn({ environment, state }: Place): Promise<string | undefined> {
  const { name, state: backend } = environment;
  if (backend.backend !== 's3') return undefined;
  const key = keyOf(name, backend);
  const own = { id: randomUUID(), host: hostname(), since: new Date().toISOString() };
  try {
    const text = await readObject(backend, key);
    const previous = text === undefined ? undefined : inBucket.parse(JSON.parse(text)).id;
    writeFileAtomically(state.turn, `${JSON.stringify({ id: own.id, previous })}\n`, 0o644);
    await writeObject(backend, key, `${JSON.stringify(own)}\n`);
    return undefined;
  } catch (error) {
    if (!(error instanceof UnreadableStateError)) throw error;
    return `${error.message}: no other machine will notice that its state folder is older`;
  }
}

function keyOf(environment: string, { keyPrefix }: S3State): string {
  return `${keyPrefix}/${environment}/turn.json`;
}

function ownTurn(file: string): z.infer<typeof inFolder> | undefined {
  const text = readIfExists(file);
  return text === undefined ? undefined : inFolder.parse(JSON.parse(text));
}
