import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { stringify } from 'yaml';
import { vaultLogin } from '../../../operations/kes/kes-secret-id';
import { ThrowawayCa } from '../../helpers/certificates';
import { VAULT_KEY_STORE } from '../../helpers/kes';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { TlsServer } from '../../helpers/tls-server';

const folder = useTemporaryFolder();
const inFolder = (name: string): string => path.join(folder(), name);
const ANYWHERE: string[] = [];
const NETWORK = ['10.0.0.0/8'];

/** The SecretIDs of one role in a Vault, with the ranges that each is bound to; the accessor is `of-<SecretID>`. */
let known: Map<string, string[]>;
let server: TlsServer;
let ca: ThrowawayCa;

beforeEach(async () => {
  jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  ca = await ThrowawayCa.create(folder(), 'ca');
  known = new Map([['present', ANYWHERE]]);
  let minted = 0;
  server = await TlsServer.start(await ca.issue('vault'), (request, response, body) => {
    const given = (body === '' ? {} : JSON.parse(body)) as Record<string, unknown>;
    const answer = (data: unknown): void => void response.end(JSON.stringify({ data }));
    switch (`${request.method} ${request.url}`) {
      case 'GET /v1/auth/approle/role/kes/role-id':
        answer({ role_id: 'the-role' });
        return;
      case 'POST /v1/auth/approle/role/kes/secret-id': {
        const secret = `minted-${++minted}`;
        known.set(secret, (given.cidr_list as string[] | undefined) ?? ANYWHERE);
        answer({ secret_id: secret, secret_id_accessor: `of-${secret}` });
        return;
      }
      case 'POST /v1/auth/approle/role/kes/secret-id/lookup': {
        const ranges = known.get(given.secret_id as string);
        if (ranges === undefined) response.writeHead(204).end();
        else answer(factsOf(given.secret_id as string, ranges));
        return;
      }
      case 'POST /v1/auth/approle/role/kes/secret-id-accessor/destroy':
        known.delete((given.secret_id_accessor as string).replace('of-', ''));
        response.writeHead(204).end();
        return;
      default:
        response.writeHead(404).end('{"errors":[]}');
    }
  });
  writeFileSync(inFolder('token'), 'token-of-the-deploy');
  kesHas('present');
});

afterEach(async () => {
  jest.restoreAllMocks();
  await server.stop();
});

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

/** Writes the configuration file of KES. */
function kesHas(secret: string): void {
  const approle = { id: 'the-role', secret };
  writeFileSync(inFolder('kes.yaml'), stringify({ keystore: { vault: { approle } } }));
}

async function login(boundCidrs: string[]) {
  const access = {
    url: server.url,
    caFile: ca.file,
    tokenFile: inFolder('token'),
    secretId: { delivery: 'minted', ttl: '0s', boundCidrs, tokenBoundCidrs: ANYWHERE } as const,
    outdatedSecretIds: inFolder('outdated.json'),
  };
  const { login: found, finish } = await vaultLogin(access, VAULT_KEY_STORE, inFolder('kes.yaml'));
  return { secretId: found.type === 'vault' ? found.secretId.reveal() : '', finish };
}

test('a SecretID as declared is kept, and none is destroyed', async () => {
  const { secretId, finish } = await login(ANYWHERE);
  await finish();
  expect(secretId).toBe('present');
  expect([...known.keys()]).toEqual(['present']);
});

test('one that allows more works until the file with the other is written, and not longer', async () => {
  // GIVEN WHEN
  const { secretId, finish } = await login(NETWORK);
  expect(secretId).toBe('minted-1');
  expect([...known.keys()]).toEqual(['present', 'minted-1']);
  kesHas(secretId);
  await finish();
  // THEN
  expect([...known.keys()]).toEqual(['minted-1']);
  expect(existsSync(inFolder('outdated.json'))).toBe(false);
});

test('a run that is killed when the file is written leaves none that allows more: the next one destroys it', async () => {
  // GIVEN
  kesHas((await login(NETWORK)).secretId);
  // WHEN
  const { secretId, finish } = await login(NETWORK);
  await finish();
  // THEN
  expect(secretId).toBe('minted-1');
  expect([...known.keys()]).toEqual(['minted-1']);
  expect(existsSync(inFolder('outdated.json'))).toBe(false);
});

test('two killed runs, each with other ranges, leave none either', async () => {
  kesHas((await login(NETWORK)).secretId);
  kesHas((await login(['10.1.0.0/16'])).secretId);
  await (await login(['10.1.0.0/16'])).finish();
  expect([...known.keys()]).toEqual(['minted-2']);
});

test('a run that is killed before the file is written does not cost KES what it has, once that is declared again', async () => {
  // GIVEN
  await login(NETWORK);
  // WHEN
  const { secretId, finish } = await login(ANYWHERE);
  await finish();
  // THEN
  expect(secretId).toBe('present');
  expect(known.has('present')).toBe(true);
  expect(existsSync(inFolder('outdated.json'))).toBe(false);
});
