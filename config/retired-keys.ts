import { readCanaries } from '../operations/canaries';
import { type Environment, masterKeys } from './environment';
import type { StateLayout } from './state';

/**
 * Master keys of a deployment that its environment file no longer names. Their canaries tell of them: what was written
 * under such a key, MinIO's own configuration too, must stay readable, and a key is never taken away by an edit.
 */
export function retiredKeys(environment: Environment, state: StateLayout): string[] {
  const declared = masterKeys(environment);
  return Object.keys(readCanaries(state.canaries))
    .filter((name) => !declared.includes(name))
    .sort();
}
