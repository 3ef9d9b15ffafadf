import { resolveEngine } from '../../config/docker/docker-engine';
import { requireHarmlessVaultVariables, vaultVariables } from '../../config/vault/external-vault';
import { requireSameHosts } from './notes/hosts-note';
import { requireIntactState } from './intact-state';
import { requireSameDrives } from './notes/drives-note';
import { requireSameKeyStore } from './notes/key-store-note';
import { requireSameSeal } from './notes/seal-note';
import type { LoadedEnvironment } from './load';
import { requireReachablePorts } from '../docker/engine/remote-engine';

/**
 * Everything for which an environment is neither deployed nor planned, and which is known without asking anybody.
 *
 * @throws UsageError
 */
export function requireDeployable({ environment, state }: LoadedEnvironment, env: NodeJS.ProcessEnv): void {
  requireIntactState(environment.name, state);
  if (environment.hosts === undefined) requireReachablePorts(environment, resolveEngine(environment.docker, env));
  requireSameHosts(environment, state);
  requireHarmlessVaultVariables(environment.keyStore, env);
  requireSameKeyStore(environment, vaultVariables(env), state, env);
  requireSameSeal(environment, state);
  requireSameDrives(environment, state);
}
