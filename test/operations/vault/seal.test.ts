/** What is asked of a seal, and what is said of one that is of no use. The other Vault is a fake. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { TransitAccess } from '../../../config/operation-inputs';
import { requireUsableSeal } from '../../../operations/vault/seal';
import { ThrowawayCa } from '../../helpers/certificates';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { rejectionOf } from '../../helpers/thrown';
import { TlsServer } from '../../helpers/servers/tls-server';

const folder = useTemporaryFolder();
const TOKEN = { ttl: 86_400, num_uses: 0, renewable: true, period: 86_400 };
const refusal = (...errors: string[]) => ({ errors });

let server: TlsServer;
let access: TransitAccess;
let asked: string[];
/** What it answers besides what a seal must. */
let answers: Record<string, readonly [number, unknown]>;

beforeEach(async () => {
  const ca = await ThrowawayCa.create(folder(), 'ca');
  asked = [];
  answers = {};
  server = await TlsServer.start(await ca.issue('vault'), ({ method, url, headers }, response, body) => {
    const request = `${method} ${url}`;
    asked.push(`${request} ${String(headers['x-vault-token'])}`);
    const { plaintext, ciphertext } = (body === '' ? {} : JSON.parse(body)) as Record<string, string>;
    const usual: Record<string, unknown> = {
      'GET /v1/auth/token/lookup-self': { data: TOKEN },
      'POST /v1/transit/encrypt/k': { data: { ciphertext: `vault:v1:${plaintext}` } },
      'POST /v1/transit/decrypt/k': { data: { plaintext: ciphertext?.slice('vault:v1:'.length) } },
    };
    const [status, answer] = answers[request] ?? [200, usual[request] ?? refusal('no handler')];
    response.statusCode = status;
    response.end(JSON.stringify(answer));
  });
  const tokenFile = path.join(folder(), 'token');
  writeFileSync(tokenFile, 'the-token');
  access = { type: 'transit', url: server.url, caFile: ca.file, mount: 'transit', key: 'k', tokenFile };
});
afterEach(async () => server.stop());

test('a seal that encrypts and decrypts can be used, by nothing but its token', async () => {
  expect(await requireUsableSeal(access)).toEqual({ ttl: 86_400, periodic: true });
  expect(asked).toEqual([
    'GET /v1/auth/token/lookup-self the-token',
    'POST /v1/transit/encrypt/k the-token',
    'POST /v1/transit/decrypt/k the-token',
  ]);
});

test('a token that no renewal keeps alive is known', async () => {
  answers = { 'GET /v1/auth/token/lookup-self': [200, { data: { ttl: 3600, num_uses: 0, renewable: true } }] };
  expect(await requireUsableSeal(access)).toEqual({ ttl: 3600, periodic: false });
});

const seal = () => `the seal of Vault, the key k of transit/ in Vault at ${access.url},`;

test.each<[string, () => void, () => string]>([
  [
    'is sealed',
    () => (answers = { 'GET /v1/auth/token/lookup-self': [503, refusal('Vault is sealed')] }),
    () =>
      `${seal()} does not answer: Vault at ${new URL(access.url).host}: GET /v1/auth/token/lookup-self: Vault is sealed (HTTP 503)`,
  ],
  [
    'lets the token not decrypt',
    () => (answers = { 'POST /v1/transit/decrypt/k': [403, refusal('permission denied')] }),
    () =>
      `${seal()} refuses the token in ${access.tokenFile}: Vault at ${new URL(access.url).host}: POST /v1/transit/decrypt/k: permission denied (HTTP 403)`,
  ],
  [
    'decrypts to something else',
    () => (answers = { 'POST /v1/transit/decrypt/k': [200, { data: { plaintext: 'b3RoZXI=' } }] }),
    () => `${seal()} decrypts to something else than was encrypted`,
  ],
  [
    'has a token for some uses',
    () => (answers = { 'GET /v1/auth/token/lookup-self': [200, { data: { ...TOKEN, num_uses: 3 } }] }),
    () => `the token in ${access.tokenFile} may be used 3 more time(s) only`,
  ],
  [
    'has a token file with a line break',
    () => {
      writeFileSync(access.tokenFile, 'the-token\n');
    },
    () =>
      `vault.unseal.tokenFile: ${access.tokenFile} must hold the token and nothing else, got a line break or a space, too`,
  ],
  [
    'has an empty token file',
    () => {
      writeFileSync(access.tokenFile, '');
    },
    () => `vault.unseal.tokenFile: ${access.tokenFile} must hold the token of the seal, it is empty`,
  ],
  [
    'has no token file',
    () => (access = { ...access, tokenFile: '/nonexistent/token' }),
    () => 'vault.unseal.tokenFile: /nonexistent/token must hold the token of the seal, it is not there',
  ],
])('one that %s is refused, and named', async (_, given, message) => {
  given();
  const error = await rejectionOf(requireUsableSeal(access));
  expect(error.message).toBe(message());
  expect(error.message).not.toContain('the-token');
});

test('one that nobody reaches is named', async () => {
  const error = await rejectionOf(requireUsableSeal({ ...access, url: 'https://127.0.0.1:1' }));
  expect(error.message).toMatch(
    /^the seal of Vault, the key k of transit\/ in Vault at https:\/\/127\.0\.0\.1:1, does not answer: /,
  );
});
