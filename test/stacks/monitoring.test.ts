/** What an environment declares whose metrics somebody reads, and what stays as it is where nobody does. */
import { stackOf, synthDeployment } from '../helpers/deployment';
import type { Block } from '../helpers/synth';

const WATCHED = 'name: local\nmonitoring: {}\n';
const watched = synthDeployment({ environment: WATCHED });
const plain = synthDeployment();
/** What an operation is told. */
const told = (stack: string, operation: string): Block => stackOf(watched, stack).operation(operation).input;

test('nothing about metrics is declared where nobody reads them', () => {
  const text = JSON.stringify(Object.values(plain).map((stack) => stack.json));
  expect(text).not.toMatch(/metrics|telemetry|monitoring/);
});

test('Vault keeps its metrics, and is started anew with other settings of them', () => {
  const vault = stackOf(watched, 'vault');
  const [loader] = Object.values(vault.resources('docker_container')).filter(
    ({ name }) => name === 'ebs-local-vault-files-loader',
  );
  const upload = (loader?.upload as { file: string; content?: string }[]).find(
    ({ file }) => file === '/files/vault.json',
  );
  expect(JSON.parse(upload?.content ?? '')).toMatchObject({
    telemetry: { prometheus_retention_time: '24h', disable_hostname: true },
  });
  const labels = vault.resource('docker_container', 'Vault_Server').labels as { label: string }[];
  const ofPlain = stackOf(plain, 'vault').resource('docker_container', 'Vault_Server').labels as { label: string }[];
  expect(labels.length).toBe(ofPlain.length + 1);
});

test('the initialisation of Vault makes a token that may read metrics and renew itself', () => {
  expect(told('vault', 'initialize-vault').metrics).toEqual({
    tokenFile: '/nonexistent/state/secrets/metrics/vault-token',
    policy: {
      name: 'ebs-local-metrics',
      document:
        'path "sys/metrics" {\n  capabilities = ["read"]\n}\n\npath "auth/token/renew-self" {\n  capabilities = ["update"]\n}\n',
    },
  });
});

test('the provisioner may read that policy, and not write it', () => {
  const { provisionerPolicy } = told('vault', 'initialize-vault') as {
    provisionerPolicy: { document: string };
  };
  expect(provisionerPolicy.document).toMatch(
    /path "sys\/policies\/acl\/ebs-local-metrics" \{\n {2}capabilities = \["read"\]\n\}/,
  );
});

test('MinIO has a user whose token ends, so that a deploy is due before', () => {
  expect(told('minio', 'provision-buckets').metrics).toEqual({
    userFile: '/nonexistent/state/secrets/metrics/minio-user.json',
    tokenFile: '/nonexistent/state/secrets/metrics/minio-token',
    renewalNote: '/nonexistent/state/minio-metrics-token.json',
  });
});

test('KES knows a client with a certificate of its own that may ask for metrics, and MinIO’s may not', () => {
  const { configuration } = told('keystore', 'write-kes-configuration') as {
    configuration: { clients: { name: string; keys: unknown[]; routes?: string[] }[] };
  };
  expect(configuration.clients.find(({ name }) => name === 'monitoring')).toEqual({
    name: 'monitoring',
    keys: [],
    routes: ['/v1/metrics'],
  });
  const others = configuration.clients.filter(({ name }) => name !== 'monitoring');
  expect(others.flatMap(({ routes = [] }) => routes)).not.toContain('/v1/metrics');
  const { leaves } = told('foundation', 'issue-certificates') as { leaves: { name: string; usage: string }[] };
  expect(leaves.find(({ name }) => name === 'monitoring')).toMatchObject({ usage: 'client' });
});

describe('with an audit webhook', () => {
  const AUDIT =
    'name: local\nminio: { audit: { endpoint: https://audit.example.com/, tokenFile: /etc/audit-token } }\n';
  const minio = stackOf(synthDeployment({ environment: AUDIT }), 'minio');

  test('MinIO has a volume for records that wait, which belongs to it', () => {
    expect(minio.resource('docker_volume', 'Minio_AuditQueue').name).toBe('ebs-local-minio-audit-queue');
    expect(minio.resource('docker_container', 'Minio_AuditQueue_Owner').entrypoint).toEqual(['chown']);
    expect(minio.resource('docker_container', 'Minio_Server').volumes).toEqual(
      expect.arrayContaining([expect.objectContaining({ container_path: '/audit-queue', read_only: false })]),
    );
  });

  test('it is told of the file with the token, and again when that changes', () => {
    const { input, triggers } = minio.operation('provision-buckets');
    expect(input.audit).toEqual({
      endpoint: 'https://audit.example.com/',
      tokenFile: '/etc/audit-token',
      queueFolder: '/audit-queue',
      queueSize: 100_000,
    });
    expect(triggers['audit token']).toContain('/etc/audit-token');
  });

  test('nothing of it is declared where there is none', () => {
    expect(JSON.stringify(stackOf(plain, 'minio').json)).not.toMatch(/audit/i);
  });
});
