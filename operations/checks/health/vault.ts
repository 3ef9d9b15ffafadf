/** Vault as the checks look at it. */
import { parse } from 'yaml';
import { z } from 'zod';
import { vaultNames } from '../../../config/deployment-names';
import type { VaultEnvironment } from '../../../config/environment';
import { vaultVariables } from '../../../config/vault/external-vault';
import { type VaultAccess, vaultAccess } from '../../../config/state/endpoints';
import { type AppRoleLogin, readKesLogin } from '../../vault/approle';
import { VaultClient } from '../../vault/vault-client';
import { readVaultToken } from '../../vault/vault-token';
import type { ServiceContext, VaultContext } from '../check';

/**
 * Why nothing that needs a token can be asked. A run that looks at a deployment with an external Vault need not have one:
 * without it, it says what it left out, and does not fail for it.
 */
export function withoutToken({ keyStore: { vault } }: VaultEnvironment): string | undefined {
  if (vault.mode === 'external' && vault.tokenFile === undefined && !process.env.VAULT_TOKEN) {
    return 'VAULT_TOKEN is not set, and without a token the external Vault says nothing';
  }
  return undefined;
}

/** Why a login as KES is refused from here. */
export function withoutLoginOfKes({ keyStore }: VaultEnvironment): string | undefined {
  const { boundCidrs, tokenBoundCidrs } = keyStore.approle.secretId;
  return boundCidrs.length + tokenBoundCidrs.length === 0
    ? undefined
    : `KES logs in from ${[...new Set([...boundCidrs, ...tokenBoundCidrs])].join(', ')} only, not from here`;
}

/** Why the Vault is not this deployment's to look into. */
export function withoutOwnVault({ keyStore: { vault } }: VaultEnvironment): string | undefined {
  return vault.mode === 'external' ? 'an external Vault is looked after by its own operators' : undefined;
}

/** How the Vault of a deployment is reached. */
export function accessOf({ loaded }: VaultContext): VaultAccess {
  return vaultAccess(loaded.environment, loaded.state, vaultVariables(process.env));
}

/** Calls `use` with Vault without a token. */
export async function withVault<T>(context: VaultContext, use: (vault: VaultClient) => Promise<T>): Promise<T> {
  const vault = new VaultClient(accessOf(context));
  try {
    return await use(vault);
  } finally {
    vault.close();
  }
}

/** Calls `use` with Vault as the one who declares the key store: the provisioner, or VAULT_TOKEN. */
export async function withProvisioner<T>(context: VaultContext, use: (vault: VaultClient) => Promise<T>): Promise<T> {
  const { token } = readVaultToken(accessOf(context).tokenFile);
  return withVault(context, async (vault) => {
    const provisioner = vault.withToken(token);
    try {
      return await use(provisioner);
    } finally {
      provisioner.close();
    }
  });
}

/** The `data` of an answer of Vault. */
export async function readData<T>(vault: VaultClient, path: string, shape: z.ZodType<T>): Promise<T> {
  return z.object({ data: shape }).parse(await vault.read(path)).data;
}

/** What KES logs in with, as the configuration file that was written for it has it. */
export function credentialsOfKes({ loaded }: Pick<ServiceContext, 'loaded'>): AppRoleLogin {
  const file = loaded.state.secret.kesConfiguration;
  const found = readKesLogin(file);
  if (found === undefined) throw new Error(`${file} holds no RoleID and SecretID`);
  return found;
}

/**
 * How the role of KES and its SecretID are made anew: a deploy writes the SecretID only for a role with another RoleID,
 * and only of a role that is new is it certain that nothing in it was changed by hand.
 */
export function newRole(context: VaultContext): string {
  const { environment } = context.loaded;
  const { tokenFile } = accessOf(context);
  const token = tokenFile === undefined ? 'VAULT_TOKEN' : `the token in ${tokenFile}`;
  return (
    `\`vault delete auth/${environment.keyStore.approle.mount}/role/${vaultNames(environment).kesRole}\` with ${token}, ` +
    `then ./scripts/up ${context.loaded.argument}: it creates role and SecretID again, and KES logs in by them`
  );
}

/** The value of a YAML text, or undefined: the parser's error would quote the line, and the SecretID with it. */
export function yamlValue(text: string): unknown {
  try {
    return parse(text) as unknown;
  } catch {
    return undefined;
  }
}
