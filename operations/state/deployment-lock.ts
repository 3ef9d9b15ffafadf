import type { StateLayout } from '../../config/state/layout';
import { removeUnfinishedFiles } from '../lib/files';
import { withLock } from '../lib/lock';

/**
 * Runs what changes a deployment, alone; see {@link withLock}. What killed commands left half-written among the secrets
 * goes first.
 */
export async function withDeploymentLock<T>(
  { lock, secrets }: Pick<StateLayout, 'lock' | 'secrets'>,
  what: string,
  action: () => Promise<T>,
): Promise<T> {
  return withLock(lock, what, () => {
    removeUnfinishedFiles(secrets);
    return action();
  });
}
