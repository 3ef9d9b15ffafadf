import { parseEnvironment } from '../../../config/load';
import { ExternalError } from '../../../operations/lib/errors';
import { requireUsableVault } from '../../../operations/vault/external-vault-preflight';
import { ThrowawayCa } from '../../helpers/certificates';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { rejectionOf } from '../../helpers/thrown';
import { TlsServer } from '../../helpers/servers/tls-server';
import { inVault } from '../../helpers/servers/vault';
import { Secret } from '../../../operations/lib/secret';

const folder = useTemporaryFolder();
const HOUR = 60 * 60;
const KEY_STORE = inVault(
  parseEnvironment('name: demo\nvault: { mode: external, address: "https://vault.example.org" }', 'demo.yaml'),
).keyStore;

const LASTING = { ttl: 768 * HOUR, creation_ttl: 768 * HOUR };

/** What a Vault says, where it is not as it must be. */
interface Said {
  readonly token?: { readonly ttl: number; readonly creation_ttl: number };
  readonly mounts?: Readonly<Record<string, object>>;
}

/** Asks a Vault that is as it must be, but for what it says. @returns what was announced */
async function announced({ token = LASTING, mounts = {} }: Said): Promise<string[]> {
  const ca = await ThrowawayCa.create(folder(), 'ca');
  const answers: Record<string, unknown> = {
    'GET /v1/sys/seal-status': { initialized: true, sealed: false, t: 1, n: 1, progress: 0 },
    'POST /v1/sys/capabilities-self': { data: {} },
    'GET /v1/auth/token/lookup-self': { data: { ...token, num_uses: 0 } },
    'GET /v1/sys/mounts': { data: mounts },
    'GET /v1/sys/auth': { data: {} },
  };
  const server = await TlsServer.start(await ca.issue('vault'), (request, response) => {
    response.end(JSON.stringify(answers[`${request.method} ${request.url}`]));
  });
  const lines: string[] = [];
  try {
    await requireUsableVault({
      address: { url: server.url, caFile: ca.file },
      token: { token: new Secret('token-of-the-deploy'), source: 'VAULT_TOKEN' },
      rights: [],
      keyStore: KEY_STORE,
      made: new Set(),
      mintPath: 'auth/approle/role/ebs-demo-kes/secret-id',
      needsSecretId: true,
      policyCommand: './scripts/policy demo',
      announce: (line) => lines.push(line.replace(server.url, 'URL')),
    });
  } finally {
    await server.stop();
  }
  return lines;
}

describe('the token of the deploy', () => {
  test('is warned of when less than a sixth of its life is left', async () => {
    expect(await announced({ token: { ttl: 127 * HOUR, creation_ttl: 768 * HOUR } })).toEqual([
      'WARNING: the token in VAULT_TOKEN of Vault at URL ends in 127.0 of 768.0 hours. Have it renewed or make another, or later deploys are refused.',
    ]);
  });

  test.each([
    ['has more than that', { ttl: 129 * HOUR, creation_ttl: 768 * HOUR }],
    ['lives an hour and was made for this deploy', { ttl: HOUR - 60, creation_ttl: HOUR }],
    ['never ends', { ttl: 0, creation_ttl: 0 }],
  ])('is not when it %s', async (_, token) => {
    expect(await announced({ token })).toEqual([]);
  });

  test('is refused when it may end during the deploy', async () => {
    const error = await rejectionOf(announced({ token: { ttl: 899, creation_ttl: 768 * HOUR } }));
    expect(error).toBeInstanceOf(ExternalError);
    expect(error.message).toMatch(
      /^the token in VAULT_TOKEN of Vault at \S+ ends in 899 s, and a deploy may take 900 s$/,
    );
  });
});

test('a mount that no state names may be somebody else’s, or that of a deploy that was killed: a person must say', async () => {
  const mounts = { [`${KEY_STORE.mount}/`]: { type: 'kv', options: { version: '2' }, config: { max_lease_ttl: 0 } } };
  const error = await rejectionOf(announced({ mounts }));
  expect(error).toBeInstanceOf(ExternalError);
  expect(error.message).toContain(
    `the mount ${KEY_STORE.mount} exists already, and this deployment did not make it. To use it, or if a killed deploy of this environment made it, write keyStore.existingMount: true; else choose another`,
  );
});
