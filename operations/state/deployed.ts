import { existsSync } from 'node:fs';
import { UsageError } from '../lib/errors';
import { requireSecrets } from './intact-state';
import type { LoadedEnvironment } from './load';

/** @throws UsageError for what was never deployed */
export function requireDeployed({ environment, argument, state }: LoadedEnvironment): void {
  if (existsSync(state.deployment)) return;
  throw new UsageError(
    `environment ${environment.name} is not deployed: there is no ${state.deployment}`,
    `deploy it with: ./scripts/up ${argument}`,
  );
}

/** @throws UsageError where MinIO cannot be asked anything, because there are no credentials of it */
export function requireMinioSecrets({ environment, state, argument }: LoadedEnvironment): void {
  if (existsSync(state.secret.minioRoot)) return;
  requireSecrets(environment.name, state);
  throw new UsageError(`environment ${environment.name} is not deployed`, `deploy it with: ./scripts/up ${argument}`);
}
