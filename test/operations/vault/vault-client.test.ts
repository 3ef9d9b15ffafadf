import { VaultClient } from '../../../operations/vault/vault-client';
import { ThrowawayCa } from '../../helpers/certificates';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { rejectionOf } from '../../helpers/thrown';
import { TlsServer } from '../../helpers/servers/tls-server';
import { Secret } from '../../../operations/lib/secret';

describe('a token that is used up', () => {
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

  test('is revoked after its use', async () => {
    expect(await client.usedUp(() => Promise.resolve('used'))).toBe('used');
    expect(asked).toEqual(['/v1/auth/token/revoke-self']);
  });

  test('that Vault does not revoke is an error', async () => {
    status = 500;
    expect((await rejectionOf(client.usedUp(() => Promise.resolve()))).message).toContain('auth/token/revoke-self');
  });

  test.each([204, 500])(
    'is revoked after an error, which is not hidden by what Vault answers then: %i',
    async (answer) => {
      status = answer;
      const error = await rejectionOf(client.usedUp(() => Promise.reject(new Error('the policy is gone'))));
      expect(error.message).toBe('the policy is gone');
      expect(asked).toEqual(['/v1/auth/token/revoke-self']);
    },
  );
});
