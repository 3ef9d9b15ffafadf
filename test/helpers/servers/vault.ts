import type { EmbeddedVault, Environment, VaultEnvironment } from '../../../config/environment';
import { embeddedVault, isInVault } from '../../../config/vault/vault';

/** An environment of which a test knows that its master keys are in Vault. */
export function inVault(environment: Environment): VaultEnvironment {
  if (!isInVault(environment))
    throw new Error(`environment ${environment.name} does not keep its master keys in Vault`);
  return environment;
}

/** The Vault of an environment of which a test knows that it has its own. */
export function ownVault(environment: Environment): EmbeddedVault {
  const vault = embeddedVault(environment);
  if (vault === undefined) throw new Error(`environment ${environment.name} has no Vault of its own`);
  return vault;
}
