/** Why a master key does not open, as far as Vault says it to whoever may look at a key and not read it, and what to do. */
import { z } from 'zod';
import type { Environment } from '../../config/environment';
import { vaultVariables } from '../../config/vault/external-vault';
import { vaultAccess } from '../../config/state/endpoints';
import type { StateLayout } from '../../config/state/layout';
import type { KesError } from '../kes/kes-client';
import { VaultClient, VaultError } from '../vault/vault-client';
import { readTokenFrom } from '../vault/vault-token';

export type KeyInVault =
  | { readonly kind: 'missing' | 'no mount' }
  /** Vault itself does not answer, or cannot: it is away, sealed, or unsealed a moment ago and not active yet. */
  | { readonly kind: 'no answer' }
  /** `destroyed`: what is left of it holds no key, and keeps one from being written. `remove`: the command that takes it away. */
  | { readonly kind: 'there' | 'destroyed'; readonly remove: string }
  /** Vault keeps a deleted version until it is destroyed. */
  | { readonly kind: 'deleted'; readonly at: string; readonly undelete: string };

const metadata = z.object({
  data: z.object({ versions: z.record(z.string(), z.object({ deletion_time: z.string(), destroyed: z.boolean() })) }),
});

/** @returns undefined if Vault does not say: it refuses the token, or KV version 1 has nothing to tell */
export async function keyInVault(
  environment: Environment,
  state: StateLayout,
  key: string,
): Promise<KeyInVault | undefined> {
  const { keyStore } = environment;
  if (keyStore.type !== 'vault') return undefined;
  const { mount, prefix, kvVersion } = keyStore;
  if (kvVersion === 1) return undefined;
  let vault: VaultClient | undefined;
  try {
    const access = vaultAccess({ ...environment, keyStore }, state, vaultVariables(process.env));
    vault = new VaultClient(access, readTokenFrom('VAULT_TOKEN', access.tokenFile)?.token);
    const { versions } = metadata.parse(await vault.read(`${mount}/metadata/${prefix}/${key}`)).data;
    // KES reads this version and no other (minio/kes v0.24.0, internal/keystore/vault/vault.go)
    const version = versions['1'];
    const remove = `vault kv metadata delete -mount=${mount} ${prefix}/${key}`;
    if (version === undefined || version.destroyed) return { kind: 'destroyed', remove };
    const { deletion_time: at } = version;
    if (at === '' || Date.parse(at) > Date.now()) return { kind: 'there', remove };
    return { kind: 'deleted', at, undelete: `vault kv undelete -mount=${mount} -versions=1 ${prefix}/${key}` };
  } catch (error) {
    if (!(error instanceof VaultError) || error.status >= 500) return { kind: 'no answer' };
    if (error.status !== 404) return undefined;
    return { kind: error.message.includes('no handler for route') ? 'no mount' : 'missing' };
  } finally {
    vault?.close();
  }
}

/** A key that KES should open and does not, and what to do about it. */
export interface Problem {
  readonly said: string;
  readonly hint: string;
  /** Vault has the key, and KES cannot read it. */
  readonly notLetIn?: true;
}

/** @param born how the key is called */
export function missing(born: string, seen: KeyInVault | undefined, restore: string): Problem {
  switch (seen?.kind) {
    case 'no mount':
      return { said: `${born} is missing in the key store, and so is its whole mount`, hint: restored(restore) };
    case 'destroyed':
      return {
        said: `${born} is missing in the key store: the version that KES reads was destroyed`,
        hint: `what is left of it keeps a key from being written: ${seen.remove}; then ${restored(restore)}`,
      };
    case 'deleted':
      return deleted(born, seen);
    case 'there':
    case 'missing':
    case 'no answer':
    case undefined:
      return { said: `${born} is missing in the key store`, hint: restored(restore) };
  }
}

/** @param born how the key is called */
export function unreadable(born: string, error: KesError, seen: KeyInVault | undefined, restore: string): Problem {
  switch (seen?.kind) {
    case 'deleted':
      return deleted(born, seen);
    case 'there':
      return {
        said: `${born} cannot be read from the key store, although Vault has it: KES has lost its login, or the key is damaged (${error.message})`,
        hint: `if the token of KES was revoked, ./scripts/up has it log in again, and ./scripts/rotate secret-id gives it another login; if it is damaged, take it away (${seen.remove}), and ${restored(restore)}`,
        notLetIn: true,
      };
    case 'missing':
    case 'destroyed':
    case 'no mount':
      return missing(born, seen, restore);
    case 'no answer':
    case undefined:
      return {
        said: `${born} cannot be read from the key store (${error.message})`,
        hint: `see whether Vault answers and is unsealed. If it was deleted in KV v2: vault kv undelete -versions=1; if it is lost, ${restored(restore)}`,
      };
  }
}

/** @param born how the key is called */
export function replaced(born: string, seen: KeyInVault | undefined, restore: string): Problem {
  const how = seen?.kind === 'there' ? ` (${seen.remove})` : '';
  return {
    said: `${born} was replaced by another: it does not open its canary`,
    hint: `put the old key back under its name. A restore writes over no key: keep the other one if anything was written under it since, and take it away${how}; then ${restored(restore)}`,
  };
}

/**
 * The key may well be the right one.
 *
 * @param born how the key is called
 */
export function unproven(born: string): Problem {
  return {
    said: `${born} cannot be proven: its canary in keys.json is damaged, which says nothing about the key`,
    hint: 'put keys.json back from a copy of the state folder; every backup holds it, too, as state/keys.json',
  };
}

/** @param born how the key is called */
export function deleted(born: string, { at, undelete }: Extract<KeyInVault, { kind: 'deleted' }>): Problem {
  return {
    said: `${born} cannot be read from the key store: it was deleted on ${at}, and Vault keeps it`,
    hint: `bring it back: ${undelete}`,
  };
}

function restored(restore: string): string {
  return `a backup brings it back: ${restore}`;
}
