import { type SeenVault, vaultProblem } from '../../../../operations/checks/health/each-vault';

const vault = (host: string, state: SeenVault['state']): SeenVault => ({ host, container: 'ebs-demo-vault', state });

test.each<[string, SeenVault[], ReturnType<typeof vaultProblem>]>([
  ['all serve', [vault('a', 'serves'), vault('b', 'serves')], undefined],
  [
    'one is sealed',
    [vault('a', 'serves'), vault('b', 'sealed')],
    { message: 'Vault on host b is sealed', fix: 'vault-seal says whether its seal answers' },
  ],
  [
    'one has lost its volume',
    [vault('a', 'not joined'), vault('b', 'serves')],
    {
      message: 'Vault on host a has not joined the others',
      fix: './scripts/up demo waits until it has joined, and says what keeps it',
    },
  ],
  [
    'two reach no active one',
    [vault('a', 'without active'), vault('b', 'without active'), vault('c', 'sealed')],
    {
      message:
        'Vault on host a is a standby that reaches no active one; Vault on host b is a standby that reaches no ' +
        'active one; Vault on host c is sealed',
      fix:
        'vault-seal says whether its seal answers; `docker restart ebs-demo-vault` on host a, then `docker restart ebs-demo-vault` on ' +
        'host b, one after the other has been unsealed',
    },
  ],
])('%s', (_, seen, expected) => {
  expect(vaultProblem(seen, 'demo', 'vault-seal says whether its seal answers')).toEqual(expected);
});
