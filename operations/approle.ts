/** The AppRole role by which KES logs in at Vault, and the SecretIDs of it. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';
import type { TlsEndpoint } from '../config/operation-inputs';
import { UsageError } from './errors';
import { readIfExists } from './files';
import { VaultClient, VaultError } from './vault-client';

/** How Vault is reached, and by whom. */
export interface VaultLogin extends TlsEndpoint {
  readonly namespace?: string | undefined;
  /** File with the token. Absent: VAULT_TOKEN. */
  readonly tokenFile?: string | undefined;
}

const roleIdAnswer = z.object({ data: z.object({ role_id: z.string() }) });
const secretIdAnswer = z.object({ data: z.object({ secret_id: z.string(), secret_id_accessor: z.string() }) });
const lookupAnswer = z.object({ data: z.object({ secret_id_accessor: z.string() }) });
const loginAnswer = z.object({ auth: z.object({ client_token: z.string() }) });
const kesFile = z.object({
  keystore: z.object({ vault: z.object({ approle: z.object({ id: z.string(), secret: z.string() }) }) }),
});

export class AppRole {
  private readonly vault: VaultClient;
  private readonly endpoint: VaultLogin;
  private readonly mount: string;
  private readonly base: string;

  /** @throws UsageError if nobody gives a token */
  constructor(endpoint: VaultLogin, { mount, role }: { readonly mount: string; readonly role: string }) {
    this.endpoint = endpoint;
    this.vault = new VaultClient(endpoint, readToken(endpoint));
    this.mount = mount;
    this.base = `auth/${mount}/role/${role}`;
  }

  async roleId(): Promise<string> {
    return roleIdAnswer.parse(await this.vault.read(`${this.base}/role-id`)).data.role_id;
  }

  async mint(): Promise<{ readonly secretId: string; readonly accessor: string }> {
    const { data } = secretIdAnswer.parse(await this.vault.write(`${this.base}/secret-id`));
    return { secretId: data.secret_id, accessor: data.secret_id_accessor };
  }

  /** @returns the accessor of a SecretID, which is no secret; undefined if Vault does not know it */
  async accessorOf(secretId: string): Promise<string | undefined> {
    // 204 without a body: Vault does not know it
    const answer = lookupAnswer.safeParse(
      await this.vault.write(`${this.base}/secret-id/lookup`, { secret_id: secretId }),
    );
    return answer.success ? answer.data.data.secret_id_accessor : undefined;
  }

  /** Destroys a SecretID. One that is gone already is no error. */
  async destroy(accessor: string): Promise<void> {
    try {
      await this.vault.write(`${this.base}/secret-id-accessor/destroy`, { secret_id_accessor: accessor });
    } catch (error) {
      // builtin/credential/approle/path_role.go has no status of its own for it
      if (!(error instanceof VaultError) || !error.message.includes('failed to find accessor entry')) throw error;
    }
  }

  /** Logs in as KES does, and gives the token back. */
  async proveLogin(roleId: string, secretId: string): Promise<void> {
    const anonymous = new VaultClient(this.endpoint);
    try {
      const { auth } = loginAnswer.parse(
        await anonymous.write(`auth/${this.mount}/login`, { role_id: roleId, secret_id: secretId }),
      );
      const client = anonymous.withToken(auth.client_token);
      await client.write('auth/token/revoke-self');
      client.close();
    } finally {
      anonymous.close();
    }
  }

  close(): void {
    this.vault.close();
  }
}

/** RoleID and SecretID in a configuration file of KES, or undefined if there are none. */
export function readKesLogin(file: string): { readonly roleId: string; readonly secretId: string } | undefined {
  const text = readIfExists(file);
  const parsed = kesFile.safeParse(text === undefined ? undefined : parsedYaml(text));
  if (!parsed.success) return undefined;
  const { id, secret } = parsed.data.keystore.vault.approle;
  return { roleId: id, secretId: secret };
}

/** The value of a YAML text, or undefined: the parser's error would quote the line, and the SecretID with it. */
function parsedYaml(text: string): unknown {
  try {
    return parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function readToken({ tokenFile }: VaultLogin): string {
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
