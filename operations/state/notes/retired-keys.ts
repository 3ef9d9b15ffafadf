import { readCanaries } from './canaries';
import { CLIENTS } from '../../../config/deployment-names';
import type { RetiredKeys } from '../../../config/kes/kes-clients';
import type { Environment } from '../../../config/environment';
import { masterKeys } from '../../../config/keys/master-keys';
import type { StateLayout } from '../../../config/state/layout';

/** Under whom keys are that no client may use: it is no client of KES. */
const NOBODY = 'nobody';

/**
 * Master keys of a deployment that its environment file no longer names. Their canaries tell of them: what was written
 * under such a key, MinIO's own configuration too, must stay readable, and a key is never taken away by an edit.
 */
export function retiredKeysByClient(environment: Environment, state: Pick<StateLayout, 'canaries'>): RetiredKeys {
  const canaries = readCanaries(state.canaries);
  const retired: Record<string, string[]> = {};
  for (const key of retiredKeys(environment, state)) {
    const canary = canaries[key];
    const user = canary?.withdrawnAt === undefined ? (canary?.client ?? CLIENTS.minio) : NOBODY;
    (retired[user] ??= []).push(key);
  }
  return retired;
}

/** The names of all of them. */
export function retiredKeys(environment: Environment, state: Pick<StateLayout, 'canaries'>): string[] {
  const declared = masterKeys(environment);
  return Object.keys(readCanaries(state.canaries))
    .filter((name) => !declared.includes(name))
    .sort();
}
