import { UsageError } from '../operations/errors';
import type { ExternalVault } from './environment';

/** The variables that every Vault client knows. The token is not among them: it never reaches a stack. */
export interface VaultVariables {
  readonly address?: string;
  readonly namespace?: string;
  readonly caFile?: string;
}

/** How an existing Vault is reached. */
export interface VaultAddress {
  readonly url: string;
  readonly namespace?: string;
  /** CA certificates, PEM. Absent: the system's. */
  readonly caFile?: string;
}

/** `VAULT_ADDR`, `VAULT_NAMESPACE` and `VAULT_CACERT`; one that is empty counts as not set. */
export function vaultVariables(env: NodeJS.ProcessEnv): VaultVariables {
  const { VAULT_ADDR, VAULT_NAMESPACE, VAULT_CACERT } = env;
  return {
    ...(VAULT_ADDR ? { address: VAULT_ADDR } : {}),
    ...(VAULT_NAMESPACE ? { namespace: VAULT_NAMESPACE } : {}),
    ...(VAULT_CACERT ? { caFile: VAULT_CACERT } : {}),
  };
}

/**
 * The address of an external Vault: the environment file wins over the variables.
 *
 * @throws UsageError if neither says where it is, or if it would be spoken to in the clear
 */
export function externalVaultAddress(vault: ExternalVault, variables: VaultVariables): VaultAddress {
  const url = vault.address ?? variables.address;
  if (url === undefined) {
    throw new UsageError(
      'vault.address: must be given for an external Vault, got nothing',
      'write it into the environment file, or set VAULT_ADDR',
    );
  }
  if (!url.startsWith('https://')) {
    throw new UsageError(`VAULT_ADDR: must be an https:// address, got: ${url}`, 'put TLS before Vault');
  }
  const namespace = vault.namespace ?? variables.namespace;
  const caFile = vault.caFile ?? variables.caFile;
  return {
    url,
    ...(namespace === undefined ? {} : { namespace }),
    ...(caFile === undefined ? {} : { caFile }),
  };
}
