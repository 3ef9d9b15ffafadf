import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { renderKesConfiguration } from '../config/kes-configuration';
import type { OperationInput } from '../config/operation-inputs';
import { UsageError } from './errors';
import { readIfExists, writeFileAtomically } from './files';
import { kesIdentity } from './kes-identity';
import { VaultClient } from './vault-client';

type Input = OperationInput<'write-kes-configuration'>;

const roleIdAnswer = z.object({ data: z.object({ role_id: z.string() }) });
const secretIdAnswer = z.object({ data: z.object({ secret_id: z.string() }) });
const lookupAnswer = z.object({ data: z.unknown() });
const existingFile = z.object({
  keystore: z.object({ vault: z.object({ approle: z.object({ id: z.string(), secret: z.string() }) }) }),
});

/** Writes the configuration file of KES with the SecretID of its role: the one that it has, or a new one. */
export async function writeKesConfiguration(input: Input): Promise<void> {
  const vault = new VaultClient(input.vault, readToken(input));
  const { mount, role } = input.configuration.keyStore.appRole;
  const base = `auth/${mount}/role/${role}`;
  const roleId = roleIdAnswer.parse(await vault.read(`${base}/role-id`)).data.role_id;
  const identities = Object.fromEntries(
    input.configuration.clients.map(({ name }) => [
      name,
      kesIdentity(readFileSync(path.join(input.certificateFolder, `${name}.crt`), 'utf8')),
    ]),
  );
  const secretId = (await workingSecretId(vault, base, roleId, input.file)) ?? (await mintSecretId(vault, base));
  const configuration = renderKesConfiguration(input.configuration, { identities, roleId, secretId });
  writeFileAtomically(input.file, stringify(configuration));
  vault.close();
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

function readToken(input: Input): string {
  const { tokenFile } = input.vault;
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
