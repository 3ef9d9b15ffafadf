import { clientLeaf, CLIENTS, METRICS_CLIENT } from '../deployment-names';
import type { Environment } from '../environment';
import { masterKeys, minioKeys } from '../keys/master-keys';
import type { KesClient } from './kes-configuration';

/**
 * Names of keys that are no longer declared, by the client of KES that used them; withdrawn ones by a name that is no
 * client's.
 */
export type RetiredKeys = Readonly<Record<string, readonly string[]>>;

/** The client that Docker's health check is: it may ask for the status and nothing else. */
const HEALTH_CLIENT: KesClient = { name: CLIENTS.health, keys: [], routes: ['/v1/status'] };

/** The client that Prometheus is: it may ask for metrics and nothing else. */
const MONITORING_CLIENT: KesClient = { name: METRICS_CLIENT, keys: [], routes: ['/v1/metrics'] };

/**
 * Who may do what with the master keys. MinIO may not create one: it would silently make a new key under the name of
 * one that is missing, and what was written before could never be read again.
 *
 * @param retired keys that were declared once: what is under them, MinIO's own configuration too, must stay readable for
 *   those who wrote it
 */
export function kesClients(
  environment: Pick<Environment, 'minio' | 'buckets' | 'kes' | 'monitoring'>,
  retired: RetiredKeys,
): KesClient[] {
  const all = masterKeys(environment);
  return [
    { name: CLIENTS.minio, keys: use(minioKeys(environment), retired[CLIENTS.minio]) },
    { name: CLIENTS.keyCreator, keys: [{ actions: ['create'], names: all }] },
    { name: CLIENTS.keyProver, keys: use(all, Object.values(retired).flat()), routes: ['/v1/status', '/v1/ready'] },
    HEALTH_CLIENT,
    ...(environment.monitoring === undefined ? [] : [MONITORING_CLIENT]),
    ...environment.kes.clients.map(({ name, keys }) => {
      const client = clientLeaf(name);
      return { name: client, keys: use(keys, retired[client]) };
    }),
  ];
}

function use(declared: readonly string[], retired: readonly string[] = []): KesClient['keys'] {
  return [
    { actions: ['generate', 'decrypt', 'describe'], names: declared },
    ...(retired.length === 0 ? [] : [{ actions: ['decrypt', 'describe'] as const, names: retired }]),
  ];
}
