/** Master keys in a KV mount of Vault, reached as KES reaches them: by its AppRole. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';
import type { VaultKeyStoreSettings } from '../../../config/environment';
import { vaultVariables } from '../../../config/external-vault';
import { vaultAccess } from '../../../config/key-store';
import type { LoadedEnvironment } from '../../../config/load';
import { ExternalError, messageOf } from '../../lib/errors';
import { VaultClient, VaultError } from '../../vault/vault-client';
import { anotherKey, type KeyMaterial } from './key-material';

/** What the configuration file of KES says about its key store: it is where the SecretID is. */
const kesFile = z.object({
  keystore: z.object({
    vault: z.object({
      engine: z.string(),
      version: z.enum(['v1', 'v2']),
      prefix: z.string(),
      approle: z.object({ engine: z.string(), id: z.string(), secret: z.string() }),
    }),
  }),
});
type Settings = z.infer<typeof kesFile>['keystore']['vault'];

const login = z.object({ auth: z.object({ client_token: z.string() }) });
const answerV1 = z.object({ data: z.record(z.string(), z.string()) });
const answerV2 = z.object({ data: z.object({ data: z.record(z.string(), z.string()) }) });

export async function openVaultKeyMaterial(
  loaded: LoadedEnvironment,
  keyStore: VaultKeyStoreSettings,
  kesConfiguration: string,
): Promise<KeyMaterial> {
  const settings = readSettings(kesConfiguration, loaded.argument);
  const address = vaultAccess(keyStore, loaded.state, vaultVariables(process.env));
  const anonymous = new VaultClient(address);
  let vault: VaultClient;
  try {
    const { engine, id, secret } = settings.approle;
    const { auth } = login.parse(await anonymous.write(`auth/${engine}/login`, { role_id: id, secret_id: secret }));
    vault = anonymous.withToken(auth.client_token);
  } catch (error) {
    throw new ExternalError(
      `Vault at ${address.url} denied the login of KES: ${messageOf(error)}`,
      'see whether Vault runs and is unsealed; ./scripts/up makes a new SecretID where the old one is void',
      { cause: error },
    );
  } finally {
    anonymous.close();
  }
  return {
    read: async (key) => readKey(vault, settings, key),
    create: async (key, material) => createKey(vault, settings, key, material),
    close: async () => {
      // best effort: it is a child of nobody and ends by itself within its period
      await vault.write('auth/token/revoke-self').catch(() => undefined);
      vault.close();
    },
  };
}

function readSettings(file: string, argument: string): Settings {
  try {
    return kesFile.parse(parse(readFileSync(file, 'utf8'))).keystore.vault;
  } catch {
    // the parser's error would quote the SecretID
    throw new ExternalError(
      `${file} is not there, or does not say how KES reaches Vault`,
      `deploy first: ./scripts/up ${argument}`,
    );
  }
}

/** KES keeps a key under a field of its own name, and reads version 1 only (kes v0.24.0, vault.go). */
async function readKey(vault: VaultClient, settings: Settings, key: string): Promise<Buffer | undefined> {
  const { engine, prefix, version } = settings;
  try {
    const fields =
      version === 'v2'
        ? answerV2.parse(await vault.read(`${engine}/data/${prefix}/${key}?version=1`)).data.data
        : answerV1.parse(await vault.read(`${engine}/${prefix}/${key}`)).data;
    const value = fields[key];
    if (value === undefined) throw new ExternalError(`${engine}/${prefix}/${key} in Vault does not hold a master key`);
    return Buffer.from(value);
  } catch (error) {
    if (error instanceof VaultError && error.status === 404) return undefined;
    throw error;
  }
}

async function createKey(
  vault: VaultClient,
  settings: Settings,
  key: string,
  material: Buffer,
): Promise<'created' | 'same'> {
  const { engine, prefix, version } = settings;
  const present = await readKey(vault, settings, key);
  if (present !== undefined) {
    if (present.equals(material)) return 'same';
    throw anotherKey(key);
  }
  const field = { [key]: material.toString() };
  // the policy of KES has no `update`, and cas: 0 writes only where nothing is: no key is ever replaced
  if (version === 'v2') await vault.write(`${engine}/data/${prefix}/${key}`, { options: { cas: 0 }, data: field });
  else await vault.write(`${engine}/${prefix}/${key}`, field);
  return 'created';
}
