import type { EmbeddedVault, Environment, VaultDistribution, VaultEnvironment } from '../environment';

/** What an embedded Vault is, for people. */
export const DISTRIBUTION_NAMES: Readonly<Record<VaultDistribution, string>> = { vault: 'Vault', openbao: 'OpenBao' };

/** The Terraform variable by which a deploy names one of several Vaults. */
export const VAULT_ADDRESS_VARIABLE = 'vault_address';

export function isInVault(environment: Environment): environment is VaultEnvironment {
  return environment.keyStore.type === 'vault';
}

/** The Vault that runs in a container of this deployment, if it has one. */
export function embeddedVault({ keyStore }: Pick<Environment, 'keyStore'>): EmbeddedVault | undefined {
  return keyStore.type === 'vault' && keyStore.vault.mode === 'embedded' ? keyStore.vault : undefined;
}

/** What the embedded Vault of an environment is, or would be if it had one. */
export function distributionOf(environment: Pick<Environment, 'keyStore'>): VaultDistribution {
  return embeddedVault(environment)?.distribution ?? 'vault';
}
