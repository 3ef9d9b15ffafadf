/**
 * The configuration of KES as a type, with every rule that KES itself would break silently.
 *
 * A construct declares it with clients by name; the operation that writes the file knows their identities and how KES
 * logs in at its key store, and renders it. Facts: minio/kes v0.24.0, kesconf/config.go and file.go.
 */
import { z } from 'zod';
import { durationRule, durationToMs, isDuration } from '../duration';
import { kesName, vaultPath } from '../names';

/** What a client of KES may do with a master key, as the last but one segment of KES's API path. */
const keyAction = z.enum(['create', 'generate', 'decrypt', 'encrypt', 'describe']);

/** API paths of KES that are not about one key and that a policy may allow. */
const serverRoute = z.enum(['/v1/status', '/v1/ready', '/v1/metrics', '/v1/key/list/*']);

/** One client of KES: its certificate's identity may do exactly this. */
const kesClient = z.strictObject({
  /** Name of the policy and of the client certificate. */
  name: z.string(),
  /** Actions on master keys, by exact key name. */
  keys: z
    .array(z.strictObject({ actions: z.array(keyAction).readonly(), names: z.array(z.string()).readonly() }))
    .readonly(),
  /** Routes without a key. Default: none. */
  routes: z.array(serverRoute).readonly().optional(),
});
export type KesClient = z.infer<typeof kesClient>;

/** How long KES keeps a master key in memory. All three are Go durations and always written. */
const kesCache = z.strictObject({
  /** Longest time. Never 0s. */
  any: z.string(),
  /** Longest time without use. Never 0s: KES would silently shorten `any` to 30s (cmd/kes/server.go, configureCache). */
  unused: z.string(),
  /** Longest time while the key store cannot be reached; counted from the start of KES. `0s`: not longer than above. */
  offline: z.string(),
});

/** Paths inside the KES container. */
export const KES_FILES = {
  configuration: '/files/server-config.yaml',
  certificate: '/files/server.crt',
  privateKey: '/files/server.key',
  ca: '/files/ca.crt',
  vaultCa: '/files/vault-ca.crt',
  /** By which it is known to the Vaults of several hosts. */
  vaultClient: '/files/vault-client.crt',
  vaultClientKey: '/files/vault-client.key',
} as const;

/** What KES logs when it was told by SIGHUP to read its files again, and to log in again (cmd/kes/server.go). */
export const KES_RELOADED = {
  kind: 'log' as const,
  success: 'Reloading configuration after SIGHUP signal completed',
  failures: ['Failed to reload server config', 'Failed to update server configuration'],
};

/** Folder of the master keys inside the KES container, where they are files. */
export const KEY_FOLDER = '/keys';

/** Where KES keeps the master keys. */
const kesKeyStore = z.discriminatedUnion('type', [
  /** A KV mount in Vault, reached by AppRole. */
  z.strictObject({
    type: z.literal('vault'),
    /** `https://` address of Vault as KES reaches it. */
    endpoint: z.string(),
    namespace: z.string().optional(),
    /** Path of the KV mount. */
    mount: z.string(),
    /** Folder in the mount. Always set, so that a policy can end there. */
    prefix: z.string(),
    kvVersion: z.literal([1, 2]),
    appRole: z.strictObject({ mount: z.string(), role: z.string() }),
    /** Path of the CA certificates of Vault inside the KES container. Default: those of the image. */
    caFile: z.string().optional(),
    /** Paths there of what it shows Vault. Default: nothing. */
    client: z.strictObject({ certificate: z.string(), key: z.string() }).optional(),
    /** How often KES looks whether Vault answers. */
    ping: z.string(),
  }),
  /** AWS Secrets Manager: a secret for each master key, of the same name. */
  z.strictObject({
    type: z.literal('aws'),
    /** `https://` address of Secrets Manager. */
    endpoint: z.string(),
    region: z.string(),
    /** KMS key of the secrets. Default: the account's own for Secrets Manager. */
    kmsKey: z.string().optional(),
  }),
  /** A folder in the KES container. */
  z.strictObject({
    type: z.literal('filesystem'),
    /** Absolute path. */
    path: z.string(),
  }),
]);
export type KesKeyStore = z.infer<typeof kesKeyStore>;
export type VaultKeyStore = Extract<KesKeyStore, { type: 'vault' }>;

/** The whole of it, as a construct hands it to the operation that writes the file. */
export const kesConfigurationSchema = z.strictObject({
  /** IP address and port to listen on. KES refuses a DNS name. */
  address: z.string(),
  /** Paths inside the container. Client certificates are verified against `ca` (`auth: on`). */
  tls: z.strictObject({ key: z.string(), certificate: z.string(), ca: z.string() }),
  clients: z.array(kesClient).readonly(),
  cache: kesCache,
  keyStore: kesKeyStore,
});
export type KesConfiguration = z.infer<typeof kesConfigurationSchema>;

/** What only the operation that writes the file knows. */
export interface KesSecrets {
  /** Identities of each client, while its key is rotated more than one: hex SHA-256 of the SubjectPublicKeyInfo. */
  readonly identities: Readonly<Record<string, readonly string[]>>;
  readonly login: KesLogin;
}

/** What prints as something else, see operations/lib/secret.ts. */
interface Concealed {
  readonly reveal: () => string;
}

/** How KES logs in at its key store. */
export type KesLogin =
  | { readonly type: 'vault'; readonly roleId: string; readonly secretId: Concealed }
  /** Without credentials KES asks the EC2 instance for those of its role. */
  | {
      readonly type: 'aws';
      readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: Concealed };
    }
  | { readonly type: 'filesystem' };

/** Everything that is wrong with a configuration: which property, the rule, the value got. Empty if nothing is. */
export function kesConfigurationProblems(configuration: KesConfiguration): string[] {
  const problems: string[] = [];
  const refuse = (property: string, rule: string, got: string): void => {
    problems.push(`\`${property}\` ${rule}, got: ${got}`);
  };

  if (!/^(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:]+\]):\d{1,5}$/i.test(configuration.address)) {
    refuse('address', 'must be an IP address and a port, because KES refuses DNS names', configuration.address);
  }

  const names = new Set<string>();
  configuration.clients.forEach((client, index) => {
    const at = `clients[${index}]`;
    if (!kesName.test(client.name)) refuse(`${at}.name`, kesName.rule, client.name);
    if (names.has(client.name)) refuse(`${at}.name`, 'must be unique, because an identity has one policy', client.name);
    names.add(client.name);
    if (client.keys.length === 0 && (client.routes ?? []).length === 0) {
      refuse(at, 'must be allowed something', client.name);
    }
    client.keys.forEach((grant, grantIndex) => {
      for (const name of grant.names) {
        if (!kesName.test(name)) refuse(`${at}.keys[${grantIndex}].names`, kesName.rule, name);
      }
    });
  });

  for (const which of ['any', 'unused', 'offline'] as const) {
    const time = configuration.cache[which];
    if (!isDuration(time)) refuse(`cache.${which}`, durationRule, time);
    else if (which !== 'offline' && durationToMs(time) === 0) refuse(`cache.${which}`, 'must be longer than 0s', time);
  }

  const { keyStore } = configuration;
  switch (keyStore.type) {
    case 'vault':
      if (!keyStore.endpoint.startsWith('https://')) {
        refuse('keyStore.endpoint', 'must begin with https://', keyStore.endpoint);
      }
      if (!vaultPath.test(keyStore.mount)) refuse('keyStore.mount', vaultPath.rule, keyStore.mount);
      if (!vaultPath.test(keyStore.prefix)) refuse('keyStore.prefix', vaultPath.rule, keyStore.prefix);
      if (!isDuration(keyStore.ping)) refuse('keyStore.ping', durationRule, keyStore.ping);
      break;
    case 'aws':
      if (!keyStore.endpoint.startsWith('https://')) {
        refuse('keyStore.endpoint', 'must begin with https://', keyStore.endpoint);
      }
      break;
    case 'filesystem':
      if (!keyStore.path.startsWith('/')) refuse('keyStore.path', 'must be an absolute path', keyStore.path);
      break;
  }
  return problems;
}

/** The API paths that a client's policy allows, in the order in which they were declared. */
export function allowedPaths(client: KesClient): string[] {
  const keys = client.keys.flatMap(({ actions, names }) =>
    actions.flatMap((action) => names.map((name) => `/v1/key/${action}/${name}`)),
  );
  return [...keys, ...(client.routes ?? [])];
}

/**
 * The configuration file of KES as a plain value, ready for a YAML writer.
 *
 * There is no `keys:` block, because this version of KES reads and ignores it, and no `skip_auth`, because one would
 * make client certificates optional on every route.
 *
 * @throws Error if a client has no identity, or the login is for another key store; {@link kesConfigurationProblems}
 *   is asked before
 */
export function renderKesConfiguration(configuration: KesConfiguration, secrets: KesSecrets): Record<string, unknown> {
  return {
    version: 'v1',
    address: configuration.address,
    admin: { identity: 'disabled' },
    tls: {
      key: configuration.tls.key,
      cert: configuration.tls.certificate,
      ca: configuration.tls.ca,
      auth: 'on',
    },
    policy: Object.fromEntries(
      configuration.clients.map((client) => {
        const identities = secrets.identities[client.name] ?? [];
        if (identities.length === 0) throw new Error(`client ${client.name} of KES has no identity`);
        return [client.name, { allow: allowedPaths(client), identities: [...identities] }];
      }),
    ),
    cache: { expiry: { ...configuration.cache } },
    log: { error: 'on', audit: 'on' },
    keystore: renderKeyStore(configuration.keyStore, secrets.login),
  };
}

function renderKeyStore(keyStore: KesKeyStore, login: KesLogin): Record<string, unknown> {
  if (keyStore.type === 'vault' && login.type === 'vault') {
    return {
      vault: {
        endpoint: keyStore.endpoint,
        ...(keyStore.namespace === undefined ? {} : { namespace: keyStore.namespace }),
        engine: keyStore.mount,
        version: `v${keyStore.kvVersion}`,
        prefix: keyStore.prefix,
        approle: { engine: keyStore.appRole.mount, id: login.roleId, secret: login.secretId.reveal() },
        ...(keyStore.caFile === undefined
          ? {}
          : {
              tls: {
                ca: keyStore.caFile,
                ...(keyStore.client === undefined
                  ? {}
                  : { cert: keyStore.client.certificate, key: keyStore.client.key }),
              },
            }),
        status: { ping: keyStore.ping },
      },
    };
  }
  if (keyStore.type === 'aws' && login.type === 'aws') {
    const { endpoint, region, kmsKey } = keyStore;
    const { credentials } = login;
    return {
      aws: {
        secretsmanager: {
          endpoint,
          region,
          ...(kmsKey === undefined ? {} : { kmskey: kmsKey }),
          ...(credentials === undefined
            ? {}
            : { credentials: { accesskey: credentials.accessKeyId, secretkey: credentials.secretAccessKey.reveal() } }),
        },
      },
    };
  }
  if (keyStore.type === 'filesystem' && login.type === 'filesystem') return { fs: { path: keyStore.path } };
  throw new Error(`a login for ${login.type} opens no key store of type ${keyStore.type}`);
}
