import { UsageError } from '../../operations/lib/errors';
import type { ExternalVault, KeyStoreSettings } from '../environment';

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

/** An address as each Vault has only one: `https://V:443/` is `https://v`. What is no URL stays as it is. */
export function normalizedAddress(address: string): string {
  if (!URL.canParse(address)) return address;
  const { protocol, host, pathname } = new URL(address);
  return `${protocol}//${host}${pathname.replace(/\/+$/, '')}`;
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
    url: normalizedAddress(url),
    ...(namespace === undefined ? {} : { namespace }),
    ...(caFile === undefined ? {} : { caFile }),
  };
}

/**
 * Variables that would reach a Vault that they are not meant for, or switch off what protects the way to it.
 *
 * @throws UsageError with the command that goes on without them
 */
export function requireHarmlessVaultVariables(keyStore: KeyStoreSettings, env: NodeJS.ProcessEnv): void {
  if (keyStore.type !== 'vault') return;
  const names =
    keyStore.vault.mode === 'embedded'
      ? (['VAULT_NAMESPACE', 'VAULT_SKIP_VERIFY'] as const)
      : (['VAULT_SKIP_VERIFY'] as const);
  const set = names.filter((name) => env[name] !== undefined && env[name] !== '');
  const [first] = set;
  if (first === undefined) return;
  const reason =
    first === 'VAULT_NAMESPACE'
      ? 'the Vault of this environment is embedded and has no namespaces'
      : 'the certificate of Vault is always verified';
  throw new UsageError(
    `${first}: must not be set, because ${reason}, got: ${env[first] ?? ''}`,
    `unset it for this command: env ${set.map((name) => `-u ${name}`).join(' ')} …`,
  );
}
