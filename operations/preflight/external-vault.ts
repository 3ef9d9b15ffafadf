/**
 * Looks at an existing Vault before anything is deployed against it.
 */
import type { VaultAddress } from '../../config/external-vault';
import { ExternalError, messageOf, UsageError } from '../errors';
import { type SealStatus, VaultClient } from '../vault-client';

/**
 * Makes sure that a Vault answers, is initialised and unsealed, and knows the token.
 *
 * @throws UsageError without a token; ExternalError that says which of the rest is not so, and what to do
 */
export async function requireUsableVault(address: VaultAddress, token: string | undefined): Promise<void> {
  if (token === undefined || token === '') {
    throw new UsageError(
      'VAULT_TOKEN: must be set for an external Vault, got nothing',
      'set it to a token of that Vault',
    );
  }
  const vault = new VaultClient({ ...address, url: address.url }, token);
  try {
    let status: SealStatus;
    try {
      status = await vault.sealStatus();
    } catch (error) {
      throw new ExternalError(
        `Vault at ${address.url} does not answer: ${messageOf(error)}`,
        address.caFile === undefined
          ? 'check the address; for a certificate of a private CA set vault.caFile or VAULT_CACERT'
          : `check the address, and that ${address.caFile} holds the CA of its certificate`,
      );
    }
    if (!status.initialized) {
      throw new ExternalError(`Vault at ${address.url} is not initialised`, 'initialise and unseal it first');
    }
    if (status.sealed) {
      throw new ExternalError(`Vault at ${address.url} is sealed`, 'unseal it first: vault operator unseal');
    }
    const lookup = await vault.probe('GET', 'auth/token/lookup-self');
    if (lookup !== 200) {
      throw new ExternalError(
        `Vault at ${address.url} does not accept the token in VAULT_TOKEN (HTTP ${lookup})`,
        'log in again: vault login, then export VAULT_TOKEN',
      );
    }
  } finally {
    vault.close();
  }
}
