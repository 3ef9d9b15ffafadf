import { TlsServer, type TlsServerOptions } from './tls-server';

/**
 * A fake of Vault as far as one AppRole role goes: its SecretIDs in memory, the paths, status codes and messages of Vault
 * 1.21.1 (builtin/credential/approle). It knows no policies and no time; test/e2e has the real one.
 */
export class FakeAppRole {
  readonly url: string;
  /** SecretIDs, each with the ranges that it is bound to. The accessor is `of-<SecretID>`. */
  readonly known: Map<string, readonly string[]>;
  private readonly server: TlsServer;
  private minted = 0;

  private constructor(server: TlsServer, known: Map<string, readonly string[]>) {
    this.server = server;
    this.url = server.url;
    this.known = known;
  }

  /**
   * @param role its name; the backend is mounted at `approle`
   * @param present a SecretID that is bound to no range
   */
  static async start(options: TlsServerOptions, role: string, present: string): Promise<FakeAppRole> {
    const server = await TlsServer.start(options, (request, response, body) => {
      const given = (body === '' ? {} : JSON.parse(body)) as Record<string, unknown>;
      const path = (request.url ?? '').replace(`/role/${role}/`, '/role/NAME/');
      const { status, json } = fake.answer(`${request.method ?? ''} ${path}`, given);
      response.writeHead(status).end(json === undefined ? undefined : JSON.stringify(json));
    });
    const fake = new FakeAppRole(server, new Map([[present, []]]));
    return fake;
  }

  stop(): Promise<void> {
    return this.server.stop();
  }

  private answer(
    request: string,
    given: Record<string, unknown>,
  ): { readonly status: number; readonly json?: unknown } {
    const secret = given.secret_id as string;
    switch (request) {
      case 'GET /v1/auth/approle/role/NAME/role-id':
        return { status: 200, json: { data: { role_id: 'the-role' } } };
      case 'POST /v1/auth/approle/role/NAME/secret-id': {
        const minted = `minted-${++this.minted}`;
        this.known.set(minted, (given.cidr_list as string[] | undefined) ?? []);
        return { status: 200, json: { data: { secret_id: minted, secret_id_accessor: `of-${minted}` } } };
      }
      case 'POST /v1/auth/approle/role/NAME/secret-id/lookup': {
        const ranges = this.known.get(secret);
        return ranges === undefined ? { status: 204 } : { status: 200, json: { data: factsOf(secret, ranges) } };
      }
      case 'POST /v1/auth/approle/role/NAME/secret-id-accessor/destroy':
        this.known.delete((given.secret_id_accessor as string).replace('of-', ''));
        return { status: 204 };
      case 'POST /v1/auth/approle/login':
        return this.known.has(secret)
          ? { status: 200, json: { auth: { client_token: 'a-token', token_policies: [] } } }
          : { status: 400, json: { errors: ['invalid role or secret ID'] } };
      case 'POST /v1/auth/token/revoke-self':
        return { status: 204 };
      default:
        return { status: 404, json: { errors: [] } };
    }
  }
}

function factsOf(secret: string, ranges: readonly string[]): Record<string, unknown> {
  return {
    secret_id_accessor: `of-${secret}`,
    secret_id_ttl: 0,
    cidr_list: ranges,
    token_bound_cidrs: null,
    creation_time: '2026-01-01T00:00:00Z',
    expiration_time: '0001-01-01T00:00:00Z',
  };
}
