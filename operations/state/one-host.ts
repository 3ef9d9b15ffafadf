import type { Environment } from '../../config/environment';
import { UsageError } from '../lib/errors';

/**
 * For what is made for one host so far.
 *
 * @param what the subject of the error: `./scripts/drill`
 * @throws UsageError for an environment with several
 */
export function requireOneHost({ name, hosts }: Pick<Environment, 'name' | 'hosts'>, what: string): void {
  if (hosts === undefined) return;
  throw new UsageError(
    `${what} is for environments with one host, and ${name} has ${hosts.length}: ${hosts.map((host) => host.name).join(', ')}`,
    'docs/hosts.md says what several hosts do not have yet; nothing was changed',
  );
}
