/** Master keys in a KV mount of Vault, reached as KES reaches them: by its AppRole. */
import { z } from 'zod';
import type { VaultKeyStoreSettings } from '../../../config/environment';
import { vaultVariables } from '../../../config/vault/external-vault';
import { keyLocation } from '../../../config/keys/key-store';
import { vaultAccess } from '../../../config/state/endpoints';
import type { KeyLocation } from '../../../config/vault/vault-policies';
import type { LoadedEnvironment } from '../../state/load';
import { ExternalError, messageOf } from '../../lib/errors';
import { readKesLogin } from '../../vault/approle';
import { VaultClient, VaultError } from '../../vault/vault-client';
import { anotherKey, type KeyMaterial } from './key-material';

const answerV1 = z.object({ data: z.record(z.string(), z.string()) });
const answerV2 = z.object({ data: z.object({ data: z.record(z.string(), z.string()) }) });

/** @param kesConfiguration file that says how KES logs in */
export async function openVaultKeyMaterial(
  { argument, environment, state }: LoadedEnvironment,
  keyStore: VaultKeyStoreSettings,
  kesConfiguration: string,
): Promise<KeyMaterial> {
  const login = readKesLogin(kesConfiguration);
  if (login === undefined) {
    throw new ExternalError(
      `${kesConfiguration} is not there, or does not say how KES logs in at Vault`,
      `deploy first: ./scripts/up ${argument}`,
    );
  }
  const keys = keyLocation(keyStore);
  const { boundCidrs } = keyStore.approle.secretId;
  const access = vaultAccess({ ...environment, keyStore }, state, vaultVariables(process.env));
  const anonymous = new VaultClient(access);
  let vault: VaultClient;
  try {
    vault = (await anonymous.logIn(keyStore.approle.mount, login)).client;
  } catch (error) {
    throw new ExternalError(
      `Vault at ${access.url} denied the login of KES: ${messageOf(error)}`,
      `see whether Vault runs and is unsealed; ./scripts/up makes a new SecretID where the old one is void${
        boundCidrs.length === 0
          ? ''
          : `. boundCidrs allows ${boundCidrs.join(', ')}: this machine must be among them, because it logs in as KES does`
      }`,
      { cause: error },
    );
  } finally {
    anonymous.close();
  }
  return {
    read: async (key) => readKey(vault, keys, key),
    create: async (key, material) => createKey(vault, keys, key, material),
    close: async () => {
      // best effort: it has no parent and ends by itself within its period
      await vault.write('auth/token/revoke-self').catch(() => undefined);
      vault.close();
    },
  };
}

/** KES keeps a key under a field of its own name, and reads version 1 only (kes v0.24.0, vault.go). */
async function readKey(vault: VaultClient, keys: KeyLocation, key: string): Promise<Buffer | undefined> {
  const { mount, prefix, kvVersion } = keys;
  try {
    const fields =
      kvVersion === 2
        ? answerV2.parse(await vault.read(`${mount}/data/${prefix}/${key}?version=1`)).data.data
        : answerV1.parse(await vault.read(`${mount}/${prefix}/${key}`)).data;
    const value = fields[key];
    if (value === undefined) throw new ExternalError(`${mount}/${prefix}/${key} in Vault does not hold a master key`);
    return Buffer.from(value);
  } catch (error) {
    if (error instanceof VaultError && error.status === 404) return undefined;
    throw error;
  }
}

async function createKey(
  vault: VaultClient,
  keys: KeyLocation,
  key: string,
  material: Buffer,
): Promise<'created' | 'same'> {
  const { mount, prefix, kvVersion } = keys;
  const present = await readKey(vault, keys, key);
  if (present !== undefined) {
    if (present.equals(material)) return 'same';
    throw anotherKey(key);
  }
  const field = { [key]: material.toString() };
  // the policy of KES has no `update`, and cas: 0 writes only where nothing is: no key is ever replaced
  if (kvVersion === 2) await vault.write(`${mount}/data/${prefix}/${key}`, { options: { cas: 0 }, data: field });
  else await vault.write(`${mount}/${prefix}/${key}`, field);
  return 'created';
}
