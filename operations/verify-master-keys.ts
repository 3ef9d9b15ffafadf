import type { Environment } from '../config/environment';
import { masterKeys } from '../config/environment';
import type { StateLayout } from '../config/state';
import { type Canaries, openCanary, readCanaries } from './canaries';
import { ExternalError } from './errors';
import { KesClient } from './kes-client';
import path from 'node:path';

const RESTORE_HINT =
  'restore the key from a backup (in KV v2 a deleted key can be undeleted: vault kv undelete -versions=1); MinIO was not touched';

/**
 * Opens the canary of every master key that has one.
 *
 * @param keys the keys that KES lets the prover use: a canary of another key, no longer declared, cannot be opened
 * @returns the keys that were proven
 * @throws ExternalError that names every key that is missing or that is no longer the same
 */
export async function proveCanaries(prover: KesClient, canaries: Canaries, keys: readonly string[]): Promise<string[]> {
  const problems: string[] = [];
  const proven: string[] = [];
  for (const [key, canary] of Object.entries(canaries)) {
    if (!keys.includes(key)) continue;
    const verdict = await openCanary(prover, key, canary);
    if (verdict === 'opens') proven.push(key);
    if (verdict === 'missing') {
      problems.push(`master key ${key}, made on ${canary.bornAt}, is missing in the key store`);
    }
    if (verdict === 'other') {
      problems.push(`master key ${key} is not the one made on ${canary.bornAt}: it does not open its canary`);
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
    url: `https://${environment.docker.publishAddress}:${environment.kes.port}`,
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
    const proven = await proveCanaries(prover, canaries, masterKeys(environment));
    return `${proven.length} open their canaries`;
  } finally {
    prover.close();
  }
}
