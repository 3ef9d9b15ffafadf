import { resolveEngine } from './docker-engine';
import { requireHarmlessVaultVariables, vaultVariables } from './external-vault';
import { requireIntactState } from './intact-state';
import { requireSameKeyStore } from './key-store-place';
import type { LoadedEnvironment } from './load';
import { requireReachablePorts } from './remote-engine';

/**
 * Everything for which an environment is neither deployed nor planned, and which is known without asking anybody.
 *
 * @throws UsageError
 */
export function requireDeployable({ environment, state }: LoadedEnvironment, env: NodeJS.ProcessEnv): void {
  requireIntactState(environment.name, state);
  requireReachablePorts(environment, resolveEngine(environment.docker, env));
  requireHarmlessVaultVariables(environment.vault.mode, env);
  requireSameKeyStore(environment, vaultVariables(env), state, env);
}
