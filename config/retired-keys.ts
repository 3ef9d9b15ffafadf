import { existsSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import { type Environment, masterKeys } from './environment';
import type { StateLayout } from './state';

const canaryNames = z.object({ keys: z.record(z.string(), z.unknown()) });

/**
 * Master keys of a deployment that its environment file no longer names. Their canaries tell of them: what was written
 * under such a key, MinIO's own configuration too, must stay readable, and a key is never taken away by an edit.
 */
export function retiredKeys(environment: Environment, state: StateLayout): string[] {
  if (!existsSync(state.canaries)) return [];
  const { keys } = canaryNames.parse(JSON.parse(readFileSync(state.canaries, 'utf8')));
  const declared = masterKeys(environment);
  return Object.keys(keys)
    .filter((name) => !declared.includes(name))
    .sort();
}
