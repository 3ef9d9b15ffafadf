import type { EmbeddedVault, Environment, VaultEnvironment } from '../environment';

/** The Terraform variable by which a deploy names one of several Vaults. */
export const VAULT_ADDRESS_VARIABLE = 'vault_address';

export function isInVault(environment: Environment): environment is VaultEnvironment {
  return environment.keyStore.type === 'vault';
}

/** The Vault that runs in a container of this deployment, if it has one. */
export function embeddedVault({ keyStore }: Pick<Environment, 'keyStore'>): EmbeddedVault | undefined {
  return keyStore.type === 'vault' && keyStore.vault.mode === 'embedded' ? keyStore.vault : undefined;
}
