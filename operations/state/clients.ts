import { existsSync } from 'node:fs';
import type { StateLayout } from '../../config/state/layout';

/**
 * Whether a deploy ever made clients of the S3 API. Their folder stays when the last one is gone, so that the deploy after
 * it changes nothing.
 */
export function hasClients({ secret }: Pick<StateLayout, 'secret'>): boolean {
  return existsSync(secret.clients);
}
