/**
 * Vault policies as text. Every capability here is shown to be needed, and what is not here shown to be refused, by
 * test/e2e.
 */

export type Capability = 'create' | 'read' | 'update' | 'delete' | 'list' | 'sudo';

/** The rules of one policy: capabilities by path. */
export type PolicyRules = Readonly<Record<string, readonly Capability[]>>;

/** A policy in Vault's language. */
export function policyDocument(rules: PolicyRules): string {
  return Object.entries(rules)
    .map(([path, capabilities]) => {
      const list = capabilities.map((capability) => `"${capability}"`).join(', ');
      return `path "${path}" {\n  capabilities = [${list}]\n}\n`;
    })
    .join('\n');
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
export function kesPolicyRules({ mount, prefix, kvVersion }: KeyLocation): PolicyRules {
  return { [kvVersion === 2 ? `${mount}/data/${prefix}/*` : `${mount}/${prefix}/*`]: ['create', 'read'] };
}

/** What KES may do for a migration besides: see which keys are in the place that they leave, and read them. */
export function migrationPolicyRules(own: KeyLocation, source: KeyLocation): PolicyRules {
  const rules: Record<string, readonly Capability[]> = { ...kesPolicyRules(own) };
  const { mount, prefix, kvVersion } = source;
  const allow = (path: string, capability: Capability): void => {
    rules[path] = [...new Set([...(rules[path] ?? []), capability])];
  };
  allow(kvVersion === 2 ? `${mount}/data/${prefix}/*` : `${mount}/${prefix}/*`, 'read');
  allow(kvVersion === 2 ? `${mount}/metadata/${prefix}/*` : `${mount}/${prefix}/*`, 'list');
  return rules;
}

/** What the token of the `keystore` stack is for. */
export interface ProvisionedObjects {
  readonly keys: KeyLocation;
  readonly kesPolicy: string;
  /** The policy that these rules become. */
  readonly provisionerPolicy: string;
  readonly appRoleMount: string;
  readonly role: string;
  readonly auditDevices: readonly string[];
  /** Whether the token may also remove what holds keys. */
  readonly allowDataLoss: boolean;
}

/**
 * What the token that declares the key store may do: exactly its own mount, policy, role and audit devices. It can
 * read no master key, and it cannot change its own policy.
 */
export function provisionerPolicyRules(objects: ProvisionedObjects): PolicyRules {
  const { keys, kesPolicy, provisionerPolicy, appRoleMount, role } = objects;
  const remove: Capability[] = objects.allowDataLoss ? ['delete'] : [];
  return {
    // the provider works with a child token of its own
    'auth/token/create': ['update'],
    'sys/mounts': ['read'],
    [`sys/mounts/${keys.mount}`]: ['create', 'read', 'update', ...remove],
    [`sys/mounts/${keys.mount}/tune`]: ['read', 'update'],
    ...(keys.kvVersion === 1
      ? {}
      : {
          // whether Vault still has the version of each key that KES reads, and for how long; never the key itself
          [`${keys.mount}/config`]: ['read'],
          [`${keys.mount}/metadata/${keys.prefix}/*`]: ['read'],
        }),
    [`sys/policies/acl/${kesPolicy}`]: ['create', 'read', 'update', 'delete'],
    // to see whether it still is the declared one; never to change it
    [`sys/policies/acl/${provisionerPolicy}`]: ['read'],
    'sys/auth': ['read'],
    [`sys/auth/${appRoleMount}`]: ['create', 'read', 'update', 'delete', 'sudo'],
    [`sys/auth/${appRoleMount}/tune`]: ['read', 'update', 'sudo'],
    [`sys/mounts/auth/${appRoleMount}`]: ['read'],
    [`sys/mounts/auth/${appRoleMount}/tune`]: ['read', 'update'],
    [`auth/${appRoleMount}/role/${role}`]: ['create', 'read', 'update', 'delete'],
    [`auth/${appRoleMount}/role/${role}/role-id`]: ['read', 'update'],
    [`auth/${appRoleMount}/role/${role}/secret-id`]: ['create', 'update'],
    [`auth/${appRoleMount}/role/${role}/secret-id/lookup`]: ['update'],
    // by its accessor, so that nobody has to keep an old SecretID to be able to destroy it
    [`auth/${appRoleMount}/role/${role}/secret-id-accessor/destroy`]: ['update'],
    ...(objects.auditDevices.length === 0 ? {} : { 'sys/audit': ['read', 'sudo'] }),
    ...Object.fromEntries(
      objects.auditDevices.map((name) => [`sys/audit/${name}`, ['create', 'read', 'update', 'delete', 'sudo']]),
    ),
  };
}
