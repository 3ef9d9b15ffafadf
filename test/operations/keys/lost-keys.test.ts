import { parseEnvironment } from '../../../config/load';
import { stateLayout } from '../../../config/state/layout';
import { KesError } from '../../../operations/kes/kes-client';
import { type KeyInVault, keyInVault, missing, replaced, unreadable } from '../../../operations/keys/lost-keys';
import { ThrowawayCa } from '../../helpers/certificates';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { TlsServer } from '../../helpers/servers/tls-server';

const RESTORE = './scripts/restore --from today.age --identity FILE --replace demo';
const answer = { status: 502, headers: {}, bytes: Buffer.alloc(0), text: '{"message":"failed to read key"}' };
const refused = new KesError('open a data key under k', answer);
const REMOVE = 'vault kv metadata delete -mount=kes demo/k';
const KES = 'KES: open a data key under k: failed to read key (HTTP 502)';

test.each<[string, KeyInVault | undefined, string, string]>([
  [
    'that was deleted softly comes back by a command',
    { kind: 'deleted', at: '2026-01-31T00:00:00Z', undelete: 'vault kv undelete -mount=kes -versions=1 demo/k' },
    'k cannot be read from the key store: it was deleted on 2026-01-31T00:00:00Z, and Vault keeps it',
    'bring it back: vault kv undelete -mount=kes -versions=1 demo/k',
  ],
  [
    'that is there is one that KES is not let in to',
    { kind: 'there', remove: REMOVE },
    `k cannot be read from the key store, although Vault has it: KES has lost its login, or the key is damaged (${KES})`,
    `if the token of KES was revoked, ./scripts/up has it log in again, and ./scripts/rotate secret-id gives it another login; if it is damaged, take it away (${REMOVE}), and a backup brings it back: ${RESTORE}`,
  ],
  [
    'that is gone comes from a backup',
    { kind: 'missing' },
    'k is missing in the key store',
    `a backup brings it back: ${RESTORE}`,
  ],
  [
    'whose version was destroyed comes from a backup when what is left of it is gone',
    { kind: 'destroyed', remove: REMOVE },
    'k is missing in the key store: the version that KES reads was destroyed',
    `what is left of it keeps a key from being written: ${REMOVE}; then a backup brings it back: ${RESTORE}`,
  ],
  [
    'whose mount is gone comes from a backup',
    { kind: 'no mount' },
    'k is missing in the key store, and so is its whole mount',
    `a backup brings it back: ${RESTORE}`,
  ],
  [
    'of which Vault says nothing may be anything',
    undefined,
    `k cannot be read from the key store (${KES})`,
    `see whether Vault answers and is unsealed. If it was deleted in KV v2: vault kv undelete -versions=1; if it is lost, a backup brings it back: ${RESTORE}`,
  ],
])('a key %s', (_, seen, said, hint) => {
  expect(unreadable('k', refused, seen, RESTORE)).toMatchObject({ said, hint });
});

test('a key that KES does not find is missing, and with its mount, if that is gone', () => {
  expect(missing('k', undefined, RESTORE).said).toBe('k is missing in the key store');
  expect(missing('k', { kind: 'no mount' }, RESTORE).said).toContain('so is its whole mount');
});

test.each<[string, KeyInVault | undefined, string]>([
  ['with the command, if Vault is asked', { kind: 'there', remove: REMOVE }, `take it away (${REMOVE})`],
  ['and no command, if nobody knows where it is', undefined, 'take it away'],
])('a key that was replaced must be out of the way before a restore, %s', (_, seen, away) => {
  expect(replaced('k', seen, RESTORE)).toEqual({
    said: 'k was replaced by another: it does not open its canary',
    hint: `put the old key back under its name. A restore writes over no key: keep the other one if anything was written under it since, and ${away}; then a backup brings it back: ${RESTORE}`,
  });
});

describe('what Vault says of a key', () => {
  const folder = useTemporaryFolder();
  const present = { deletion_time: '', destroyed: false };

  test.each<[string, object, KeyInVault]>([
    ['has', { 1: present }, { kind: 'there', remove: REMOVE }],
    ['destroyed', { 1: { deletion_time: '', destroyed: true } }, { kind: 'destroyed', remove: REMOVE }],
    ['has later versions of only', { 2: present }, { kind: 'destroyed', remove: REMOVE }],
    [
      'keeps deleted',
      { 1: { deletion_time: '2026-01-31T00:00:00Z', destroyed: false } },
      {
        kind: 'deleted',
        at: '2026-01-31T00:00:00Z',
        undelete: 'vault kv undelete -mount=kes -versions=1 demo/k',
      },
    ],
  ])('that it %s', async (_, versions, said) => {
    expect(
      await askVault(({ url }, response) => {
        response.statusCode = url === '/v1/kes/metadata/demo/k' ? 200 : 404;
        response.end(JSON.stringify({ data: { versions } }));
      }),
    ).toEqual(said);
  });

  test.each([
    [500, 'is not active yet', { kind: 'no answer' }],
    [503, 'is sealed', { kind: 'no answer' }],
    [403, 'refuses the token', undefined],
  ])('nothing, as HTTP %i, when it %s', async (status, _, said) => {
    expect(
      await askVault((_request, response) => {
        response.statusCode = status;
        response.end('{"errors":[]}');
      }),
    ).toEqual(said);
  });

  async function askVault(answer: Parameters<typeof TlsServer.start>[1]): Promise<KeyInVault | undefined> {
    const ca = await ThrowawayCa.create(folder(), 'ca');
    const vault = await TlsServer.start(await ca.issue('vault'), answer);
    try {
      const environment = parseEnvironment(
        `name: demo\nvault: { mode: external, address: '${vault.url}', caFile: ${ca.file} }`,
        'demo.yaml',
      );
      return await keyInVault(environment, stateLayout('demo', folder()), 'k');
    } finally {
      await vault.stop();
    }
  }
});
