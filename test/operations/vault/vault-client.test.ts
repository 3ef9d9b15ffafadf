import { VaultClient } from '../../../operations/vault/vault-client';
import { ThrowawayCa } from '../../helpers/certificates';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { rejectionOf } from '../../helpers/thrown';
import { TlsServer } from '../../helpers/servers/tls-server';
import { Secret } from '../../../operations/lib/secret';

describe('a client of Vault', () => {
  const folder = useTemporaryFolder();
  let server: TlsServer;
  let client: VaultClient;
  let asked: string[];
  /** What Vault answers to the revocation. */
  let status: number;

  beforeEach(async () => {
    const ca = await ThrowawayCa.create(folder(), 'ca');
    asked = [];
    status = 204;
    server = await TlsServer.start(await ca.issue('vault'), ({ url }, response) => {
      asked.push(url ?? '');
      response.writeHead(status).end();
    });
    client = new VaultClient({ url: server.url, caFile: ca.file }, new Secret('token'));
  });

  afterEach(async () => server.stop());

  test('revokes a token that is used up', async () => {
    expect(await client.usedUp(() => Promise.resolve('used'))).toBe('used');
    expect(asked).toEqual(['/v1/auth/token/revoke-self']);
  });

  test('says so where Vault does not revoke it', async () => {
    status = 500;
    expect((await rejectionOf(client.usedUp(() => Promise.resolve()))).message).toContain('auth/token/revoke-self');
  });

  test.each([204, 500])(
    'revokes it after an error, which is not hidden by what Vault answers then: %i',
    async (answer) => {
      status = answer;
      const error = await rejectionOf(client.usedUp(() => Promise.reject(new Error('the policy is gone'))));
      expect(error.message).toBe('the policy is gone');
      expect(asked).toEqual(['/v1/auth/token/revoke-self']);
    },
  );

  test.each([
    ['the active one, or a standby that sent it on', 403, true],
    ['a standby whose leader is gone', 307, false],
    ['a standby without a leader', 500, false],
    ['a sealed one', 503, false],
  ])('knows from what %s answers whether a leader is reached', async (_, answer, reached) => {
    status = answer;
    expect(await client.reachesLeader()).toBe(reached);
    expect(asked).toEqual(['/v1/auth/token/lookup-self']);
  });
});
