import { type Environment, reachableAddress } from '../config/environment';
import type { StateLayout } from '../config/state';
import { type Canaries, openCanary, readCanaries } from './canaries';
import { ExternalError } from './errors';
import { KesClient, KesError } from './kes-client';
import path from 'node:path';

const RESTORE_HINT =
  'restore the key from a backup (in KV v2 a deleted key can be undeleted: vault kv undelete -versions=1); MinIO was not touched';

/**
 * Opens the canary of every master key that has one, also of keys that are no longer declared.
 *
 * @returns the keys that were proven; without those that the running KES does not know of yet, because they were
 *   declared again since it read its configuration
 * @throws ExternalError that names every key that is missing, unreadable or no longer the same
 */
export async function proveCanaries(prover: KesClient, canaries: Canaries): Promise<string[]> {
  const problems: string[] = [];
  const proven: string[] = [];
  for (const [key, canary] of Object.entries(canaries)) {
    const born = `master key ${key}, made on ${canary.bornAt},`;
    try {
      const verdict = await openCanary(prover, key, canary);
      if (verdict === 'opens') proven.push(key);
      if (verdict === 'missing') problems.push(`${born} is missing in the key store`);
      if (verdict === 'other') problems.push(`${born} was replaced by another: it does not open its canary`);
    } catch (error) {
      if (!(error instanceof KesError) || (error.status !== 403 && error.status !== 502)) throw error;
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
  return proven;
}

/**
 * Proves the master keys of a running deployment, before anything of it is changed.
 *
 * @returns what was proven, or why it cannot be said: a deployment that does not run is proven while it starts
 */
export async function verifyMasterKeys(environment: Environment, state: StateLayout): Promise<string> {
  const canaries = readCanaries(state.canaries);
  if (Object.keys(canaries).length === 0) return 'there are none yet';
  const prover = new KesClient({
    url: `https://${reachableAddress(environment)}:${environment.kes.port}`,
    caFile: state.caCertificate,
    certificateFile: path.join(state.tls, 'key-prover.crt'),
    privateKeyFile: path.join(state.secret.tls, 'key-prover.key'),
  });
  try {
    let reachable: boolean;
    try {
      reachable = await prover.ready();
    } catch {
      return 'KES does not run; proven when it does';
    }
    if (!reachable) return 'KES does not reach its key store; proven when it does';
    const proven = await proveCanaries(prover, canaries);
    return `${proven.length} open their canaries`;
  } finally {
    prover.close();
  }
}
