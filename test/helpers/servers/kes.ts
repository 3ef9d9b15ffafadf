import type { KesConfiguration, KesSecrets, VaultKeyStore } from '../../../config/kes/kes-configuration';
import { Secret } from '../../../operations/lib/secret';

export const VAULT_KEY_STORE: VaultKeyStore = {
  type: 'vault',
  endpoint: 'https://vault:8200',
  mount: 'kes',
  prefix: 'local',
  kvVersion: 2,
  appRole: { mount: 'approle', role: 'kes' },
  caFile: '/files/vault-ca.crt',
  ping: '10s',
};

/** A configuration of KES with nothing wrong in it. */
export const KES_CONFIGURATION: KesConfiguration = {
  address: '0.0.0.0:7373',
  tls: { key: '/files/server.key', certificate: '/files/server.crt', ca: '/files/ca.crt' },
  clients: [
    { name: 'minio', keys: [{ actions: ['generate', 'decrypt', 'describe'], names: ['a', 'b'] }] },
    { name: 'key-creator', keys: [{ actions: ['create'], names: ['a'] }], routes: ['/v1/status'] },
  ],
  cache: { any: '5m', unused: '30s', offline: '0s' },
  keyStore: VAULT_KEY_STORE,
};

export const KES_SECRETS: KesSecrets = {
  identities: { minio: ['1'.repeat(64)], 'key-creator': ['2'.repeat(64)] },
  login: { type: 'vault', roleId: 'the-role-id', secretId: new Secret('the-secret-id') },
};
