import { LEAVES } from './deployment-names';
import type { KesClient } from './kes-configuration';

/** The client that Docker's health check is: it may ask for the status and nothing else. */
export const HEALTH_CLIENT: KesClient = { name: LEAVES.health, keys: [], routes: ['/v1/status'] };

/**
 * Who may do what with the master keys. MinIO may not create one: it would silently make a new key under the name of
 * one that is missing, and what was written before could never be read again.
 *
 * @param keys the keys that are declared
 * @param retired keys that were declared once: objects, and MinIO's own configuration, may still be under them
 */
export function kesClients(keys: readonly string[], retired: readonly string[]): KesClient[] {
  const use: KesClient['keys'] = [
    { actions: ['generate', 'decrypt', 'describe'], names: keys },
    ...(retired.length === 0 ? [] : [{ actions: ['decrypt', 'describe'] as const, names: retired }]),
  ];
  return [
    { name: LEAVES.minioClient, keys: use },
    { name: LEAVES.keyCreator, keys: [{ actions: ['create'], names: keys }] },
    { name: LEAVES.keyProver, keys: use, routes: ['/v1/status', '/v1/ready'] },
    HEALTH_CLIENT,
  ];
}
