/** The part of Vault's HTTP API that the operations use. */
import { z } from 'zod';
import type { TlsEndpoint } from '../../config/operation-inputs';
import { ExternalError } from '../lib/errors';
import { HttpClient, type HttpRequest, type HttpResponse } from '../lib/net/http';
import { Secret } from '../lib/secret';
import { NotYet, waitFor } from '../lib/wait';
import type { ShareKind } from '../state/notes/seal-note';

/** A node has joined the others within some seconds. */
const OPENING_LIMIT_MS = 60_000;

const sealStatus = z.object({
  /** `shamir`: unseal shares open it. */
  type: z.string().default('shamir'),
  /** Whether it waits for shares to go to the seal that is declared, or to leave it. */
  migration: z.boolean().default(false),
  initialized: z.boolean(),
  sealed: z.boolean(),
  t: z.number(),
  n: z.number(),
  progress: z.number(),
});
export type SealStatus = z.infer<typeof sealStatus>;

const edition = z.object({ enterprise: z.boolean().optional() });
const initialization = z.object({
  keys: z.array(z.string()),
  recovery_keys: z.array(z.string()).default([]),
  root_token: z.string(),
});
const appRoleLogin = z.object({ auth: z.object({ client_token: z.string(), token_policies: z.array(z.string()) }) });
const errorBody = z.object({ errors: z.array(z.string()) });
const generateRoot = z.object({ nonce: z.string(), otp: z.string().optional(), encoded_token: z.string().optional() });

const rekeyStatus = z.object({
  started: z.boolean(),
  nonce: z.string(),
  required: z.number(),
  verification_nonce: z.string().optional(),
});
const rekeyed = z.object({ keys: z.array(z.string()), verification_nonce: z.string() });

/** Where shares of each kind are replaced. */
const REKEY = { unseal: 'sys/rekey', recovery: 'sys/rekey-recovery-key' } as const;

/** Shares that Vault made and that open nothing yet. */
export interface PendingShares {
  readonly shares: Secret[];
  /** Goes with the shares that confirm them. */
  readonly nonce: string;
}

/** Vault refused or failed. */
export class VaultError extends ExternalError {
  readonly status: number;

  constructor(request: HttpRequest, response: HttpResponse, host: string) {
    super(`Vault at ${host}: ${request.method} ${request.path}: ${errorText(response)} (HTTP ${response.status})`);
    this.status = response.status;
  }
}

const WRONG_SHARES = /failed to (?:read|compute) root key/;

/** The unseal shares that were given are not those of this Vault. */
export class WrongSharesError extends ExternalError {}

/** One Vault server, with or without a token, which travels in a header. */
export class VaultClient {
  private readonly http: HttpClient;
  private readonly endpoint: TlsEndpoint & { readonly namespace?: string | undefined };
  private readonly token: Secret | undefined;

  constructor(endpoint: TlsEndpoint & { readonly namespace?: string | undefined }, token?: Secret) {
    this.endpoint = endpoint;
    this.token = token;
    this.http = new HttpClient(endpoint);
  }

  /** The same server with a token. */
  withToken(token: Secret): VaultClient {
    return new VaultClient(this.endpoint, token);
  }

  /**
   * The same server with a token of an AppRole, which the caller gives back: {@link usedUp}.
   *
   * @param mount of the AppRole backend
   */
  async logIn(
    mount: string,
    { roleId, secretId }: { readonly roleId: string; readonly secretId: Secret },
  ): Promise<{ readonly client: VaultClient; readonly policies: readonly string[] }> {
    const answer = await this.write(`auth/${mount}/login`, { role_id: roleId, secret_id: secretId.reveal() });
    const { client_token: token, token_policies: policies } = appRoleLogin.parse(answer).auth;
    return { client: this.withToken(new Secret(token)), policies };
  }

  /** @param timeoutMs default: that of {@link HttpRequest.timeoutMs} */
  async sealStatus(timeoutMs?: number): Promise<SealStatus> {
    const limit = timeoutMs === undefined ? {} : { timeoutMs };
    return sealStatus.parse(await this.call({ method: 'GET', path: '/v1/sys/seal-status', ...limit }));
  }

  /** Whether this node answers requests: 200 of `sys/health`, unsealed and active. */
  async health(): Promise<number> {
    return (await this.http.send({ method: 'GET', path: '/v1/sys/health' })).status;
  }

  /**
   * Whether this node is the active one, or a standby that reaches it. What a standby says in `sys/leader` may be the one of
   * before it was stopped. It sends on what is asked without a token, and that is refused by the active node alone.
   */
  async reachesLeader(): Promise<boolean> {
    const { status } = await this.http.send({ method: 'GET', path: '/v1/auth/token/lookup-self' });
    return status === 400 || status === 403;
  }

  /** Undefined for a version that does not say. */
  async isEnterprise(): Promise<boolean | undefined> {
    return edition.parse(JSON.parse((await this.http.send({ method: 'GET', path: '/v1/sys/health' })).text)).enterprise;
  }

  /**
   * @param kind recovery shares where a seal opens it
   * @returns shares (hex) and the root token
   */
  async initialize(
    shares: number,
    threshold: number,
    kind: ShareKind = 'unseal',
  ): Promise<{ shares: Secret[]; rootToken: Secret }> {
    const result = initialization.parse(
      await this.call({
        method: 'POST',
        path: '/v1/sys/init',
        json:
          kind === 'unseal'
            ? { secret_shares: shares, secret_threshold: threshold }
            : { recovery_shares: shares, recovery_threshold: threshold },
        timeoutMs: 60_000,
      }),
    );
    const made = kind === 'unseal' ? result.keys : result.recovery_keys;
    return { shares: made.map((key) => new Secret(key)), rootToken: new Secret(result.root_token) };
  }

  /**
   * Gives one share. Where it was the last one that was needed, Vault is unsealed afterwards.
   *
   * A node that joins others opens itself a moment later. Shares that it is given again meanwhile open it twice, and it then
   * misses that it has lost the lead: no node is active any more (vault 1.21.1, vault/core.go, unsealWithRaft).
   *
   * @param migrate to the seal that is declared, or from it; Vault refuses the share without, where it waits for that
   * @throws ExternalError if Vault has all shares and is sealed a minute later
   */
  async unseal(share: Secret, migrate = false): Promise<SealStatus> {
    const json = { key: share.reveal(), ...(migrate ? { migrate } : {}) };
    const status = sealStatus.parse(await this.call({ method: 'POST', path: '/v1/sys/unseal', json }));
    if (!status.sealed || status.progress > 0) return status;
    return waitFor(
      {
        what: 'Vault, which has all unseal shares that it needs, to open itself',
        timeoutMs: OPENING_LIMIT_MS,
        hint: 'see its log: `docker logs`',
      },
      async () => {
        const now = await this.sealStatus();
        return now.sealed ? new NotYet('it is sealed') : now;
      },
    );
  }

  /** Has Vault forget the shares that it was given while they were too few. */
  async forgetUnsealProgress(): Promise<void> {
    await this.write('sys/unseal', { reset: true });
  }

  /**
   * Writes and returns the whole of the answer as it is. Vault takes POST and PUT for the same; HttpClient never sends a
   * POST twice, and what mints, wraps or unwraps must not happen twice.
   *
   * @param options `wrapTtl`: life of a wrapping token that is answered instead
   */
  async write(path: string, json: unknown = {}, options: { readonly wrapTtl?: string } = {}): Promise<unknown> {
    const headers = options.wrapTtl === undefined ? {} : { 'x-vault-wrap-ttl': options.wrapTtl };
    return this.call({ method: 'POST', path: `/v1/${path}`, json, headers });
  }

  async read(path: string): Promise<unknown> {
    return this.call({ method: 'GET', path: `/v1/${path}` });
  }

  /** The status of a request that may well be refused. */
  async probe(method: HttpRequest['method'], path: string, json?: unknown): Promise<number> {
    return (await this.send({ method, path: `/v1/${path}`, ...(json === undefined ? {} : { json }) })).status;
  }

  /**
   * Makes a new root token with the unseal shares (`sys/generate-root`): the way back in when every other token is
   * gone. The caller revokes it.
   */
  async generateRootToken(shares: readonly Secret[]): Promise<Secret> {
    await this.call({ method: 'DELETE', path: '/v1/sys/generate-root/attempt' });
    const attempt = generateRoot.parse(await this.write('sys/generate-root/attempt'));
    if (attempt.otp === undefined) throw new Error('Vault started sys/generate-root without a one-time password');
    for (const share of shares) {
      const update = { key: share.reveal(), nonce: attempt.nonce };
      const progress = generateRoot.parse(await this.write('sys/generate-root/update', update));
      if (progress.encoded_token !== undefined && progress.encoded_token !== '') {
        const encoded = Buffer.from(progress.encoded_token, 'base64');
        const otp = Buffer.from(attempt.otp);
        return new Secret(Buffer.from(encoded.map((byte, index) => byte ^ (otp[index] ?? 0))).toString('utf8'));
      }
    }
    throw new ExternalError('too few unseal shares to make a root token', 'provide more shares');
  }

  /** How many shares a rekeying needs, and whether one is under way. */
  async rekeyStatus(kind: ShareKind = 'unseal'): Promise<z.infer<typeof rekeyStatus>> {
    return rekeyStatus.parse(await this.read(`${REKEY[kind]}/init`));
  }

  /** Ends a rekeying that is under way, whoever began it; the shares in force stay in force. */
  async cancelRekey(kind: ShareKind = 'unseal'): Promise<void> {
    const { started, nonce } = await this.rekeyStatus(kind);
    // within ten minutes of its beginning only whoever knows its nonce can (vault/rekey.go, RekeyCancel)
    if (started) await this.call({ method: 'DELETE', path: `/v1/${REKEY[kind]}/init`, json: { nonce } });
  }

  /**
   * Has Vault make other shares, which open nothing before {@link confirmRekey}.
   *
   * @param present enough of those in force
   * @throws WrongSharesError if they are not those in force
   */
  async rekey(
    present: readonly Secret[],
    shares: number,
    threshold: number,
    kind: ShareKind = 'unseal',
  ): Promise<PendingShares> {
    await this.cancelRekey(kind);
    const { nonce, required } = rekeyStatus.parse(
      await this.write(`${REKEY[kind]}/init`, {
        secret_shares: shares,
        secret_threshold: threshold,
        require_verification: true,
      }),
    );
    try {
      for (const share of present.slice(0, required)) {
        const answer = rekeyed.safeParse(await this.write(`${REKEY[kind]}/update`, { key: share.reveal(), nonce }));
        if (!answer.success) continue;
        const { keys, verification_nonce: verification } = answer.data;
        return { shares: keys.map((key) => new Secret(key)), nonce: verification };
      }
    } catch (error) {
      await this.cancelRekey(kind);
      // a status of its own have only shares that are none at all (vault/rekey.go, BarrierRekeyUpdate)
      const refused = error instanceof VaultError && (error.status === 400 || WRONG_SHARES.test(error.message));
      throw refused ? new WrongSharesError(error.message) : error;
    }
    await this.cancelRekey(kind);
    throw new ExternalError(
      `Vault needs ${required} ${kind} shares to make others, got ${present.length}`,
      'put the others into the secrets folder, too; nothing was changed',
    );
  }

  /** Puts shares of {@link rekey} into force. @returns false if they were too few */
  async confirmRekey(shares: readonly Secret[], nonce: string, kind: ShareKind = 'unseal'): Promise<boolean> {
    for (const share of shares) {
      const { complete } = z
        .object({ complete: z.boolean().optional() })
        .parse(await this.write(`${REKEY[kind]}/verify`, { key: share.reveal(), nonce }));
      if (complete === true) return true;
    }
    return false;
  }

  close(): void {
    this.http.close();
  }

  /**
   * Lets `use` have this client, then revokes its token and closes it. What `use` throws is what is thrown, whether or not
   * Vault revokes the token then.
   */
  async usedUp<T>(use: (client: this) => Promise<T>): Promise<T> {
    try {
      const result = await use(this).catch(async (error: unknown) => {
        await this.write('auth/token/revoke-self').catch(() => undefined);
        throw error;
      });
      await this.write('auth/token/revoke-self');
      return result;
    } finally {
      this.close();
    }
  }

  private async call(request: HttpRequest): Promise<unknown> {
    const response = await this.send(request);
    if (response.status < 200 || response.status > 299) {
      throw new VaultError(request, response, new URL(this.endpoint.url).host);
    }
    return response.text === '' ? {} : (JSON.parse(response.text) as unknown);
  }

  private async send(request: HttpRequest): Promise<HttpResponse> {
    return this.http.send({
      ...request,
      headers: {
        ...request.headers,
        'x-vault-request': 'true',
        ...(this.token === undefined ? {} : { 'x-vault-token': this.token.reveal() }),
        ...(this.endpoint.namespace === undefined ? {} : { 'x-vault-namespace': this.endpoint.namespace }),
      },
    });
  }
}

function errorText(response: HttpResponse): string {
  try {
    return errorBody.parse(JSON.parse(response.text)).errors.join('; ') || 'no reason given';
  } catch {
    return response.text.slice(0, 200);
  }
}
