import { kesConfiguration } from '../../../config/keys/key-store';
import type { EnvironmentInput } from '../../../config/environment';
import { DeclarationError } from '../../../constructs/declaration-error';
import { KesConfigurationFile, KesServer } from '../../../constructs/kes/kes-server';
import { KeyStore } from '../../../constructs/vault/key-store';
import { deploymentWith, groundOf } from '../../helpers/deployment';
import { newStack, synth } from '../../helpers/synth';
import { thrownBy } from '../../helpers/thrown';

describe('KesConfigurationFile', () => {
  const declare = (settings: Partial<EnvironmentInput> = {}) => {
    const stack = newStack();
    const deployment = deploymentWith(settings);
    const keyStore =
      deployment.environment.keyStore.type === 'vault' ? new KeyStore(stack, 'KeyStore', { deployment }) : undefined;
    new KesConfigurationFile(stack, 'File', {
      deployment,
      ca: groundOf(deployment).ca,
      ...(keyStore === undefined ? {} : { keyStore }),
    });
    return { deployment, operation: synth(stack).operation('write-kes-configuration') };
  };

  test('is written by an operation that is told everything but the secrets', () => {
    const { deployment, operation } = declare();
    expect(operation.input).toEqual({
      configuration: kesConfiguration(deployment.environment, {}, {}),
      vault: {
        url: 'https://127.0.0.1:8200',
        caFile: '/nonexistent/state/tls/ca.crt',
        tokenFile: '/nonexistent/state/secrets/vault/provisioner-token',
        secretId: { delivery: 'minted', ttl: '0s', boundCidrs: [], tokenBoundCidrs: [] },
        outdatedSecretIds: '/nonexistent/state/outdated-secret-ids.json',
      },
      certificateFolder: '/nonexistent/state/tls',
      file: '/nonexistent/state/secrets/kes/server-config.yaml',
      place: { type: 'vault', mount: 'kes', prefix: 'local', kvVersion: 2 },
      placeFile: '/nonexistent/state/key-store.json',
    });
    expect(operation.triggers).toMatchObject({
      role: expect.stringMatching(/^\$\{vault_approle_auth_backend_role\..*\.role_id\}$/) as string,
      'client minio': expect.stringContaining('filesha256("/nonexistent/state/tls/minio.crt")') as string,
      'client minio.next': expect.stringContaining('filesha256("/nonexistent/state/tls/minio.next.crt")') as string,
    });
    expect(operation.triggers).not.toHaveProperty('generation');
  });

  test('is written again when a SecretID that ends must be renewed', () => {
    const { input, triggers } = declare({
      keyStore: { type: 'vault', approle: { secretId: { delivery: 'minted', ttl: '48h' } } },
    }).operation;
    expect(input).toMatchObject({ vault: { secretIdNote: '/nonexistent/state/secret-id.json' } });
    expect(triggers.generation).toContain('jsondecode(file("/nonexistent/state/secret-id.json"))');
  });

  test.each([
    ['chain', '/nonexistent/state/secrets/aws/credentials.json'],
    ['instance-role', undefined],
  ] as const)('with keys in AWS has the credentials of %s', (credentials, file) => {
    const { input, triggers } = declare({ keyStore: { type: 'aws', region: 'eu-central-1', credentials } }).operation;
    expect(input.awsCredentialsFile).toBe(file);
    expect('credentials' in triggers).toBe(file !== undefined);
  });

  test('of keys in Vault needs the place of the keys there', () => {
    const deployment = deploymentWith();
    const { ca } = groundOf(deployment);
    const error = thrownBy(() => new KesConfigurationFile(newStack(), 'File', { deployment, ca }));
    expect(error).toBeInstanceOf(DeclarationError);
    expect(error.message).toBe(
      'stack/File: `keyStore` must be given for master keys in Vault and for no others, got: none with vault',
    );
  });
});

describe('KesServer', () => {
  const declare = (settings: Partial<EnvironmentInput> = {}) => {
    const stack = newStack();
    const deployment = deploymentWith({ kes: { publishAddress: '0.0.0.0', port: 17373 }, ...settings });
    const { ca, configuration } = groundOf(deployment);
    const server = new KesServer(stack, 'Kes', { deployment, configuration, certificate: ca.issue('kes') });
    return { server, synthesized: synth(stack) };
  };

  test('runs with its configuration, certificates and CAs in a volume that it cannot write', () => {
    const { server, synthesized } = declare();

    expect(synthesized.resource('docker_container', 'Kes_Server')).toMatchObject({
      name: 'ebs-local-kes',
      entrypoint: ['/kes'],
      command: ['server', '--config', '/files/server-config.yaml'],
      networks_advanced: [
        { name: 'ebs-local', aliases: ['kes'] },
        { name: 'ebs-local-vault', aliases: ['kes'] },
      ],
      ports: [{ internal: 7373, external: 17373, ip: '0.0.0.0' }],
      volumes: [{ volume_name: 'ebs-local-kes-files', container_path: '/files', read_only: true }],
      memory: 256,
      // KES takes VAULT_* and proxy variables from its environment
      env: [],
    });
    expect(synthesized.resource('docker_container', 'Kes_Files_Loader').upload).toMatchObject([
      { file: '/files/server-config.yaml', source: '/nonexistent/state/secrets/kes/server-config.yaml' },
      { file: '/files/ca.crt', source: '/nonexistent/state/tls/ca.crt' },
      { file: '/files/vault-ca.crt', source: '/nonexistent/state/tls/ca.crt' },
      { file: '/files/server.crt', source: '/nonexistent/state/tls/kes-server.crt' },
      { file: '/files/server.key', source: '/nonexistent/state/secrets/tls/kes-server.key' },
      { file: '/files/health.crt', source: '/nonexistent/state/tls/health.crt' },
      { file: '/files/health.key', source: '/nonexistent/state/secrets/tls/health.key' },
    ]);
    expect(server.endpoint).toEqual({ url: 'https://127.0.0.1:17373', caFile: '/nonexistent/state/tls/ca.crt' });
  });

  test('verifies Vault with the CAs that its image trusts when no other is named', () => {
    const { synthesized } = declare({ vault: { mode: 'external', address: 'https://vault.example.org' } });
    const { upload } = synthesized.resource('docker_container', 'Kes_Files_Loader');
    expect((upload as { file: string }[]).map(({ file }) => file)).not.toContain('/files/vault-ca.crt');
  });

  test.each([
    [
      'in a volume',
      undefined,
      {
        volumes: [
          { volume_name: 'ebs-local-kes-files', container_path: '/files', read_only: true },
          { volume_name: 'ebs-local-kes-keys', container_path: '/keys', read_only: false },
        ],
      },
    ],
    [
      'in a folder of the host',
      '/srv/keys',
      {
        volumes: [{ volume_name: 'ebs-local-kes-files', container_path: '/files', read_only: true }],
        mounts: [{ type: 'bind', source: '/srv/keys', target: '/keys', read_only: false }],
      },
    ],
  ])('can have master keys as files %s', (_, path, container) => {
    const { synthesized } = declare({ keyStore: { type: 'filesystem', ...(path === undefined ? {} : { path }) } });
    expect(synthesized.resource('docker_container', 'Kes_Server')).toMatchObject(container);
  });

  test('is healthy when it answers a client that shows its certificate', () => {
    const { healthcheck } = declare().synthesized.resource('docker_container', 'Kes_Server') as {
      healthcheck: { test: string[] };
    };
    expect(healthcheck.test).toEqual([
      'CMD',
      'env',
      'KES_SERVER=127.0.0.1:7373',
      'KES_CLIENT_CERT=/files/health.crt',
      'KES_CLIENT_KEY=/files/health.key',
      'SSL_CERT_FILE=/files/ca.crt',
      '/kes',
      'status',
      '--short',
    ]);
    expect(healthcheck.test).not.toContain('--insecure');
  });

  test('reads other files without a restart, and proves that it did', () => {
    const { input, triggers, dependsOn } = declare().synthesized.operation('reload-container');

    expect(input).toMatchObject({
      container: 'ebs-local-kes',
      signal: 'SIGHUP',
      proof: { kind: 'log', url: 'https://127.0.0.1:17373', success: expect.stringContaining('completed') as string },
    });
    expect(Object.keys(triggers)).toEqual([
      'ca.crt',
      'health.crt',
      'health.key',
      'server-config.yaml',
      'server.crt',
      'server.key',
      'vault-ca.crt',
    ]);
    expect(dependsOn).toEqual([
      expect.stringMatching(/^docker_container\.Kes_Files_Loader/),
      expect.stringMatching(/^docker_container\.Kes_Server/),
    ]);
  });
});
