/**
 * Vault policies as text. Every capability here is shown to be needed, and what is not here shown to be refused, by
 * test/e2e.
 */

export type Capability = 'create' | 'read' | 'update' | 'delete' | 'list' | 'sudo' | 'deny';

/** One rule of a policy. */
export interface PolicyRule {
  readonly path: string;
  readonly capabilities: readonly Capability[];
  /**
   * The only values that these parameters of a write may have; other parameters may have any
   * (https://developer.hashicorp.com/vault/docs/concepts/policies#parameter-constraints).
   *
   * @default - every parameter may have any value
   */
  readonly allowedParameters?: Readonly<Record<string, readonly boolean[]>>;
  /** What it is needed for; becomes a comment. */
  readonly why?: string;
}

/** A policy in Vault's language. */
export function policyDocument(rules: readonly PolicyRule[]): string {
  return rules
    .map(({ path, capabilities, allowedParameters, why }) => {
      const list = capabilities.map((capability) => `"${capability}"`).join(', ');
      const comment = why === undefined ? '' : `# ${why}\n`;
      return `${comment}path "${path}" {\n  capabilities = [${list}]\n${parameters(allowedParameters)}}\n`;
    })
    .join('\n');
}

function parameters(allowed: PolicyRule['allowedParameters']): string {
  if (allowed === undefined) return '';
  const named = Object.entries(allowed).map(([name, values]) => `    "${name}" = [${values.join(', ')}]\n`);
  return `  allowed_parameters = {\n${named.join('')}    "*" = []\n  }\n`;
}

/** Where the master keys of one KES are. */
export interface KeyLocation {
  readonly mount: string;
  readonly prefix: string;
  readonly kvVersion: 1 | 2;
}

/**
 * What KES may do: read keys and write each once. Without `update` a key that exists cannot be overwritten, without
 * `delete` it cannot be removed (vault-plugin-secrets-kv, existence check: a present key needs `update`).
 */
export function kesPolicyRules(keys: KeyLocation): PolicyRule[] {
  return [{ path: keyPath(keys), capabilities: ['create', 'read'] }];
}

function keyPath({ mount, prefix, kvVersion }: KeyLocation): string {
  return kvVersion === 2 ? `${mount}/data/${prefix}/*` : `${mount}/${prefix}/*`;
}

/** What KES may do while keys are copied out of another mount of the same Vault: read them there, too. */
export function migrationPolicyRules(own: KeyLocation, source: KeyLocation): PolicyRule[] {
  return [...kesPolicyRules(own), { path: keyPath(source), capabilities: ['read'] }];
}

/** What the token that reads metrics may do. It renews itself, so that it stays the same in whatever reads by it. */
export const METRICS_RULES: readonly PolicyRule[] = [
  { path: 'sys/metrics', capabilities: ['read'] },
  { path: 'auth/token/renew-self', capabilities: ['update'] },
];

/** What the token of a seal may do: use one key, and stay alive. */
export function sealRules({ mount, key }: { readonly mount: string; readonly key: string }): PolicyRule[] {
  return [
    { path: `${mount}/encrypt/${key}`, capabilities: ['update'], why: 'seals the root key of the embedded Vault' },
    { path: `${mount}/decrypt/${key}`, capabilities: ['update'], why: 'opens it again after each start' },
    { path: 'auth/token/renew-self', capabilities: ['update'], why: 'the embedded Vault renews the token' },
    { path: 'auth/token/lookup-self', capabilities: ['read'], why: 'a deploy and the checks look when it ends' },
  ];
}

/** What the token of the `keystore` stack is for. */
export interface ProvisionedObjects {
  readonly keys: KeyLocation;
  /** Whether the KV mount is someone else's, who made it before. */
  readonly existingKvMount: boolean;
  readonly kesPolicy: string;
  /**
   * The policy that these rules become, where the initialisation of an embedded Vault keeps it as declared.
   *
   * @default - an administrator writes it
   */
  readonly provisionerPolicy?: string;
  /** The policy of the token that reads metrics. @default - there is no such token */
  readonly metricsPolicy?: string;
  readonly appRoleMount: string;
  /** Whether the AppRole backend is someone else's, who made it before. */
  readonly existingAppRoleMount: boolean;
  readonly role: string;
  /** Whether the deploy mints the SecretID, or is handed one that it must not be able to mint. */
  readonly mintsSecretId: boolean;
  /** Whether the checks look which audit devices there are. */
  readonly seesAuditDevices: boolean;
  /** Those that it makes. */
  readonly auditDevices: readonly string[];
  /** Whether Vault is several servers of this deployment. */
  readonly isCluster: boolean;
  /** Whether the token may also remove what holds keys. */
  readonly allowDataLoss: boolean;
}

/**
 * What the token that declares the key store may do: exactly its own mount, policy, role and audit devices. It can
 * read no master key, and it cannot change its own policy.
 *
 * `update` makes mounts, policies and audit devices, too: only paths that can tell whether something exists know
 * `create` (hashicorp/vault, sdk/framework/backend.go, HandleExistenceCheck).
 */
export function provisionerPolicyRules(objects: ProvisionedObjects): PolicyRule[] {
  const { keys, kesPolicy, provisionerPolicy, metricsPolicy, appRoleMount, auditDevices } = objects;
  const role = `auth/${appRoleMount}/role/${objects.role}`;
  return [
    {
      path: 'auth/token/lookup-self',
      capabilities: ['read'],
      why: 'the Terraform provider looks at the token that it was given',
    },
    {
      path: 'sys/capabilities-self',
      capabilities: ['update'],
      why: 'a right that is missing is named before anything is changed',
    },
    { path: 'sys/mounts', capabilities: ['read'], why: 'which mounts there are' },
    ...(objects.isCluster
      ? ([
          {
            path: 'sys/storage/raft/autopilot/state',
            capabilities: ['read'],
            why: 'whether Raft could lose another server, before a change goes on to the next one',
          },
        ] satisfies PolicyRule[])
      : []),
    ...(objects.existingKvMount
      ? []
      : ([
          {
            path: `sys/mounts/${keys.mount}`,
            capabilities: ['read', 'update', ...(objects.allowDataLoss ? (['delete'] as const) : [])],
            why: `makes the KV mount of the master keys${objects.allowDataLoss ? ', and lets cdktf destroy remove it with all of them' : ''}`,
          },
          { path: `sys/mounts/${keys.mount}/tune`, capabilities: ['update'], why: 'changes its options' },
        ] satisfies PolicyRule[])),
    ...(keys.kvVersion === 1
      ? []
      : ([
          {
            path: `${keys.mount}/config`,
            capabilities: ['read'],
            why: 'the checks ask whether Vault still has the version of each key that KES reads,',
          },
          {
            path: `${keys.mount}/metadata/${keys.prefix}/*`,
            capabilities: ['read'],
            why: 'and for how long; never for the key itself',
          },
        ] satisfies PolicyRule[])),
    {
      path: `sys/policies/acl/${kesPolicy}`,
      capabilities: ['read', 'update', 'delete'],
      why: 'the policy of KES: to create and read its own keys',
    },
    ...(provisionerPolicy === undefined
      ? []
      : ([
          {
            path: `sys/policies/acl/${provisionerPolicy}`,
            capabilities: ['read'],
            why: 'to see whether this policy is still the declared one; never to change it',
          },
          {
            path: 'auth/token/accessors',
            capabilities: ['list', 'sudo'],
            why: 'the checks look for root tokens that were left; Vault asks for sudo,',
          },
          {
            path: 'auth/token/lookup-accessor',
            capabilities: ['update'],
            why: 'and says what each token may do; its accessor does not let it be used',
          },
        ] satisfies PolicyRule[])),
    ...(metricsPolicy === undefined
      ? []
      : ([
          {
            path: `sys/policies/acl/${metricsPolicy}`,
            capabilities: ['read'],
            why: 'to see whether the policy of the token that reads metrics is the declared one',
          },
        ] satisfies PolicyRule[])),
    { path: 'sys/auth', capabilities: ['read'], why: 'which auth methods there are' },
    ...(objects.existingAppRoleMount
      ? []
      : ([
          {
            path: `sys/auth/${appRoleMount}`,
            capabilities: ['update', 'delete', 'sudo'],
            why: 'makes the AppRole backend by which KES logs in; Vault asks for sudo',
          },
          {
            path: `sys/mounts/auth/${appRoleMount}`,
            capabilities: ['read'],
            // terraform-provider-vault 5.x, resource_auth_backend.go, GetAuthMount
            why: 'the Terraform provider looks at that backend,',
          },
          {
            path: `sys/mounts/auth/${appRoleMount}/tune`,
            capabilities: ['read'],
            why: 'and at its settings',
          },
        ] satisfies PolicyRule[])),
    {
      path: role,
      capabilities: ['create', 'read', 'update', 'delete'],
      ...(objects.mintsSecretId ? {} : { allowedParameters: { bind_secret_id: [true] } }),
      why: objects.mintsSecretId
        ? 'the role of KES'
        : 'the role of KES; Vault refuses to open it to a login without a SecretID',
    },
    { path: `${role}/role-id`, capabilities: ['read'], why: 'its RoleID, for the configuration of KES' },
    ...(objects.mintsSecretId
      ? ([{ path: `${role}/secret-id`, capabilities: ['update'], why: 'mints its SecretID' }] satisfies PolicyRule[])
      : []),
    { path: `${role}/secret-id/lookup`, capabilities: ['update'], why: 'whether the SecretID of KES still works' },
    {
      path: `${role}/secret-id-accessor/destroy`,
      capabilities: ['update'],
      // by its accessor: an old SecretID need not be kept to be destroyed
      why: 'takes away a SecretID that was replaced',
    },
    ...(!objects.seesAuditDevices
      ? []
      : ([
          { path: 'sys/audit', capabilities: ['read', 'sudo'], why: 'which audit devices there are' },
        ] satisfies PolicyRule[])),
    ...auditDevices.map((name): PolicyRule => ({
      path: `sys/audit/${name}`,
      capabilities: ['update', 'delete', 'sudo'],
      why: 'makes an audit device',
    })),
  ];
}
