import type { EnvironmentInput } from '../../../config/environment';
import { MinioServer, type MinioServerProps } from '../../../constructs/minio/minio-server';
import { deploymentWith, groundOf, REGISTRY_IMAGES } from '../../helpers/deployment';
import { newStack, synth } from '../../helpers/synth';

interface Changes extends Partial<EnvironmentInput> {
  readonly kms?: Partial<MinioServerProps['kes']>;
}

function declare({ kms, ...settings }: Changes = {}) {
  const stack = newStack();
  const deployment = deploymentWith({
    docker: { publishAddress: '0.0.0.0' },
    ...settings,
    minio: { port: 19000, region: 'eu-central-1', ...settings.minio },
  });
  const { ca, keys } = groundOf(deployment);
  const kes = { ...keys.asKmsFor('minio'), ...kms };
  const server = new MinioServer(stack, 'Minio', { deployment, kes, certificate: ca.issue('minio') });
  const synthesized = synth(stack);
  const container = synthesized.resource('docker_container', 'Minio_Server');
  const variables = Object.fromEntries(
    (container.env as string[]).map((variable): [string, string] => {
      const [name = '', ...value] = variable.split('=');
      return [name, value.join('=')];
    }),
  );
  return { server, synthesized, container, variables };
}

test('MinIO serves TLS itself and keeps its data in a volume that is not deleted', () => {
  const { server, synthesized, container } = declare();

  expect(container).toMatchObject({
    name: 'ebs-local-minio',
    entrypoint: ['/usr/bin/minio'],
    command: [
      ...['server', '--quiet', '--certs-dir', '/files/certs', '--address', ':9000', '--read-header-timeout', '10s'],
      '/data',
    ],
    networks_advanced: [{ name: 'ebs-local', aliases: ['minio'] }],
    ports: [{ internal: 9000, external: 19000, ip: '0.0.0.0' }],
    volumes: [
      { volume_name: 'ebs-local-minio-files', container_path: '/files', read_only: true },
      { volume_name: 'ebs-local-minio-data', container_path: '/data', read_only: false },
    ],
    stop_timeout: 30,
  });
  expect(synthesized.resource('docker_container', 'Minio_Files_Loader').upload).toMatchObject([
    { file: '/files/certs/public.crt', source: '/nonexistent/state/tls/minio-server.crt' },
    { file: '/files/certs/private.key', source: '/nonexistent/state/secrets/tls/minio-server.key' },
    { file: '/files/certs/CAs/private-ca.crt', source: '/nonexistent/state/tls/ca.crt' },
    { file: '/files/certs/CAs/trusted-cas.crt', source: '/nonexistent/state/tls/trusted-cas.crt' },
    { file: '/files/kes/client.crt', source: '/nonexistent/state/tls/minio.crt' },
    { file: '/files/kes/client.key', source: '/nonexistent/state/secrets/tls/minio.key' },
    { file: '/files/config.env', source: '/nonexistent/state/secrets/minio/config.env' },
  ]);
  expect(synthesized.resource('docker_volume', 'Minio_Data')).toMatchObject({
    name: 'ebs-local-minio-data',
    lifecycle: { prevent_destroy: true },
  });
  expect(server.endpoint).toEqual({ url: 'https://127.0.0.1:19000', caFile: '/nonexistent/state/tls/ca.crt' });
});

const driveMounts = ({ volumes = [], mounts = [], command }: Record<string, unknown>) => ({
  drives: (command as string[]).at(-1),
  volumes: (volumes as Record<string, unknown>[]).filter((volume) => volume.container_path !== '/files'),
  mounts,
});

test('several volumes are one erasure set, each kept as that of a single drive is', () => {
  // WHEN
  const { synthesized, container } = declare({ minio: { drives: 4 } });

  // THEN
  expect(driveMounts(container)).toEqual({
    drives: '/drives/{1...4}',
    volumes: [1, 2, 3, 4].map((number) => ({
      volume_name: `ebs-local-minio-data-${number}`,
      container_path: `/drives/${number}`,
      read_only: false,
    })),
    mounts: [],
  });
  const volumes = Object.values(synthesized.resources('docker_volume')).filter(
    ({ name }) => !String(name).includes('files'),
  );
  expect(volumes).toMatchObject(
    [1, 2, 3, 4].map((number) => ({ name: `ebs-local-minio-data-${number}`, lifecycle: { prevent_destroy: true } })),
  );
  expect(volumes).toHaveLength(4);
});

test.each([
  [['/mnt/disk1', '/mnt/disk2', '/mnt/disk3', '/mnt/disk4'], '/drives/{1...4}'],
  [['/mnt/disk1'], '/data'],
])('folders of the host are mounted as they are, in their order: %j', (folders, drives) => {
  // WHEN
  const { synthesized, container } = declare({ minio: { drives: folders } });

  // THEN
  expect(driveMounts(container)).toEqual({
    drives,
    volumes: [],
    mounts: folders.map((source, index) => ({
      type: 'bind',
      source,
      target: folders.length === 1 ? '/data' : `/drives/${index + 1}`,
      read_only: false,
    })),
  });
  expect(Object.values(synthesized.resources('docker_volume')).map(({ name }) => name)).toEqual([
    'ebs-local-minio-files',
  ]);
});

test.each([1, 4])('Terraform forgets %i volumes where folders are declared, and deletes none', (count) => {
  // GIVEN
  const folders = Array.from({ length: count }, (_, index) => `/mnt/disk${index + 1}`);
  const before = declare({ minio: { drives: count } }).synthesized;

  // WHEN
  const { json } = declare({ minio: { drives: folders } }).synthesized;

  // THEN
  const volumes = Object.keys(before.resources('docker_volume')).filter((id) => id.startsWith('Minio_Data'));
  expect(volumes).toHaveLength(count);
  expect(json.removed).toEqual(volumes.map((id) => ({ from: `docker_volume.${id}`, lifecycle: { destroy: false } })));
  expect(before.json.removed).toBeUndefined();
});

test('parity is MinIO’s own unless it is declared', () => {
  expect(declare().variables).not.toHaveProperty('MINIO_STORAGE_CLASS_STANDARD');
  expect(declare({ minio: { drives: 8, parity: 3 } }).variables).toMatchObject({
    MINIO_STORAGE_CLASS_STANDARD: 'EC:3',
  });
});

test('MinIO reaches KES with a certificate and reads its credentials from a file', () => {
  expect(declare().variables).toEqual({
    MINIO_CONFIG_ENV_FILE: '/files/config.env',
    MINIO_REGION: 'eu-central-1',
    MINIO_BROWSER: 'off',
    MINIO_UPDATE: 'off',
    MINIO_KMS_KES_ENDPOINT: 'https://kes:7373',
    MINIO_KMS_KES_KEY_NAME: 'backup-default',
    MINIO_KMS_KES_CERT_FILE: '/files/kes/client.crt',
    MINIO_KMS_KES_KEY_FILE: '/files/kes/client.key',
    MINIO_KMS_KES_CAPATH: '/files/certs/CAs',
    MINIO_KMS_AUTO_ENCRYPTION: 'on',
  });
});

test('names below a domain mean buckets', () => {
  expect(declare({ minio: { domain: 's3.lan' } }).variables).toMatchObject({ MINIO_DOMAIN: 's3.lan' });
});

test('MinIO takes several KES, and can leave plain requests plain', () => {
  const { variables } = declare({
    kms: { endpoints: ['https://kes-1:7373', 'https://kes-2:7373'], autoEncryption: false },
  });
  expect(variables).toMatchObject({
    MINIO_KMS_KES_ENDPOINT: 'https://kes-1:7373,https://kes-2:7373',
    MINIO_KMS_AUTO_ENCRYPTION: 'off',
  });
});

test('MinIO is healthy when its storage is, whatever Vault does', () => {
  const { test: command } = declare().container.healthcheck as { test: string[] };
  expect(command.slice(-6)).toEqual(['--config-dir', '/tmp/mc', '--resolve', 'minio:9000=127.0.0.1', 'ready', 'local']);
  expect(command).toContain('SSL_CERT_FILE=/files/certs/CAs/private-ca.crt');
  expect(command).not.toContain('--insecure');
});

test('MinIO is told when one of its files has changed, and must then serve the certificate', () => {
  const { input, triggers } = declare().synthesized.operation('reload-container');
  expect(input).toEqual({
    container: 'ebs-local-minio',
    signal: 'SIGHUP',
    proof: {
      kind: 'certificates',
      url: 'https://127.0.0.1:19000',
      certificates: [{ file: '/nonexistent/state/tls/minio-server.crt', caFile: '/nonexistent/state/tls/ca.crt' }],
    },
  });
  expect(Object.keys(triggers)).toEqual(
    expect.arrayContaining(['certs/public.crt', 'certs/private.key', 'kes/client.crt']),
  );
});

test('MinIO starts anew when CAs or credentials change, which it reads only then', () => {
  const labels = declare().container.labels as { label: string; value: string }[];
  expect(labels.filter(({ label }) => label.startsWith('encrypted-backup-storage.read-at-start.'))).toEqual(
    [
      '/nonexistent/state/tls/ca.crt',
      '/nonexistent/state/tls/trusted-cas.crt',
      '/nonexistent/state/secrets/minio/config.env',
    ].map((file, index) => ({
      label: `encrypted-backup-storage.read-at-start.${index + 1}`,
      value: expect.stringContaining(`filesha256("${file}")`) as string,
    })),
  );
});

describe('with certificates from elsewhere', () => {
  const files = { certificate: '/etc/s3.crt', privateKey: '/etc/s3.key' };
  const PUBLIC: Changes = {
    tls: { mode: 'files', ...files, additional: [files] },
    minio: { hostnames: ['s3.example.org'] },
  };

  test('the first is the default one, the others have folders of their own, and that of the private CA is inside', () => {
    const { synthesized } = declare(PUBLIC);
    const uploads = synthesized.resource('docker_container', 'Minio_Files_Loader').upload as Record<string, string>[];
    expect(Object.fromEntries(uploads.map(({ file = '', source }) => [file, source]))).toMatchObject({
      '/files/certs/public.crt': '/nonexistent/state/tls/s3.crt',
      '/files/certs/private.key': '/nonexistent/state/secrets/tls/s3.key',
      '/files/certs/additional-1/public.crt': '/nonexistent/state/tls/s3-additional-1.crt',
      '/files/certs/additional-1/private.key': '/nonexistent/state/secrets/tls/s3-additional-1.key',
      '/files/certs/inside/public.crt': '/nonexistent/state/tls/minio-server.crt',
      '/files/certs/inside/private.key': '/nonexistent/state/secrets/tls/minio-server.key',
    });
  });

  test('a reload proves each by the CA that clients trust, and the inside one by the private CA', () => {
    expect(declare(PUBLIC).synthesized.operation('reload-container').input.proof).toEqual({
      kind: 'certificates',
      url: 'https://127.0.0.1:19000',
      certificates: [
        { file: '/nonexistent/state/tls/s3.crt' },
        { file: '/nonexistent/state/tls/s3-additional-1.crt' },
        { file: '/nonexistent/state/tls/minio-server.crt', caFile: '/nonexistent/state/tls/ca.crt' },
      ],
    });
  });

  test('the health check goes on asking for the inside name', () => {
    const { command } = { command: (declare(PUBLIC).container.healthcheck as { test: string[] }).test };
    expect(command).toEqual(expect.arrayContaining(['MC_HOST_local=https://minio:9000', 'minio:9000=127.0.0.1']));
  });
});

test('the data may be deleted where losing it is allowed', () => {
  const { synthesized } = declare({ allowDataLoss: 'local' });
  expect(synthesized.resource('docker_volume', 'Minio_Data')).toHaveProperty('lifecycle.prevent_destroy', false);
});

test.each([
  [false, []],
  [true, ['ebs-local-minio-data-owner']],
])('a volume that the image would leave to root is given to the service user first: %s', (takeOverVolumes, owners) => {
  const { synthesized, container } = declare(takeOverVolumes ? REGISTRY_IMAGES : {});
  const names = Object.values(synthesized.resources('docker_container')).map(({ name }) => String(name));
  expect(names.filter((name) => name.endsWith('-owner'))).toEqual(owners);
  expect(container.depends_on).toEqual([
    expect.stringMatching(/^docker_container\.Minio_Files_Loader/),
    expect.stringMatching(takeOverVolumes ? /^docker_container\.Minio_Data_Owner/ : /^docker_volume\.Minio_Data/),
  ]);
});

test('each of several volumes is given to the service user where the image would leave it to root', () => {
  const { synthesized } = declare({ ...REGISTRY_IMAGES, minio: { drives: 4 } });
  const names = Object.values(synthesized.resources('docker_container')).map(({ name }) => String(name));
  expect(names.filter((name) => name.endsWith('-owner'))).toEqual(
    [1, 2, 3, 4].map((number) => `ebs-local-minio-data-${number}-owner`),
  );
});
