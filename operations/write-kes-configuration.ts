import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { type KesLogin, renderKesConfiguration, type VaultKeyStore } from '../config/kes-configuration';
import { writeKeyStoreNote } from '../config/key-store-place';
import type { OperationInput } from '../config/operation-inputs';
import { readAwsCredentials } from './aws-credentials';
import { UsageError } from './errors';
import { readIfExists, writeFileAtomically } from './files';
import { kesIdentity } from './kes-identity';
import { KEYS_BESIDE_DATA } from './preflight/key-folder';
import { VaultClient } from './vault-client';

type Input = OperationInput<'write-kes-configuration'>;
type VaultAccess = NonNullable<Input['vault']>;

const roleIdAnswer = z.object({ data: z.object({ role_id: z.string() }) });
const secretIdAnswer = z.object({ data: z.object({ secret_id: z.string() }) });
const lookupAnswer = z.object({ data: z.unknown() });
const existingFile = z.object({
  keystore: z.object({ vault: z.object({ approle: z.object({ id: z.string(), secret: z.string() }) }) }),
});

/** Writes the configuration file of KES with what KES logs in by at its key store. */
export async function writeKesConfiguration(input: Input): Promise<void> {
  const identities = Object.fromEntries(
    input.configuration.clients.map(({ name }) => [
      name,
      kesIdentity(readFileSync(path.join(input.certificateFolder, `${name}.crt`), 'utf8')),
    ]),
  );
  const configuration = renderKesConfiguration(input.configuration, { identities, login: await loginOf(input) });
  // before the file, so that keys are never made in a place that nobody knows of
  if (readIfExists(input.placeFile) === undefined) writeKeyStoreNote(input.placeFile, input.place);
  writeFileAtomically(input.file, stringify(configuration));
}

async function loginOf({ configuration, vault, awsCredentialsFile, file }: Input): Promise<KesLogin> {
  const { keyStore } = configuration;
  switch (keyStore.type) {
    case 'vault':
      if (vault === undefined) throw new Error('a key store in Vault, and nothing says how to reach it');
      return vaultLogin(vault, keyStore, file);
    case 'aws':
      return {
        type: 'aws',
        ...(awsCredentialsFile === undefined ? {} : { credentials: readAwsCredentials(awsCredentialsFile) }),
      };
    case 'filesystem':
      process.stderr.write(`${KEYS_BESIDE_DATA}\n`);
      return { type: 'filesystem' };
  }
}

/** The SecretID of the role of KES: the one that the file has, or a new one. */
async function vaultLogin(access: VaultAccess, { appRole }: VaultKeyStore, file: string): Promise<KesLogin> {
  const vault = new VaultClient(access, readToken(access));
  try {
    const base = `auth/${appRole.mount}/role/${appRole.role}`;
    const roleId = roleIdAnswer.parse(await vault.read(`${base}/role-id`)).data.role_id;
    const secretId = (await workingSecretId(vault, base, roleId, file)) ?? (await mintSecretId(vault, base));
    return { type: 'vault', roleId, secretId };
  } finally {
    vault.close();
  }
}

/** The SecretID in the present file, if it belongs to this role and Vault still knows it. */
async function workingSecretId(
  vault: VaultClient,
  base: string,
  roleId: string,
  file: string,
): Promise<string | undefined> {
  const text = readIfExists(file);
  if (text === undefined) return undefined;
  const present = existingFile.safeParse(parsedYaml(text));
  if (!present.success || present.data.keystore.vault.approle.id !== roleId) return undefined;
  const { secret } = present.data.keystore.vault.approle;
  // 204 without a body: Vault does not know it
  const answer = lookupAnswer.safeParse(await vault.write(`${base}/secret-id/lookup`, { secret_id: secret }));
  return answer.success && answer.data.data !== undefined ? secret : undefined;
}

/** The value of a YAML text, or undefined: the parser's error would quote the line, and the SecretID with it. */
function parsedYaml(text: string): unknown {
  try {
    return parse(text) as unknown;
  } catch {
    return undefined;
  }
}

async function mintSecretId(vault: VaultClient, base: string): Promise<string> {
  const answer = secretIdAnswer.parse(await vault.write(`${base}/secret-id`));
  process.stderr.write('minted a SecretID for KES\n');
  return answer.data.secret_id;
}

function readToken({ tokenFile }: VaultAccess): string {
  if (tokenFile !== undefined) return readFileSync(tokenFile, 'utf8').trim();
  const token = process.env.VAULT_TOKEN;
  if (token === undefined || token === '') {
    throw new UsageError(
      'VAULT_TOKEN: must be set for an external Vault, got nothing',
      'set it to a token of that Vault',
    );
  }
  return token;
}
