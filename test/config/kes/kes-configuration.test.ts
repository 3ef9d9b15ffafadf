import {
  allowedPaths,
  type KesConfiguration,
  kesConfigurationProblems,
  renderKesConfiguration,
  type VaultKeyStore,
} from '../../../config/kes/kes-configuration';
import { KES_CONFIGURATION, KES_SECRETS, VAULT_KEY_STORE } from '../../helpers/servers/kes';

type Change = Partial<Omit<KesConfiguration, 'cache' | 'keyStore'>> & {
  readonly cache?: Partial<KesConfiguration['cache']>;
  readonly keyStore?: Partial<VaultKeyStore>;
};

const changed = (change: Change): KesConfiguration => ({
  ...KES_CONFIGURATION,
  ...change,
  cache: { ...KES_CONFIGURATION.cache, ...change.cache },
  keyStore: { ...VAULT_KEY_STORE, ...change.keyStore },
});

describe('what KES would break silently is refused', () => {
  const name = 'must be 1 to 80 characters of 0-9, A-Z, a-z, "_" and "-", without "-" at either end, and not "_" alone';
  const path = 'must be segments of 0-9, A-Z, a-z, "_" and "-" joined by single slashes, without a slash at either end';
  const minio = { name: 'minio', keys: [{ actions: ['generate' as const], names: ['a'] }] };

  test('a configuration that works has no problem', () => {
    expect(kesConfigurationProblems(KES_CONFIGURATION)).toEqual([]);
    expect(kesConfigurationProblems(changed({ address: '[::]:7373', cache: { offline: '24h' } }))).toEqual([]);
  });

  test.each<[string, Change, string]>([
    [
      'a DNS name to listen on',
      { address: 'localhost:7373' },
      '`address` must be an IP address and a port, because KES refuses DNS names, got: localhost:7373',
    ],
    [
      'an address without a port',
      { address: '0.0.0.0' },
      '`address` must be an IP address and a port, because KES refuses DNS names, got: 0.0.0.0',
    ],
    ['the name of a client', { clients: [{ ...minio, name: 'a.b' }] }, `\`clients[0].name\` ${name}, got: a.b`],
    [
      'two clients of one name',
      { clients: [minio, minio] },
      '`clients[1].name` must be unique, because an identity has one policy, got: minio',
    ],
    [
      'a client that may do nothing',
      { clients: [{ name: 'idle', keys: [] }] },
      '`clients[0]` must be allowed something, got: idle',
    ],
    [
      'a pattern where a key must be named',
      { clients: [{ name: 'minio', keys: [{ actions: ['decrypt'], names: ['a', '*'] }] }] },
      `\`clients[0].keys[0].names\` ${name}, got: *`,
    ],
    ['a cache without an end', { cache: { any: '0s' } }, '`cache.any` must be longer than 0s, got: 0s'],
    ['a cache that KES would shorten', { cache: { unused: '0m' } }, '`cache.unused` must be longer than 0s, got: 0m'],
    [
      'a cache time that is none',
      { cache: { offline: '' } },
      '`cache.offline` must be a duration such as 30s, 5m or 1h30m, got: ',
    ],
    [
      'Vault in the clear',
      { keyStore: { endpoint: 'http://vault:8200' } },
      '`keyStore.endpoint` must begin with https://, got: http://vault:8200',
    ],
    ['the mount', { keyStore: { mount: '/kes' } }, `\`keyStore.mount\` ${path}, got: /kes`],
    ['no folder in the mount', { keyStore: { prefix: '' } }, `\`keyStore.prefix\` ${path}, got: `],
    [
      'the interval of the look at Vault',
      { keyStore: { ping: '10' } },
      '`keyStore.ping` must be a duration such as 30s, 5m or 1h30m, got: 10',
    ],
  ])('%s', (_, change, problem) => {
    expect(kesConfigurationProblems(changed(change))).toEqual([problem]);
  });

  test('AWS in the clear', () => {
    const keyStore = { type: 'aws', endpoint: 'http://aws', region: 'eu-central-1' } as const;
    expect(kesConfigurationProblems({ ...KES_CONFIGURATION, keyStore })).toEqual([
      '`keyStore.endpoint` must begin with https://, got: http://aws',
    ]);
  });

  test('a folder of keys that KES would look for from wherever it runs', () => {
    expect(kesConfigurationProblems({ ...KES_CONFIGURATION, keyStore: { type: 'filesystem', path: 'keys' } })).toEqual([
      '`keyStore.path` must be an absolute path, got: keys',
    ]);
  });

  test('all at once', () => {
    const problems = kesConfigurationProblems(
      changed({ address: 'kes', cache: { any: '0s' }, keyStore: { mount: '' } }),
    );
    expect(problems).toHaveLength(3);
  });
});

describe('allowedPaths', () => {
  test('are each action on each key, then the routes', () => {
    expect(
      allowedPaths({
        name: 'x',
        keys: [{ actions: ['generate', 'decrypt'], names: ['a', 'b'] }],
        routes: ['/v1/ready'],
      }),
    ).toEqual(['/v1/key/generate/a', '/v1/key/generate/b', '/v1/key/decrypt/a', '/v1/key/decrypt/b', '/v1/ready']);
  });

  test('are exact: no pattern gets into a policy', () => {
    for (const client of KES_CONFIGURATION.clients) {
      for (const allowed of allowedPaths(client)) expect(allowed).not.toContain('*');
    }
  });
});

describe('the file that KES reads', () => {
  const file = renderKesConfiguration(KES_CONFIGURATION, KES_SECRETS);
  const text = JSON.stringify(file);

  test('gives each client a policy of its own for its identity', () => {
    expect(file).toHaveProperty('policy', {
      minio: {
        allow: [
          '/v1/key/generate/a',
          '/v1/key/generate/b',
          '/v1/key/decrypt/a',
          '/v1/key/decrypt/b',
          '/v1/key/describe/a',
          '/v1/key/describe/b',
        ],
        identities: ['1'.repeat(64)],
      },
      'key-creator': { allow: ['/v1/key/create/a', '/v1/status'], identities: ['2'.repeat(64)] },
    });
  });

  test('leads to the mount, folder and version of the key store', () => {
    expect(file).toHaveProperty('keystore', {
      vault: {
        endpoint: 'https://vault:8200',
        engine: 'kes',
        version: 'v2',
        prefix: 'local',
        approle: { engine: 'approle', id: 'the-role-id', secret: 'the-secret-id' },
        tls: { ca: '/files/vault-ca.crt' },
        status: { ping: '10s' },
      },
    });
  });

  test('lets KES verify Vault with the CAs of its image when no other is named', () => {
    const { caFile: _, ...keyStore } = VAULT_KEY_STORE;
    expect(renderKesConfiguration({ ...KES_CONFIGURATION, keyStore }, KES_SECRETS)).not.toHaveProperty(
      'keystore.vault.tls',
    );
  });

  test('says the version of KV and the namespace when they are others', () => {
    const other = changed({ keyStore: { kvVersion: 1, namespace: 'team' } });
    expect(renderKesConfiguration(other, KES_SECRETS)).toMatchObject({
      keystore: { vault: { version: 'v1', namespace: 'team' } },
    });
  });

  test('leads to a folder, where master keys are files', () => {
    const configuration = { ...KES_CONFIGURATION, keyStore: { type: 'filesystem', path: '/keys' } } as const;
    expect(kesConfigurationProblems(configuration)).toEqual([]);
    const secrets = { ...KES_SECRETS, login: { type: 'filesystem' } } as const;
    expect(renderKesConfiguration(configuration, secrets)).toHaveProperty('keystore', { fs: { path: '/keys' } });
  });

  test.each([
    [
      'with credentials',
      { accessKeyId: 'AKIA', secretAccessKey: { reveal: () => 'secret' } },
      { credentials: { accesskey: 'AKIA', secretkey: 'secret' } },
    ],
    ['as its instance', undefined, {}],
  ])('leads to AWS, %s', (_, credentials, rendered) => {
    const keyStore = {
      type: 'aws',
      endpoint: 'https://secretsmanager.eu-central-1.amazonaws.com',
      region: 'eu-central-1',
      kmsKey: 'alias/kes',
    } as const;
    const configuration = { ...KES_CONFIGURATION, keyStore };
    expect(kesConfigurationProblems(configuration)).toEqual([]);
    const login = { type: 'aws' as const, ...(credentials === undefined ? {} : { credentials }) };
    expect(renderKesConfiguration(configuration, { ...KES_SECRETS, login })).toHaveProperty('keystore', {
      aws: {
        secretsmanager: { endpoint: keyStore.endpoint, region: 'eu-central-1', kmskey: 'alias/kes', ...rendered },
      },
    });
  });

  test('verifies client certificates and has no administrator', () => {
    expect(file).toMatchObject({
      version: 'v1',
      address: '0.0.0.0:7373',
      admin: { identity: 'disabled' },
      tls: { auth: 'on', ca: '/files/ca.crt', cert: '/files/server.crt', key: '/files/server.key' },
    });
  });

  test('always says all cache times, because KES guesses the others from those that are there', () => {
    expect(file).toHaveProperty('cache', { expiry: { any: '5m', unused: '30s', offline: '0s' } });
  });

  test('records who used which key', () => {
    expect(file).toHaveProperty('log', { error: 'on', audit: 'on' });
  });

  test('has no `keys`, which KES reads and ignores, and no `skip_auth`, which would let everybody in', () => {
    expect(file).not.toHaveProperty('keys');
    expect(file).not.toHaveProperty('api');
    expect(text).not.toContain('skip_auth');
  });

  test('is not made for a client without an identity', () => {
    const secrets = { ...KES_SECRETS, identities: { minio: ['1'.repeat(64)] } };
    expect(() => renderKesConfiguration(KES_CONFIGURATION, secrets)).toThrow(
      new Error('client key-creator of KES has no identity'),
    );
  });

  test('is not made with the login of another key store', () => {
    const secrets = { ...KES_SECRETS, login: { type: 'filesystem' } } as const;
    expect(() => renderKesConfiguration(KES_CONFIGURATION, secrets)).toThrow(
      new Error('a login for filesystem opens no key store of type vault'),
    );
  });
});
