import { kesNode } from '../../../config/node';
import type { KesConfiguration } from '../../../config/kes/kes-configuration';
import { DeclarationError } from '../../../constructs/declaration-error';
import {
  KesConfigurationFile,
  type KesConfigurationFileProps,
  KesServer,
  type KesServerProps,
} from '../../../constructs/kes/kes-server';
import { KES_CONFIGURATION } from '../../helpers/kes';
import { newStack, synth } from '../../helpers/synth';
import { thrownBy } from '../../helpers/thrown';

const RUNNER = { program: 'run' };
const PLACE = { type: 'vault', mount: 'kes', prefix: 'local', kvVersion: 2 } as const;

describe('KesConfigurationFile', () => {
  const VAULT: NonNullable<KesConfigurationFileProps['vault']> = {
    url: 'https://vault.example.org',
    namespace: 'team',
    tokenFile: '/state/secrets/vault/token',
    secretId: { delivery: 'minted', ttl: '0s', boundCidrs: [], tokenBoundCidrs: [] },
    outdatedSecretIds: '/state/outdated-secret-ids.json',
  };
  const declare = (configuration: KesConfiguration, stack = newStack(), vault = VAULT) =>
    new KesConfigurationFile(stack, 'File', {
      runner: RUNNER,
      configuration,
      vault,
      certificateFolder: '/state/tls',
      file: '/state/secrets/kes/server-config.yaml',
      place: PLACE,
      placeFile: '/state/key-store.json',
      triggers: { role: 'the role id' },
      dependsOn: [],
    });

  test('is written by an operation that is told everything but the secrets', () => {
    // GIVEN
    const stack = newStack();

    // WHEN
    declare(KES_CONFIGURATION, stack);

    // THEN
    const { input, triggers } = synth(stack).operation('write-kes-configuration');
    expect(input).toEqual({
      configuration: KES_CONFIGURATION,
      vault: VAULT,
      certificateFolder: '/state/tls',
      file: '/state/secrets/kes/server-config.yaml',
      place: PLACE,
      placeFile: '/state/key-store.json',
    });
    expect(triggers).toEqual({ role: 'the role id' });
  });

  test('is written again when a SecretID that ends must be renewed', () => {
    // GIVEN
    const stack = newStack();

    // WHEN
    declare(KES_CONFIGURATION, stack, { ...VAULT, secretIdNote: '/state/secret-id.json' });

    // THEN
    const { input, triggers } = synth(stack).operation('write-kes-configuration');
    expect(input).toMatchObject({ vault: { secretIdNote: '/state/secret-id.json' } });
    expect(triggers.generation).toContain('jsondecode(file("/state/secret-id.json"))');
  });

  test('is refused with every problem that KES would hide', () => {
    const error = thrownBy(() =>
      declare({
        ...KES_CONFIGURATION,
        address: 'kes:7373',
        cache: { ...KES_CONFIGURATION.cache, unused: '0s' },
      }),
    );
    expect(error).toBeInstanceOf(DeclarationError);
    expect(error.message).toBe(
      'stack/File: `address` must be an IP address and a port, because KES refuses DNS names, got: kes:7373; ' +
        '`cache.unused` must be longer than 0s, got: 0s',
    );
  });
});

describe('KesServer', () => {
  const PROPS: KesServerProps = {
    runner: RUNNER,
    environment: 'local',
    node: kesNode('ebs-local'),
    image: 'kes:1',
    program: '/usr/bin/kes',
    networks: ['ebs-local', 'ebs-local-vault'],
    publish: { address: '0.0.0.0', port: 17373 },
    configurationFile: '/state/secrets/kes/server-config.yaml',
    ca: '/state/tls/ca.crt',
    vaultCa: '/etc/vault/ca.crt',
    certificate: { certificate: '/state/tls/kes.crt', privateKey: '/state/secrets/tls/kes.key' },
    healthClient: { certificate: '/state/tls/health.crt', privateKey: '/state/secrets/tls/health.key' },
    memoryMb: 256,
  };
  const declare = (props: KesServerProps = PROPS) => {
    const stack = newStack();
    const server = new KesServer(stack, 'Kes', props);
    return { server, synthesized: synth(stack) };
  };

  test('runs with its configuration, certificates and CAs in a volume that it cannot write', () => {
    const { server, synthesized } = declare();

    expect(synthesized.resource('docker_container', 'Kes_Server')).toMatchObject({
      name: 'ebs-local-kes',
      entrypoint: ['/usr/bin/kes'],
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
      { file: '/files/server-config.yaml', source: '/state/secrets/kes/server-config.yaml' },
      { file: '/files/ca.crt', source: '/state/tls/ca.crt' },
      { file: '/files/vault-ca.crt', source: '/etc/vault/ca.crt' },
      { file: '/files/server.crt', source: '/state/tls/kes.crt' },
      { file: '/files/server.key', source: '/state/secrets/tls/kes.key' },
      { file: '/files/health.crt', source: '/state/tls/health.crt' },
      { file: '/files/health.key', source: '/state/secrets/tls/health.key' },
    ]);
    expect(server.endpoint).toEqual({ url: 'https://127.0.0.1:17373', caFile: '/state/tls/ca.crt' });
  });

  test('verifies Vault with the CAs that its image trusts when no other is named', () => {
    const { vaultCa: _, ...minimal } = PROPS;
    const { upload } = declare(minimal).synthesized.resource('docker_container', 'Kes_Files_Loader');
    expect((upload as { file: string }[]).map(({ file }) => file)).not.toContain('/files/vault-ca.crt');
  });

  test.each([
    [
      'in a volume',
      { volume: 'ebs-local-kes-keys' },
      {
        volumes: [
          { volume_name: 'ebs-local-kes-files', container_path: '/files', read_only: true },
          { volume_name: 'ebs-local-kes-keys', container_path: '/keys', read_only: false },
        ],
      },
    ],
    [
      'in a folder of the host',
      { folder: '/srv/keys' },
      {
        volumes: [{ volume_name: 'ebs-local-kes-files', container_path: '/files', read_only: true }],
        mounts: [{ type: 'bind', source: '/srv/keys', target: '/keys', read_only: false }],
      },
    ],
  ])('can have master keys as files %s', (_, keys, container) => {
    expect(declare({ ...PROPS, keys }).synthesized.resource('docker_container', 'Kes_Server')).toMatchObject(container);
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
      '/usr/bin/kes',
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
