import { AUDIT_DEVICES, kesConfiguration, keyLocation, provisionerRules } from '../../../config/keys/key-store';
import { kesConfigurationProblems } from '../../../config/kes/kes-configuration';
import { parseEnvironment } from '../../../config/load';
import { inVault } from '../../helpers/servers/vault';

const environment = (more = '') => parseEnvironment(`name: prod\n${more}`, 'test.yaml');

test('the configuration of KES names keys, clients and place of an environment', () => {
  const declared = environment('buckets: [{ name: photos, encryption: { type: sse-kms, key: photos } }]');

  const configuration = kesConfiguration(declared, { minio: ['old'] }, {});

  expect(kesConfigurationProblems(configuration)).toEqual([]);
  expect(configuration).toMatchObject({
    address: '0.0.0.0:7373',
    tls: { key: '/files/server.key', certificate: '/files/server.crt', ca: '/files/ca.crt' },
    cache: { any: '5m', unused: '30s', offline: '0s' },
    keyStore: {
      type: 'vault',
      endpoint: 'https://vault:8200',
      ...keyLocation(inVault(declared).keyStore),
      appRole: { mount: 'approle', role: 'ebs-prod-kes' },
      caFile: '/files/vault-ca.crt',
    },
  });
  expect(configuration.clients.map(({ name }) => name)).toEqual(['minio', 'key-creator', 'key-prover', 'health']);
  expect(configuration.clients[1]?.keys).toEqual([{ actions: ['create'], names: ['backup-default', 'photos'] }]);
});

test('an embedded Vault has two audit devices, because it answers nothing when it can write to none', () => {
  expect(AUDIT_DEVICES).toHaveLength(2);
});

test('OpenBao has its audit devices from its configuration, so the deploy may look at them and change none', () => {
  const rulesOf = (distribution: string) =>
    provisionerRules(inVault(environment(`vault: { mode: embedded, distribution: ${distribution} }`)))
      .filter(({ path }) => path.startsWith('sys/audit'))
      .map(({ path, capabilities }) => `${path}: ${capabilities.join(', ')}`);
  expect(rulesOf('openbao')).toEqual(['sys/audit: read, sudo']);
  expect(rulesOf('vault')).toEqual([
    'sys/audit: read, sudo',
    'sys/audit/file: update, delete, sudo',
    'sys/audit/stdout: update, delete, sudo',
  ]);
});

test('an environment without a Vault leads KES to its key folder', () => {
  const files = environment('keyStore: { type: filesystem }');

  expect(kesConfiguration(files, {}, {}).keyStore).toEqual({ type: 'filesystem', path: '/keys' });
});
