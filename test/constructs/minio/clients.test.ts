import type { EnvironmentInput } from '../../../config/environment';
import { stackOf, synthDeployment } from '../../helpers/deployment';

const BUCKETS: Partial<EnvironmentInput> = { buckets: [{ name: 'backup', versioning: true }] };
const ONE: Partial<EnvironmentInput> = {
  ...BUCKETS,
  clients: [{ name: 'postgres', access: [{ bucket: 'backup', prefix: 'postgres/', may: 'append' }] }],
};

const minioStack = (settings: Partial<EnvironmentInput>, hadClients = false) =>
  stackOf(synthDeployment({ environment: JSON.stringify({ name: 'local', ...settings }), hadClients }), 'minio');

test('clients are provisioned after the buckets, and again when a policy, a file or the time asks for it', () => {
  const operation = minioStack(ONE).operation('provision-clients');
  expect(operation.input).toEqual({
    endpoint: { url: 'https://127.0.0.1:9000', caFile: '/nonexistent/state/tls/ca.crt' },
    region: 'us-east-1',
    iamFile: '/nonexistent/state/secrets/minio/iam.json',
    clients: [
      {
        name: 'postgres',
        grants: [{ bucket: 'backup', prefix: 'postgres/', may: 'append', objectLock: false, keys: ['backup-default'] }],
      },
    ],
    denySseC: false,
    folder: '/nonexistent/state/secrets/clients',
    renewalNote: '/nonexistent/state/clients.json',
  });
  expect(operation.dependsOn).toEqual([expect.stringMatching(/^terraform_data\.Buckets_Provision/)]);
  expect(operation.triggers.buckets).toMatch(/^\$\{terraform_data\.Buckets_Provision_.*\.id\}$/);
  expect(operation.triggers.policies).toMatch(/^[0-9a-f]{64}$/);
  expect(operation.triggers.generation).toContain('/nonexistent/state/secrets/clients/postgres.json');
});

test('an environment that has no clients, and had none, declares nothing for them', () => {
  const commands = minioStack(BUCKETS)
    .operations()
    .map(({ command }) => command);
  expect(commands.filter((command) => command.includes('clients'))).toEqual([]);
});

test('where clients were, and none is declared any more, they are taken away', () => {
  expect(minioStack(BUCKETS, true).operation('provision-clients').input).toMatchObject({ clients: [] });
});

test('the checks run again when clients were provisioned', () => {
  const stacks = synthDeployment({ environment: JSON.stringify({ name: 'local', ...ONE }) });
  const { triggers } = stackOf(stacks, 'checks').operation('run-checks');
  expect(triggers).toHaveProperty('clients');
});
