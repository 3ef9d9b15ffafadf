import { Secret } from '../../../operations/lib/secret';
import { type HostVault, unsealVaults } from '../../../operations/vault/unseal-vault';
import { ThrowawayCa } from '../../helpers/certificates';
import { TlsServer } from '../../helpers/servers/tls-server';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { rejectionOf } from '../../helpers/thrown';

const LIMIT_MS = 300;
const folder = useTemporaryFolder();
let ca: ThrowawayCa;
let servers: TlsServer[];
let opened: string[];

beforeEach(async () => {
  ca = await ThrowawayCa.create(folder(), 'ca');
  servers = [];
  opened = [];
});
afterEach(async () => Promise.all(servers.map(async (server) => server.stop())));

/** A Vault that two shares open. */
async function vaultOn(host: string, seen: 'sealed' | 'open' | 'empty' | 'away' = 'sealed'): Promise<HostVault> {
  let progress = 0;
  let sealed = seen !== 'open';
  const server = await TlsServer.start(await ca.issue(host), ({ method }, response) => {
    if (method === 'POST') progress += 1;
    if (progress === 2 && sealed) {
      sealed = false;
      opened.push(host);
    }
    response.end(JSON.stringify({ initialized: seen !== 'empty', sealed, t: 2, n: 3, progress }));
  });
  if (seen === 'away') await server.stop();
  else servers.push(server);
  return { host, endpoint: { url: server.url, caFile: ca.file } };
}

const unseal = async (vaults: readonly HostVault[], shares = 2) =>
  unsealVaults(
    vaults,
    () => {
      const left = Array.from({ length: shares }, (_, index) => new Secret(`share ${index}`));
      return () => Promise.resolve(left.shift());
    },
    LIMIT_MS,
  );

test('each Vault that is sealed gets the same shares', async () => {
  expect(await unseal([await vaultOn('a'), await vaultOn('b', 'open'), await vaultOn('c')])).toBe('unsealed');
  expect(opened).toEqual(['a', 'c']);
});

test('Vaults that are open get none', async () => {
  expect(await unseal([await vaultOn('a', 'open'), await vaultOn('b', 'open')], 0)).toBe('already');
});

test.each([
  ['away', /^ {2}- host a: waited 0 s for Vault at https:\S+ to answer; last seen: .*ECONNREFUSED/m],
  ['empty', /^ {2}- host a: Vault at https:\S+ is not initialised$/m],
] as const)('one whose Vault is %s does not keep the others sealed, and is named at the end', async (seen, line) => {
  const error = await rejectionOf(unseal([await vaultOn('a', seen), await vaultOn('b'), await vaultOn('c')]));
  expect(opened).toEqual(['b', 'c']);
  expect(error.message).toMatch(/^Vault is unsealed on host b, c, and not on every host:\n/);
  expect(error.message).toMatch(line);
});

test('with too few shares none is open, and each says so', async () => {
  const still = 'Vault is still sealed: 1 of the 2 shares that it needs were given';
  expect(await rejectionOf(unseal([await vaultOn('a'), await vaultOn('b')], 1))).toMatchObject({
    message: `no Vault is unsealed:\n  - host a: ${still}\n  - host b: ${still}`,
    hint: 'run it again with more shares',
  });
});

test('of a single one the error is as it is', async () => {
  const error = await rejectionOf(unseal([await vaultOn('', 'away')]));
  expect(error.message).toMatch(/^waited 0 s for Vault at/);
});
