/** What is left of unseal shares beside a seal. The other Vault is a fake. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { sealChecks } from '../../../../operations/checks/health/vault-seal';
import { ThrowawayCa } from '../../../helpers/certificates';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';
import { TlsServer } from '../../../helpers/servers/tls-server';
import { contextWith, loaded, resultOf } from '../fakes';

const folder = useTemporaryFolder();
let server: TlsServer;
let caFile: string;
const tokenFile = (): string => path.join(folder(), 'token');

beforeEach(async () => {
  const ca = await ThrowawayCa.create(folder(), 'ca');
  caFile = ca.file;
  server = await TlsServer.start(await ca.issue('vault'), ({ url }, response, body) => {
    const { plaintext, ciphertext } = (body === '' ? {} : JSON.parse(body)) as Record<string, string>;
    const answers: Record<string, unknown> = {
      '/v1/auth/token/lookup-self': { ttl: 86_400, num_uses: 0, renewable: true, period: 86_400 },
      '/v1/transit/encrypt/k': { ciphertext: plaintext },
      '/v1/transit/decrypt/k': { plaintext: ciphertext },
    };
    response.end(JSON.stringify({ data: answers[url ?? ''] }));
  });
  writeFileSync(tokenFile(), 'the-token');
});
afterEach(async () => server.stop());

test.each([
  ['none is left', undefined],
  ['one of an earlier declaration of more shares is left', 5],
])('%s', async (_, number) => {
  const seal = `{ type: transit, address: "${server.url}", caFile: ${caFile}, key: k, tokenFile: ${tokenFile()} }`;
  const environment = loaded(
    folder(),
    `name: test\nvault: { mode: embedded, shares: 3, threshold: 2, unseal: ${seal} }`,
  );
  const { unsealShare } = environment.state.secret;
  mkdirSync(path.dirname(unsealShare(1)), { recursive: true });
  if (number !== undefined) writeFileSync(unsealShare(number), 'share');
  const result = await resultOf(
    sealChecks,
    'vault-seal',
    contextWith(environment, () => undefined),
  );
  expect(result).toMatchObject(
    number === undefined
      ? { status: 'passed' }
      : { status: 'failed', message: `unseal shares are left: ${unsealShare(number)}` },
  );
});
