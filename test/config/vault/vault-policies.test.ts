import {
  kesPolicyRules,
  migrationPolicyRules,
  policyDocument,
  type PolicyRule,
  type ProvisionedObjects,
  provisionerPolicyRules,
} from '../../../config/vault/vault-policies';

const OBJECTS: ProvisionedObjects = {
  keys: { mount: 'kes', prefix: 'local', kvVersion: 2 },
  existingKvMount: false,
  kesPolicy: 'ebs-local-kes',
  provisionerPolicy: 'ebs-local-provisioner',
  appRoleMount: 'approle',
  existingAppRoleMount: false,
  role: 'ebs-local-kes',
  mintsSecretId: true,
  seesAuditDevices: true,
  auditDevices: ['file', 'stdout'],
  isCluster: false,
  allowDataLoss: false,
};

/** Capabilities by path. */
const byPath = (rules: readonly PolicyRule[]) =>
  Object.fromEntries(rules.map(({ path, capabilities }) => [path, capabilities]));

/** Whether a Vault path in a policy covers this one. */
const covers = (pattern: string, path: string) =>
  pattern.endsWith('*') ? path.startsWith(pattern.slice(0, -1)) : pattern === path;

test('a policy is written in Vault’s language', () => {
  expect(
    policyDocument([
      { path: 'kv/data/a/*', capabilities: ['create', 'read'], why: 'for a reader' },
      { path: 'sys/mounts', capabilities: ['read'] },
    ]),
  ).toBe(
    `# for a reader
path "kv/data/a/*" {
  capabilities = ["create", "read"]
}

path "sys/mounts" {
  capabilities = ["read"]
}
`,
  );
});

test('a parameter may have only the values that are allowed, others may have any', () => {
  expect(
    policyDocument([
      { path: 'auth/approle/role/kes', capabilities: ['update'], allowedParameters: { bind_secret_id: [true] } },
    ]),
  ).toBe(
    `path "auth/approle/role/kes" {
  capabilities = ["update"]
  allowed_parameters = {
    "bind_secret_id" = [true]
    "*" = []
  }
}
`,
  );
});

test.each([
  ['minted', true, undefined],
  ['wrapped', false, { bind_secret_id: [true] }],
])('with a %s SecretID, what the deploy may do to the role', (_, mintsSecretId, allowed) => {
  const rule = provisionerPolicyRules({ ...OBJECTS, mintsSecretId }).find(
    ({ path }) => path === 'auth/approle/role/ebs-local-kes',
  );
  expect(rule?.capabilities).toEqual(['create', 'read', 'update', 'delete']);
  expect(rule?.allowedParameters).toEqual(allowed);
});

describe('KES', () => {
  test.each([
    [1, 'kes/local/*'],
    [2, 'kes/data/local/*'],
  ] as const)('may read each key and write it once, and nothing else, in KV version %i', (kvVersion, path) => {
    expect(kesPolicyRules({ mount: 'kes', prefix: 'local', kvVersion })).toEqual([
      { path, capabilities: ['create', 'read'] },
    ]);
  });

  test('cannot reach the keys of another environment whose name begins like its own', () => {
    const [pattern = ''] = Object.keys(byPath(kesPolicyRules({ mount: 'kes', prefix: 'prod', kvVersion: 2 })));
    expect(covers(pattern, 'kes/data/prod/a')).toBe(true);
    expect(covers(pattern, 'kes/data/prod-2/a')).toBe(false);
  });
});

describe('the token that declares the key store', () => {
  const rules = byPath(provisionerPolicyRules(OBJECTS));

  test('may make its own mount, policy, role and audit devices', () => {
    expect(rules).toMatchObject({
      'sys/mounts/kes': ['read', 'update'],
      'sys/policies/acl/ebs-local-kes': ['read', 'update', 'delete'],
      'sys/auth/approle': ['update', 'delete', 'sudo'],
      'auth/approle/role/ebs-local-kes': ['create', 'read', 'update', 'delete'],
      'auth/approle/role/ebs-local-kes/secret-id': ['update'],
      'auth/approle/role/ebs-local-kes/secret-id-accessor/destroy': ['update'],
      'sys/audit/file': ['update', 'delete', 'sudo'],
      'sys/audit/stdout': ['update', 'delete', 'sudo'],
    });
  });

  test.each([
    'kes/data/local/backup-default',
    'kes/local/backup-default',
    'kes/metadata/local-2/backup-default',
    'kes/destroy/local/backup-default',
    'sys/policies/acl/other',
    'sys/policy/ebs-local-provisioner',
    'auth/token/create',
    'auth/token/create-orphan',
    'auth/token/create/root',
    'auth/approle/role/other/secret-id',
    'auth/approle/role/other/secret-id-accessor/destroy',
    'sys/mounts/other',
    'sys/seal',
    'sys/raw/x',
    'identity/entity',
    'sys/storage/raft/snapshot',
  ])('has no business with %s', (path) => {
    expect(Object.keys(rules).filter((pattern) => covers(pattern, path))).toEqual([]);
  });

  test('sees which tokens there are and what they may do, and can neither make nor revoke one', () => {
    expect(Object.keys(rules).filter((pattern) => pattern.startsWith('auth/token/'))).toEqual([
      'auth/token/lookup-self',
      'auth/token/accessors',
      'auth/token/lookup-accessor',
    ]);
  });

  test('may look at its own policy, and cannot change it', () => {
    expect(rules['sys/policies/acl/ebs-local-provisioner']).toEqual(['read']);
  });

  test('may look at what Vault knows about the keys, never at a key; KV version 1 knows nothing', () => {
    expect(rules['kes/config']).toEqual(['read']);
    expect(rules['kes/metadata/local/*']).toEqual(['read']);
    const ofVersion1 = byPath(provisionerPolicyRules({ ...OBJECTS, keys: { ...OBJECTS.keys, kvVersion: 1 } }));
    expect(Object.keys(ofVersion1).filter((path) => path.startsWith('kes/'))).toEqual([]);
  });

  test('names each other path exactly', () => {
    const paths = Object.keys(rules).filter((path) => path !== 'kes/metadata/local/*');
    for (const path of paths) expect(path).not.toMatch(/[*+]/);
  });

  test('may remove the mount with every key only where losing data is allowed', () => {
    expect(rules['sys/mounts/kes']).not.toContain('delete');
    expect(byPath(provisionerPolicyRules({ ...OBJECTS, allowDataLoss: true }))['sys/mounts/kes']).toContain('delete');
  });

  test('has nothing to do with audit where it declares no device', () => {
    const paths = Object.keys(
      byPath(provisionerPolicyRules({ ...OBJECTS, seesAuditDevices: false, auditDevices: [] })),
    );
    expect(paths.filter((path) => path.startsWith('sys/audit'))).toEqual([]);
  });

  test('has no say over mounts of someone else, and cannot mint what is handed over', () => {
    const fewer = byPath(
      provisionerPolicyRules({ ...OBJECTS, existingKvMount: true, existingAppRoleMount: true, mintsSecretId: false }),
    );
    expect(Object.keys(rules).filter((path) => !(path in fewer))).toEqual([
      'sys/mounts/kes',
      'sys/mounts/kes/tune',
      'sys/auth/approle',
      'sys/mounts/auth/approle',
      'sys/mounts/auth/approle/tune',
      'auth/approle/role/ebs-local-kes/secret-id',
    ]);
  });

  test('says what each right is for', () => {
    for (const { path, why } of provisionerPolicyRules(OBJECTS))
      expect([path, why]).toEqual([path, expect.any(String)]);
  });
});

describe('while keys are on their way in one Vault', () => {
  test('KES may also read where they come from, and neither list nor write there', () => {
    expect(
      byPath(
        migrationPolicyRules(
          { mount: 'kes-v2', prefix: 'home', kvVersion: 2 },
          { mount: 'kes-v1', prefix: 'home', kvVersion: 1 },
        ),
      ),
    ).toEqual({ 'kes-v2/data/home/*': ['create', 'read'], 'kes-v1/home/*': ['read'] });
  });
});

test('only the provisioner of several Vaults may ask whether Raft could lose one, and nothing else about Raft', () => {
  const raft = (isCluster: boolean) =>
    provisionerPolicyRules({ ...OBJECTS, isCluster }).filter(({ path }) => path.startsWith('sys/storage/'));
  expect(raft(false)).toEqual([]);
  expect(raft(true)).toMatchObject([{ path: 'sys/storage/raft/autopilot/state', capabilities: ['read'] }]);
});
