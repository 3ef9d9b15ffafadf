import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { stringify } from 'yaml';
import { vaultLogin } from '../../../operations/kes/kes-secret-id';
import { ThrowawayCa } from '../../helpers/certificates';
import { FakeAppRole } from '../../helpers/servers/fake-approle';
import { VAULT_KEY_STORE } from '../../helpers/servers/kes';
import { useTemporaryFolder } from '../../helpers/temporary-folder';

const folder = useTemporaryFolder();
const inFolder = (name: string): string => path.join(folder(), name);
const ANYWHERE: string[] = [];
const NETWORK = ['10.0.0.0/8'];

let vault: FakeAppRole;
let ca: ThrowawayCa;

beforeEach(async () => {
  jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  ca = await ThrowawayCa.create(folder(), 'ca');
  vault = await FakeAppRole.start(await ca.issue('vault'), 'kes', 'present');
  writeFileSync(inFolder('token'), 'token-of-the-deploy');
  kesHas('present');
});

afterEach(async () => {
  jest.restoreAllMocks();
  await vault.stop();
});

/** Writes the configuration file of KES. */
function kesHas(secret: string): void {
  const approle = { id: 'the-role', secret };
  writeFileSync(inFolder('kes.yaml'), stringify({ keystore: { vault: { approle } } }));
}

async function login(boundCidrs: string[]) {
  const access = {
    url: vault.url,
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
  expect([...vault.known.keys()]).toEqual(['present']);
});

test('one that allows more works until the file with the other is written, and not longer', async () => {
  // GIVEN WHEN
  const { secretId, finish } = await login(NETWORK);
  expect(secretId).toBe('minted-1');
  expect([...vault.known.keys()]).toEqual(['present', 'minted-1']);
  kesHas(secretId);
  await finish();
  // THEN
  expect([...vault.known.keys()]).toEqual(['minted-1']);
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
  expect([...vault.known.keys()]).toEqual(['minted-1']);
  expect(existsSync(inFolder('outdated.json'))).toBe(false);
});

test('two killed runs, each with other ranges, leave none either', async () => {
  kesHas((await login(NETWORK)).secretId);
  kesHas((await login(['10.1.0.0/16'])).secretId);
  await (await login(['10.1.0.0/16'])).finish();
  expect([...vault.known.keys()]).toEqual(['minted-2']);
});

test('a run that is killed before the file is written does not cost KES what it has, once that is declared again', async () => {
  // GIVEN
  await login(NETWORK);
  // WHEN
  const { secretId, finish } = await login(ANYWHERE);
  await finish();
  // THEN
  expect(secretId).toBe('present');
  expect(vault.known.has('present')).toBe(true);
  expect(existsSync(inFolder('outdated.json'))).toBe(false);
});
