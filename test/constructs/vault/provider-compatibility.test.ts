import { ApproleAuthBackendRole } from '@cdktf/provider-vault/lib/approle-auth-backend-role';
import { Aspects } from 'cdktf';
import { DeclarationError } from '../../../constructs/declaration-error';
import { KeyStore } from '../../../constructs/vault/key-store';
import { VaultProviderCompatibility } from '../../../constructs/vault/provider-compatibility';
import { newStack, synth, type Synthesized } from '../../helpers/synth';
import { thrownBy } from '../../helpers/thrown';

function keyStoreFor(version: string): Synthesized {
  const stack = newStack();
  new KeyStore(stack, 'KeyStore', {
    mount: 'kes',
    prefix: 'local',
    kvVersion: 2,
    policyName: 'p',
    appRole: { mount: 'approle', role: 'r', tokenPeriod: '30m' },
    auditDevices: [{ name: 'file', filePath: 'stdout' }],
  });
  Aspects.of(stack).add(new VaultProviderCompatibility(version));
  return synth(stack);
}

const ROLE = 'vault_approle_auth_backend_role';

test('provider 5.x gets the role as it is declared', () => {
  const role = keyStoreFor('5.6.0').resource(ROLE);
  expect(role).toMatchObject({ token_period: 1800, token_policies: [expect.any(String)] });
  expect(role).not.toHaveProperty('period');
  expect(role).not.toHaveProperty('policies');
});

test('provider 1.9.0 gets the names that it knows', () => {
  const role = keyStoreFor('1.9.0').resource(ROLE);
  expect(role).toMatchObject({ period: 1800, policies: [expect.stringMatching(/^\$\{vault_policy\./)] });
  expect(role).not.toHaveProperty('token_period');
  expect(role).not.toHaveProperty('token_policies');
});

test('nothing else differs', () => {
  const others = (version: string) => {
    const { [ROLE]: _, ...resources } = keyStoreFor(version).json.resource as Record<string, unknown>;
    return resources;
  };
  expect(others('1.9.0')).toEqual(others('5.6.0'));
});

test.each([
  ['no policy', { tokenPeriod: 600 }],
  ['an empty list of policies', { tokenPolicies: [], tokenPeriod: 600 }],
  ['no period', { tokenPolicies: ['p'] }],
  ['a period of 0', { tokenPolicies: ['p'], tokenPeriod: 0 }],
])('a role with %s is refused for 1.9.0, which would crash on it', (_, role) => {
  // GIVEN
  const stack = newStack();
  new ApproleAuthBackendRole(stack, 'Role', { roleName: 'r', ...role });
  Aspects.of(stack).add(new VaultProviderCompatibility('1.9.0'));

  // WHEN
  const error = thrownBy(() => synth(stack));

  // THEN
  expect(error).toBeInstanceOf(DeclarationError);
  expect(error.message).toBe(
    'stack/Role: `tokenPolicies` and `tokenPeriod` must not be empty with provider 1.9.0, which would crash on reading the role',
  );
});
