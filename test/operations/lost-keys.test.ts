import { KesError } from '../../operations/kes-client';
import { type KeyInVault, missing, unreadable } from '../../operations/lost-keys';

const RESTORE = './scripts/restore --from today.age --identity FILE --replace demo';
const answer = { status: 502, headers: {}, bytes: Buffer.alloc(0), text: '{"message":"failed to read key"}' };
const refused = new KesError('open a data key under k', answer);
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
    { kind: 'there' },
    `k cannot be read from the key store, although Vault has it: KES is not let in, or the key is damaged (${KES})`,
    `if the token of KES was revoked, ./scripts/up has it log in again, and ./scripts/rotate secret-id gives it another login; if it is damaged, a backup brings it back: ${RESTORE}`,
  ],
  [
    'that is gone comes from a backup',
    { kind: 'missing' },
    'k is missing in the key store',
    `a backup brings it back: ${RESTORE}`,
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
    `see whether Vault answers and is unsealed; a backup brings it back: ${RESTORE}. If it was deleted in KV v2: vault kv undelete -versions=1`,
  ],
])('a key %s', (_, seen, said, hint) => {
  expect(unreadable('k', refused, seen, RESTORE)).toMatchObject({ said, hint });
});

test('a key that KES does not find is missing, and with its mount, if that is gone', () => {
  expect(missing('k', undefined, RESTORE).said).toBe('k is missing in the key store');
  expect(missing('k', { kind: 'no mount' }, RESTORE).said).toContain('so is its whole mount');
});
