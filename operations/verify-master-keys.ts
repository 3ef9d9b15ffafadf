import { type Environment, reachableAddress } from '../config/environment';
import type { StateLayout } from '../config/state';
import { type Canaries, openCanary, readCanaries } from './canaries';
import { ExternalError, messageOf } from './errors';
import { KesClient, KesError } from './kes-client';
import { NotYet, waitFor } from './wait';
import path from 'node:path';

const RESTORE_HINT =
  'restore the key from a backup (in KV v2 a deleted key can be undeleted: vault kv undelete -versions=1); MinIO was not touched';

/**
 * Opens the canary of every master key that has one, also of keys that are no longer declared.
 *
 * @returns `proven`: the keys that were; `unasked`: those that KES lets nobody ask for, as it is with a key that was
 *   declared again since KES read its configuration
 * @throws ExternalError that names every key that is missing, unreadable or no longer the same
 */
export async function proveCanaries(
  prover: KesClient,
  canaries: Canaries,
): Promise<{ readonly proven: string[]; readonly unasked: string[] }> {
  const problems: string[] = [];
  const proven: string[] = [];
  const unasked: string[] = [];
  for (const [key, canary] of Object.entries(canaries)) {
    const born = `master key ${key}, made on ${canary.bornAt},`;
    try {
      const verdict = await openCanary(prover, key, canary);
      if (verdict === 'opens') proven.push(key);
      if (verdict === 'missing') problems.push(`${born} is missing in the key store`);
      if (verdict === 'other') problems.push(`${born} was replaced by another: it does not open its canary`);
    } catch (error) {
      if (!(error instanceof KesError) || (error.status !== 403 && error.status !== 502)) throw error;
      if (error.status === 403) unasked.push(key);
      // a key that was deleted softly (KV v2) is there and cannot be read, which KES calls a bad gateway
      if (error.status === 502) problems.push(`${born} cannot be read from the key store (${error.message})`);
    }
  }
  if (problems.length > 0) {
    throw new ExternalError(
      `${problems.join('; ')}. What is encrypted under it cannot be read without it`,
      RESTORE_HINT,
    );
  }
  return { proven, unasked };
}

/**
 * Proves the master keys of a running deployment, before anything of it is changed.
 *
 * @returns what was proven, or why it cannot be said: a deployment that does not run is proven while it starts
 */
export async function verifyMasterKeys(environment: Environment, state: StateLayout): Promise<string> {
  const canaries = readCanaries(state.canaries);
  if (Object.keys(canaries).length === 0) return 'there are none yet';
  const prover = proverOf(environment, state);
  try {
    let reachable: boolean;
    try {
      reachable = await prover.ready();
    } catch (error) {
      return `proven after the deploy, because KES cannot be asked now (${messageOf(error)})`;
    }
    if (!reachable) return 'proven after the deploy, because KES does not reach its key store now';
    const { proven } = await proveCanaries(prover, canaries);
    return `${proven.length} open their canaries`;
  } finally {
    prover.close();
  }
}

/**
 * Waits until KES reaches its key store and proves every master key that has a canary.
 *
 * @throws ExternalError if KES does not come within a minute, or if a key cannot be proven for whatever reason
 */
export async function requireProvenKeys(prover: KesClient, url: string, canaries: Canaries): Promise<string[]> {
  await waitFor(
    {
      what: `KES at ${url} to reach its key store`,
      timeoutMs: 60_000,
      hint: 'if Vault is sealed: ./scripts/unseal',
    },
    async () => ((await prover.ready()) ? true : new NotYet('KES answers, but its key store is unreachable')),
  );
  const { proven, unasked } = await proveCanaries(prover, canaries);
  if (unasked.length > 0) {
    throw new ExternalError(
      `master keys ${unasked.join(', ')} have canaries, but KES lets nobody ask for them, so nobody knows whether they are still the same`,
      'deploy again, so that KES gets the policies of this environment file',
    );
  }
  return proven;
}

/** Proves the master keys of a deployment that was just made, see {@link requireProvenKeys}. */
export async function proveDeployedKeys(environment: Environment, state: StateLayout): Promise<string> {
  const prover = proverOf(environment, state);
  try {
    const proven = await requireProvenKeys(prover, kesUrl(environment), readCanaries(state.canaries));
    return `${proven.length} open their canaries`;
  } finally {
    prover.close();
  }
}

function proverOf(environment: Environment, state: StateLayout): KesClient {
  return new KesClient({
    url: kesUrl(environment),
    caFile: state.caCertificate,
    certificateFile: path.join(state.tls, 'key-prover.crt'),
    privateKeyFile: path.join(state.secret.tls, 'key-prover.key'),
  });
}

function kesUrl(environment: Environment): string {
  return `https://${reachableAddress(environment)}:${environment.kes.port}`;
}
