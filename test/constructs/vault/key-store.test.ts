import { TerraformOutput } from 'cdktf';
import { DeclarationError } from '../../../constructs/declaration-error';
import { KeyStore, type KeyStoreProps } from '../../../constructs/vault/key-store';
import { newStack, synth } from '../../helpers/synth';
import { thrownBy } from '../../helpers/thrown';

const MINIMAL: KeyStoreProps = {
  mount: 'kes',
  prefix: 'local',
  kvVersion: 2,
  policyName: 'ebs-local-kes',
  appRole: { mount: 'approle', role: 'ebs-local-kes', tokenPeriod: '30m' },
};

test('a key store with minimal properties is a mount, a policy and a role, and no SecretID', () => {
  // GIVEN
  const stack = newStack();

  // WHEN
  const store = new KeyStore(stack, 'KeyStore', MINIMAL);
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
  new KeyStore(stack, 'KeyStore', MINIMAL);

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
  new KeyStore(stack, 'KeyStore', {
    ...MINIMAL,
    kvVersion: 1,
    auditDevices: [
      { name: 'file', filePath: '/vault/audit/audit.log' },
      { name: 'stdout', filePath: 'stdout' },
    ],
    allowDataLoss: true,
  });

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
  new KeyStore(stack, 'KeyStore', {
    ...MINIMAL,
    existingMount: true,
    appRole: { ...MINIMAL.appRole, existingMount: true },
    allowDataLoss: true,
  });

  // THEN
  for (const type of ['vault_mount', 'vault_auth_backend']) {
    expect(synth(stack).resource(type)).toMatchObject({ count: 0, lifecycle: { prevent_destroy: true } });
  }
});

test('a SecretID lives as long as the role says', () => {
  const stack = newStack();
  new KeyStore(stack, 'KeyStore', { ...MINIMAL, appRole: { ...MINIMAL.appRole, secretIdTtl: '720h' } });
  expect(synth(stack).resource('vault_approle_auth_backend_role').secret_id_ttl).toBe(720 * 60 * 60);
});

test.each([
  ['soon', '`appRole.tokenPeriod` must be a duration such as 30s, 5m or 1h30m, got: soon'],
  ['9m59s', '`appRole.tokenPeriod` must be at least 10m, got: 9m59s. KES would lose its token between two renewals'],
])('a period of %s is refused', (tokenPeriod, problem) => {
  const error = thrownBy(
    () => new KeyStore(newStack(), 'KeyStore', { ...MINIMAL, appRole: { ...MINIMAL.appRole, tokenPeriod } }),
  );
  expect(error).toBeInstanceOf(DeclarationError);
  expect(error.message).toBe(`stack/KeyStore: ${problem}`);
});

test('a period of 10m is long enough', () => {
  const stack = newStack();
  new KeyStore(stack, 'KeyStore', { ...MINIMAL, appRole: { ...MINIMAL.appRole, tokenPeriod: '10m' } });
  expect(synth(stack).resource('vault_approle_auth_backend_role').token_period).toBe(600);
});
