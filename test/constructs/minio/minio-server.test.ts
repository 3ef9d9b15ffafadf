import { minioNode } from '../../../config/node';
import { DeclarationError } from '../../../constructs/declaration-error';
import { MinioServer, type MinioServerProps } from '../../../constructs/minio/minio-server';
import { newStack, synth } from '../../helpers/synth';
import { thrownBy } from '../../helpers/thrown';

const KMS: MinioServerProps['kms'] = {
  endpoints: ['https://kes:7373'],
  defaultKey: 'backup-default',
  client: { certificate: '/state/tls/minio.crt', privateKey: '/state/secrets/tls/minio.key' },
  autoEncryption: true,
};

const PROPS: MinioServerProps = {
  runner: { program: 'run' },
  environment: 'local',
  node: minioNode('ebs-local'),
  image: 'minio:1',
  program: '/usr/bin/minio',
  mcProgram: '/usr/bin/mc',
  network: 'ebs-local',
  publish: { address: '0.0.0.0', port: 19000 },
  region: 'eu-central-1',
  certificate: { certificate: '/state/tls/s3.crt', privateKey: '/state/secrets/tls/s3.key' },
  ca: '/state/tls/ca.crt',
  trustedCAs: '/state/tls/trusted-cas.crt',
  endpoint: { url: 'https://127.0.0.1:19000', caFile: '/state/tls/ca.crt' },
  kms: KMS,
  configEnvFile: '/state/secrets/minio/config.env',
  memoryMb: 2048,
  allowDataLoss: false,
  takeOverVolumes: false,
};

function declare(changes: Partial<MinioServerProps> = {}) {
  const stack = newStack();
  const server = new MinioServer(stack, 'Minio', { ...PROPS, ...changes });
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
    { file: '/files/certs/public.crt', source: '/state/tls/s3.crt' },
    { file: '/files/certs/private.key', source: '/state/secrets/tls/s3.key' },
    { file: '/files/certs/CAs/private-ca.crt', source: '/state/tls/ca.crt' },
    { file: '/files/certs/CAs/trusted-cas.crt', source: '/state/tls/trusted-cas.crt' },
    { file: '/files/kes/client.crt', source: '/state/tls/minio.crt' },
    { file: '/files/kes/client.key', source: '/state/secrets/tls/minio.key' },
    { file: '/files/config.env', source: '/state/secrets/minio/config.env' },
  ]);
  expect(synthesized.resource('docker_volume', 'Minio_Data')).toMatchObject({
    name: 'ebs-local-minio-data',
    lifecycle: { prevent_destroy: true },
  });
  expect(server.endpoint).toEqual({ url: 'https://127.0.0.1:19000', caFile: '/state/tls/ca.crt' });
});

const driveMounts = ({ volumes = [], mounts = [], command }: Record<string, unknown>) => ({
  drives: (command as string[]).at(-1),
  volumes: (volumes as Record<string, unknown>[]).filter((volume) => volume.container_path !== '/files'),
  mounts,
});

test('several volumes are one erasure set, each kept as that of a single drive is', () => {
  // WHEN
  const { synthesized, container } = declare({ node: minioNode('ebs-local', { drives: 4 }) });

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
  expect(volumes).toEqual(
    [1, 2, 3, 4].map(
      (number) =>
        expect.objectContaining({
          name: `ebs-local-minio-data-${number}`,
          lifecycle: { prevent_destroy: true },
        }) as unknown,
    ),
  );
});

test.each([
  [['/mnt/disk1', '/mnt/disk2', '/mnt/disk3', '/mnt/disk4'], '/drives/{1...4}'],
  [['/mnt/disk1'], '/data'],
])('folders of the host are mounted as they are, in their order: %j', (folders, drives) => {
  // WHEN
  const { synthesized, container } = declare({ node: minioNode('ebs-local', { drives: folders }) });

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
  const before = declare({ node: minioNode('ebs-local', { drives: count }) }).synthesized;

  // WHEN
  const { json } = declare({ node: minioNode('ebs-local', { drives: folders }) }).synthesized;

  // THEN
  const volumes = Object.keys(before.resources('docker_volume')).filter((id) => id.startsWith('Minio_Data'));
  expect(volumes).toHaveLength(count);
  expect(json.removed).toEqual(volumes.map((id) => ({ from: `docker_volume.${id}`, lifecycle: { destroy: false } })));
  expect(before.json.removed).toBeUndefined();
});

test('parity is MinIO’s own unless it is declared', () => {
  expect(declare().variables).not.toHaveProperty('MINIO_STORAGE_CLASS_STANDARD');
  expect(declare({ parity: 3 }).variables).toMatchObject({ MINIO_STORAGE_CLASS_STANDARD: 'EC:3' });
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
  expect(declare({ domain: 's3.lan' }).variables).toMatchObject({ MINIO_DOMAIN: 's3.lan' });
});

test('MinIO takes several KES, and can leave plain requests plain', () => {
  const { variables } = declare({
    kms: { ...KMS, endpoints: ['https://kes-1:7373', 'https://kes-2:7373'], autoEncryption: false },
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
  // WHEN
  const stack = newStack();
  new MinioServer(stack, 'Minio', PROPS);

  // THEN
  const { input, triggers } = synth(stack).operation('reload-container');
  expect(input).toEqual({
    container: 'ebs-local-minio',
    signal: 'SIGHUP',
    proof: {
      kind: 'certificates',
      url: 'https://127.0.0.1:19000',
      certificates: [{ file: '/state/tls/s3.crt', caFile: '/state/tls/ca.crt' }],
    },
  });
  expect(Object.keys(triggers)).toEqual(
    expect.arrayContaining(['certs/public.crt', 'certs/private.key', 'kes/client.crt']),
  );
});

test('MinIO starts anew when CAs or credentials change, which it reads only then', () => {
  const labels = declare().container.labels as { label: string; value: string }[];
  expect(labels.filter(({ label }) => label.startsWith('encrypted-backup-storage.read-at-start.'))).toEqual(
    ['/state/tls/ca.crt', '/state/tls/trusted-cas.crt', '/state/secrets/minio/config.env'].map((file, index) => ({
      label: `encrypted-backup-storage.read-at-start.${index + 1}`,
      value: expect.stringContaining(`filesha256("${file}")`) as string,
    })),
  );
});

describe('with certificates from elsewhere', () => {
  const files = (name: string) => ({
    certificate: `/state/tls/${name}.crt`,
    privateKey: `/state/secrets/tls/${name}.key`,
  });
  const PUBLIC: Partial<MinioServerProps> = {
    certificate: files('minio-server'),
    publicCertificates: [files('s3'), files('s3-additional-1')],
    endpoint: { url: 'https://127.0.0.1:19000', serverName: 's3.example.org' },
  };

  test('the first is the default one, the others have folders of their own, and that of the private CA is inside', () => {
    const { synthesized } = declare(PUBLIC);
    const uploads = synthesized.resource('docker_container', 'Minio_Files_Loader').upload as Record<string, string>[];
    expect(Object.fromEntries(uploads.map(({ file = '', source }) => [file, source]))).toMatchObject({
      '/files/certs/public.crt': '/state/tls/s3.crt',
      '/files/certs/private.key': '/state/secrets/tls/s3.key',
      '/files/certs/additional-1/public.crt': '/state/tls/s3-additional-1.crt',
      '/files/certs/additional-1/private.key': '/state/secrets/tls/s3-additional-1.key',
      '/files/certs/inside/public.crt': '/state/tls/minio-server.crt',
      '/files/certs/inside/private.key': '/state/secrets/tls/minio-server.key',
    });
  });

  test('a reload proves each by the CA that clients trust, and the inside one by the private CA', () => {
    const stack = newStack();
    new MinioServer(stack, 'Minio', { ...PROPS, ...PUBLIC });
    expect(synth(stack).operation('reload-container').input.proof).toEqual({
      kind: 'certificates',
      url: 'https://127.0.0.1:19000',
      certificates: [
        { file: '/state/tls/s3.crt' },
        { file: '/state/tls/s3-additional-1.crt' },
        { file: '/state/tls/minio-server.crt', caFile: '/state/tls/ca.crt' },
      ],
    });
  });

  test('the health check goes on asking for the inside name', () => {
    const { command } = { command: (declare(PUBLIC).container.healthcheck as { test: string[] }).test };
    expect(command).toEqual(expect.arrayContaining(['MC_HOST_local=https://minio:9000', 'minio:9000=127.0.0.1']));
  });
});

test('the data may be deleted where losing it is allowed', () => {
  const { synthesized } = declare({ allowDataLoss: true });
  expect(synthesized.resource('docker_volume', 'Minio_Data')).toHaveProperty('lifecycle.prevent_destroy', false);
});

test.each([
  [false, []],
  [true, ['ebs-local-minio-data-owner']],
])('a volume that the image would leave to root is given to the service user first: %s', (takeOverVolumes, owners) => {
  const { synthesized, container } = declare({ takeOverVolumes });
  const names = Object.values(synthesized.resources('docker_container')).map(({ name }) => String(name));
  expect(names.filter((name) => name.endsWith('-owner'))).toEqual(owners);
  expect(container.depends_on).toEqual([
    expect.stringMatching(/^docker_container\.Minio_Files_Loader/),
    expect.stringMatching(takeOverVolumes ? /^docker_container\.Minio_Data_Owner/ : /^docker_volume\.Minio_Data/),
  ]);
});

test('each of several volumes is given to the service user where the image would leave it to root', () => {
  const { synthesized } = declare({ takeOverVolumes: true, node: minioNode('ebs-local', { drives: 4 }) });
  const names = Object.values(synthesized.resources('docker_container')).map(({ name }) => String(name));
  expect(names.filter((name) => name.endsWith('-owner'))).toEqual(
    [1, 2, 3, 4].map((number) => `ebs-local-minio-data-${number}-owner`),
  );
});

test.each([
  [
    'a key name that KES refuses',
    { defaultKey: 'my key' },
    '`kms.defaultKey` must be 1 to 80 characters of 0-9, A-Z, a-z, "_" and "-", without "-" at either end, and not "_" alone, got: my key',
  ],
  ['no KES', { endpoints: [] }, '`kms.endpoints` must be https:// addresses of KES, got: none'],
  [
    'KES in the clear',
    { endpoints: ['https://kes-1:7373', 'http://kes-2:7373'] },
    '`kms.endpoints` must be https:// addresses of KES, got: https://kes-1:7373, http://kes-2:7373',
  ],
])('%s is refused', (_, kms, problem) => {
  const error = thrownBy(() => declare({ kms: { ...KMS, ...kms } }));
  expect(error).toBeInstanceOf(DeclarationError);
  expect(error.message).toBe(`stack/Minio: ${problem}`);
});
