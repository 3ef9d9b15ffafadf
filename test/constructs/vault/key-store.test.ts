import { TerraformOutput } from 'cdktf';
import type { EnvironmentInput } from '../../../config/environment';
import { DeclarationError } from '../../../constructs/declaration-error';
import { KeyStore } from '../../../constructs/vault/key-store';
import { deploymentWith } from '../../helpers/deployment';
import { newStack, synth } from '../../helpers/synth';
import { thrownBy } from '../../helpers/thrown';

/** An external Vault has audit devices of its own. */
const EXTERNAL: Partial<EnvironmentInput> = { vault: { mode: 'external', address: 'https://vault.example.org' } };

const declare = (settings: Partial<EnvironmentInput> = EXTERNAL, stack = newStack()) =>
  new KeyStore(stack, 'KeyStore', { deployment: deploymentWith(settings) });

test('a key store with minimal properties is a mount, a policy and a role, and no SecretID', () => {
  // GIVEN
  const stack = newStack();

  // WHEN
  const store = declare(EXTERNAL, stack);
  new TerraformOutput(stack, 'role', { value: store.roleId, staticId: true });

  // THEN
  const synthesized = synth(stack);
  expect(Object.keys(synthesized.json.resource as object)).toEqual([
    'vault_approle_auth_backend_role',
    'vault_auth_backend',
    'vault_mount',
    'vault_policy',
  ]);
  expect(synthesized.resource('vault_mount')).toMatchObject({
    path: 'kes',
    type: 'kv',
    options: { version: '2' },
    lifecycle: { prevent_destroy: true },
  });
  expect(synthesized.resource('vault_policy')).toMatchObject({
    name: 'ebs-local-kes',
    policy: 'path "kes/data/local/*" {\n  capabilities = ["create", "read"]\n}\n',
  });
  expect(synthesized.resource('vault_auth_backend')).toMatchObject({ type: 'approle', path: 'approle' });
  expect(synthesized.output('role').value).toMatch(/^\$\{vault_approle_auth_backend_role\..*\.role_id\}$/);
});

test('the token of KES is renewed for ever and used without limit', () => {
  // GIVEN
  const stack = newStack();

  // WHEN
  declare(EXTERNAL, stack);

  // THEN
  expect(synth(stack).resource('vault_approle_auth_backend_role')).toEqual({
    backend: 'approle',
    role_name: 'ebs-local-kes',
    bind_secret_id: true,
    token_policies: [expect.stringMatching(/^\$\{vault_policy\..*\.name\}$/)],
    token_period: 1800,
    depends_on: [expect.stringMatching(/^vault_auth_backend\./)],
  });
});

test('a key store with maximal properties is audited from the beginning, and may be deleted', () => {
  // GIVEN
  const stack = newStack();

  // WHEN
  declare({ keyStore: { type: 'vault', kvVersion: 1 }, allowDataLoss: 'local' }, stack);

  // THEN
  const synthesized = synth(stack);
  expect(Object.values(synthesized.resources('vault_audit'))).toMatchObject([
    { path: 'file', type: 'file', options: { file_path: '/vault/audit/audit.log', mode: '0600' } },
    { path: 'stdout', type: 'file', options: { file_path: 'stdout' } },
  ]);
  const audited = Object.keys(synthesized.resources('vault_audit')).map((id) => `vault_audit.${id}`);
  for (const type of ['vault_mount', 'vault_policy', 'vault_auth_backend']) {
    expect(synthesized.resource(type).depends_on).toEqual(audited);
  }
  expect(synthesized.resource('vault_mount')).toMatchObject({
    options: { version: '1' },
    lifecycle: { prevent_destroy: false },
  });
  expect(synthesized.resource('vault_policy').policy).toContain('path "kes/local/*"');
});

test('mounts of someone else are declared zero times: Terraform would delete what it made itself and finds no more', () => {
  // GIVEN
  const stack = newStack();

  // WHEN
  declare(
    {
      ...EXTERNAL,
      keyStore: { type: 'vault', existingMount: true, approle: { existingMount: true } },
      allowDataLoss: 'local',
    },
    stack,
  );

  // THEN
  for (const type of ['vault_mount', 'vault_auth_backend']) {
    expect(synth(stack).resource(type)).toMatchObject({ count: 0, lifecycle: { prevent_destroy: true } });
  }
});

test('a SecretID lives as long as the role says', () => {
  const stack = newStack();
  declare({ keyStore: { type: 'vault', approle: { secretId: { delivery: 'minted', ttl: '720h' } } } }, stack);
  expect(synth(stack).resource('vault_approle_auth_backend_role').secret_id_ttl).toBe(720 * 60 * 60);
});

test('master keys that are elsewhere have no key store in Vault', () => {
  const error = thrownBy(() => declare({ keyStore: { type: 'filesystem' } }));
  expect(error).toBeInstanceOf(DeclarationError);
  expect(error.message).toBe('stack/KeyStore: `deployment` must have its master keys in Vault, got: filesystem');
});

test('a period of 10m is long enough', () => {
  const stack = newStack();
  declare({ keyStore: { type: 'vault', approle: { tokenPeriod: '10m' } } }, stack);
  expect(synth(stack).resource('vault_approle_auth_backend_role').token_period).toBe(600);
});
