/** The AppRole role by which KES logs in at Vault, and the SecretIDs of it. */
import { parse } from 'yaml';
import { z } from 'zod';
import type { TlsEndpoint } from '../../config/operation-inputs';
import { ExternalError } from '../lib/errors';
import { readIfExists } from '../lib/files';
import { VaultClient, VaultError } from './vault-client';
import { type FoundToken, readVaultToken } from './vault-token';
import { unwrapSecretId } from './wrapped-secret-id';
import { Secret } from '../lib/secret';

/** How Vault is reached, and by whom. */
export interface VaultLogin extends TlsEndpoint {
  readonly namespace?: string | undefined;
  /** File with the token. Absent: VAULT_TOKEN. */
  readonly tokenFile?: string | undefined;
}

/** Ranges of addresses from which a SecretID, and the token that it gives, may be used. Empty: any. */
export interface AddressBounds {
  readonly boundCidrs: readonly string[];
  readonly tokenBoundCidrs: readonly string[];
}

/** `expiration_time` is right also where the mount's maximum shortens the life; `secret_id_ttl` is not. */
const secretIdFacts = z.object({
  secret_id_accessor: z.string(),
  secret_id_ttl: z.number(),
  cidr_list: z.array(z.string()).nullable(),
  token_bound_cidrs: z.array(z.string()).nullable(),
  creation_time: z.iso.datetime({ offset: true }),
  expiration_time: z.iso.datetime({ offset: true }),
});
/** What Vault says about a SecretID; nothing secret. */
export type SecretIdFacts = z.infer<typeof secretIdFacts>;

const roleIdAnswer = z.object({ data: z.object({ role_id: z.string() }) });
const secretIdAnswer = z.object({ data: z.object({ secret_id: z.string(), secret_id_accessor: z.string() }) });
const lookupAnswer = z.object({ data: secretIdFacts });
const kesFile = z.object({
  keystore: z.object({ vault: z.object({ approle: z.object({ id: z.string(), secret: z.string() }) }) }),
});

export class AppRole {
  /** `auth/<mount>/role/<role>` */
  readonly path: string;
  private readonly vault: VaultClient;
  private readonly endpoint: VaultLogin;
  private readonly mount: string;

  /** @throws UsageError if there is no token */
  constructor(endpoint: VaultLogin, { mount, role }: { readonly mount: string; readonly role: string }) {
    this.endpoint = endpoint;
    this.vault = new VaultClient(endpoint, readVaultToken(endpoint.tokenFile).token);
    this.mount = mount;
    this.path = `auth/${mount}/role/${role}`;
  }

  /** Where a SecretID is minted. */
  get mintPath(): string {
    return `${this.path}/secret-id`;
  }

  async roleId(): Promise<string> {
    return roleIdAnswer.parse(await this.vault.read(`${this.path}/role-id`)).data.role_id;
  }

  /** @param bounds on the SecretID and not on the role, see docs/adr/0019. Default: none */
  async mint(bounds?: AddressBounds): Promise<{ readonly secretId: Secret; readonly accessor: string }> {
    const { boundCidrs = [], tokenBoundCidrs = [] } = bounds ?? {};
    const { data } = secretIdAnswer.parse(
      await this.vault.write(this.mintPath, {
        ...(boundCidrs.length === 0 ? {} : { cidr_list: boundCidrs }),
        ...(tokenBoundCidrs.length === 0 ? {} : { token_bound_cidrs: tokenBoundCidrs }),
      }),
    );
    return { secretId: new Secret(data.secret_id), accessor: data.secret_id_accessor };
  }

  /** Takes a SecretID that someone else minted out of its wrapping token, once and for all. */
  async unwrap(wrapping: FoundToken): Promise<Secret> {
    return unwrapSecretId(this.vault, wrapping, this.mintPath);
  }

  /** @returns undefined if Vault does not know the SecretID */
  async lookUp(secretId: Secret): Promise<SecretIdFacts | undefined> {
    // 204 without a body: Vault does not know it
    const answer = await this.vault.write(`${this.path}/secret-id/lookup`, { secret_id: secretId.reveal() });
    if (typeof answer !== 'object' || answer === null || !('data' in answer)) return undefined;
    return lookupAnswer.parse(answer).data;
  }

  /** @returns the accessor of a SecretID, which is no secret; undefined if Vault does not know it */
  async accessorOf(secretId: Secret): Promise<string | undefined> {
    return (await this.lookUp(secretId))?.secret_id_accessor;
  }

  /** Destroys a SecretID. One that is gone already is no error. */
  async destroy(accessor: string): Promise<void> {
    try {
      await this.vault.write(`${this.path}/secret-id-accessor/destroy`, { secret_id_accessor: accessor });
    } catch (error) {
      // builtin/credential/approle/path_role.go has no status of its own for it
      if (!(error instanceof VaultError) || !error.message.includes('failed to find accessor entry')) throw error;
    }
  }

  /**
   * Logs in as KES does, and gives the token back.
   *
   * @throws ExternalError if Vault refuses it although the SecretID is good, as it does where the role is locked
   */
  async proveLogin(roleId: string, secretId: Secret): Promise<void> {
    const anonymous = new VaultClient(this.endpoint);
    try {
      const { client } = await anonymous.logIn(this.mount, { roleId, secretId });
      await client.usedUp(() => Promise.resolve());
    } catch (error) {
      // a wrong SecretID is 400; "permission denied" does not say which of these it is
      if (!(error instanceof VaultError) || error.status !== 403) throw error;
      throw new ExternalError(
        `${error.message}: either Vault has locked the role, as it does for 15 minutes after five logins with a wrong SecretID, such as those of a KES whose own was revoked; or this machine is outside of keyStore.approle.secretId.boundCidrs or tokenBoundCidrs`,
        `if it is locked, try again then, or let the owner of Vault unlock it at once: vault write -f sys/locked-users/ACCESSOR-OF-THE-MOUNT/unlock/${roleId}; and for good: vault auth tune -user-lockout-disable=true ${this.mount}/`,
      );
    } finally {
      anonymous.close();
    }
  }

  close(): void {
    this.vault.close();
  }
}

/** What KES logs in with. */
export interface AppRoleLogin {
  readonly roleId: string;
  readonly secretId: Secret;
}

/** RoleID and SecretID in a configuration file of KES, or undefined if there are none. */
export function readKesLogin(file: string): AppRoleLogin | undefined {
  const text = readIfExists(file);
  const parsed = kesFile.safeParse(text === undefined ? undefined : parsedYaml(text));
  if (!parsed.success) return undefined;
  const { id, secret } = parsed.data.keystore.vault.approle;
  return { roleId: id, secretId: new Secret(secret) };
}

/** The value of a YAML text, or undefined: the parser's error would quote the line, and the SecretID with it. */
function parsedYaml(text: string): unknown {
  try {
    return parse(text) as unknown;
  } catch {
    return undefined;
  }
}
