import type { EnvironmentInput, VaultEnvironment } from '../../../config/environment';
import { provisionerPolicy } from '../../../config/keys/key-store';
import { DeclarationError } from '../../../constructs/declaration-error';
import { VaultServer } from '../../../constructs/vault/vault-server';
import { deploymentWith, digest, groundOf, REGISTRY_IMAGES } from '../../helpers/deployment';
import { newStack, synth, type Synthesized } from '../../helpers/synth';
import { thrownBy } from '../../helpers/thrown';

const OPENBAO_IMAGES: Partial<EnvironmentInput> = {
  images: {
    source: 'registry',
    openbao: `docker.io/openbao/openbao@${digest('1')}`,
    kes: `quay.io/minio/kes@${digest('2')}`,
    minio: `quay.io/minio/minio@${digest('3')}`,
  },
};

type VaultSettings = Partial<Extract<NonNullable<EnvironmentInput['vault']>, { mode: 'embedded' }>>;

const settings = (vault: VaultSettings = {}, others: Partial<EnvironmentInput> = {}): Partial<EnvironmentInput> => ({
  vault: { mode: 'embedded', publishAddress: '127.0.0.1', port: 18200, unseal: 'manual', ...vault },
  ...others,
});

const share = (number: number) => `/nonexistent/state/secrets/vault/unseal-share-${number}`;

function declare(...[vault, others]: Parameters<typeof settings>): Synthesized {
  const stack = newStack();
  const deployment = deploymentWith(settings(vault, others));
  new VaultServer(stack, 'Vault', { deployment, certificate: groundOf(deployment).ca.issue('vault') });
  return synth(stack);
}

describe('the server', () => {
  test('serves TLS on the address that is published, over integrated storage', () => {
    // WHEN
    const synthesized = declare();

    // THEN
    expect(synthesized.resource('docker_container', 'Vault_Server')).toMatchObject({
      name: 'ebs-local-vault',
      entrypoint: ['/bin/vault'],
      command: ['server', '-config=/files/vault.json'],
      networks_advanced: [
        { name: expect.stringMatching(/^\$\{docker_network\.Vault_Network_/) as string, aliases: ['vault'] },
      ],
      ports: [{ internal: 8200, external: 18200, ip: '127.0.0.1' }],
      volumes: [
        { volume_name: 'ebs-local-vault-files', container_path: '/files', read_only: true },
        { volume_name: 'ebs-local-vault-data', container_path: '/vault/data', read_only: false },
        { volume_name: 'ebs-local-vault-audit', container_path: '/vault/audit', read_only: false },
      ],
      memory: 512,
      stop_timeout: 30,
    });
    const [configuration] = synthesized.resource('docker_container', 'Vault_Files_Loader').upload as {
      file: string;
      content: string;
    }[];
    expect(configuration?.file).toBe('/files/vault.json');
    expect(JSON.parse(configuration?.content ?? '')).toEqual({
      ui: false,
      disable_mlock: true,
      api_addr: 'https://vault:8200',
      cluster_addr: 'https://vault:8201',
      storage: { raft: { path: '/vault/data', node_id: 'ebs-local-vault', performance_multiplier: 1 } },
      listener: {
        tcp: {
          address: '0.0.0.0:8200',
          cluster_address: '0.0.0.0:8201',
          tls_cert_file: '/files/server.crt',
          tls_key_file: '/files/server.key',
          tls_min_version: 'tls12',
        },
      },
      // or a KES that restarts with a revoked SecretID would lock itself out
      user_lockout: { approle: { disable_lockout: true } },
    });
  });

  test('is healthy when it answers over verified TLS', () => {
    expect(declare().resource('docker_container', 'Vault_Server')).toMatchObject({
      healthcheck: {
        test: ['CMD', 'env', 'VAULT_ADDR=https://127.0.0.1:8200', 'VAULT_CACERT=/files/ca.crt', '/bin/vault', 'status'],
      },
    });
  });

  test('reads a renewed certificate without a restart', () => {
    const { input, triggers, dependsOn } = declare().operation('reload-container');

    expect(input).toEqual({
      container: 'ebs-local-vault',
      signal: 'SIGHUP',
      proof: {
        kind: 'certificates',
        url: 'https://127.0.0.1:18200',
        certificates: [{ file: '/nonexistent/state/tls/vault-server.crt', caFile: '/nonexistent/state/tls/ca.crt' }],
      },
    });
    expect(triggers).toMatchObject({
      'server.crt': expect.stringContaining('filesha256("/nonexistent/state/tls/vault-server.crt")') as string,
      'server.key': expect.stringContaining('filesha256("/nonexistent/state/secrets/tls/vault-server.key")') as string,
    });
    expect(dependsOn).toHaveLength(2);
  });

  test.each([
    [false, true],
    [true, false],
  ])('keeps its data and its audit log: allowDataLoss %s', (allowDataLoss, preventDestroy) => {
    const synthesized = declare({}, allowDataLoss ? { allowDataLoss: 'local' } : {});
    for (const volume of ['Vault_Data', 'Vault_Audit']) {
      expect(synthesized.resource('docker_volume', volume)).toHaveProperty('lifecycle', {
        prevent_destroy: preventDestroy,
      });
    }
  });
});

describe('OpenBao in the place of Vault', () => {
  const openbao = (others?: Partial<EnvironmentInput>) => declare({ distribution: 'openbao', unseal: 'auto' }, others);

  test('has volumes of its own, and the names of Vault else', () => {
    const synthesized = openbao();
    expect(synthesized.resource('docker_container', 'Vault_Server')).toMatchObject({
      name: 'ebs-local-vault',
      image: 'encrypted-backup-storage/openbao:eeeeeeeeeeeeeeee',
      entrypoint: ['/bin/bao'],
      volumes: [
        { volume_name: 'ebs-local-vault-files' },
        { volume_name: 'ebs-local-openbao-data', container_path: '/vault/data' },
        { volume_name: 'ebs-local-openbao-audit', container_path: '/vault/audit' },
      ],
    });
    expect(synthesized.resource('docker_container', 'Vault_Unsealer_')).toMatchObject({
      image: 'encrypted-backup-storage/openbao:eeeeeeeeeeeeeeee',
      command: ['/files/unseal.sh', '/bin/bao'],
    });
    expect(synthesized.operation('initialize-vault').input).toMatchObject({ distribution: 'openbao' });
  });

  test.each([
    ['built here', {}],
    ['published', OPENBAO_IMAGES],
  ])(
    'has its audit devices in its configuration, and lets unseal shares take the place of a token: %s',
    (_, images) => {
      const [configuration] = openbao(images).resource('docker_container', 'Vault_Files_Loader').upload as {
        content: string;
      }[];
      const written = JSON.parse(configuration?.content ?? '') as Record<string, unknown>;
      expect(written).toMatchObject({
        listener: {
          tcp: { disable_unauthed_generate_root_endpoints: false, disable_unauthed_rekey_endpoints: false },
        },
        audit: [
          { path: 'file', type: 'file', options: { file_path: '/vault/audit/audit.log', mode: '0600' } },
          { path: 'stdout', type: 'file', options: { file_path: 'stdout', mode: '0600' } },
        ],
      });
      expect(written).not.toHaveProperty('enable_unauthenticated_access');
    },
  );
});

test.each([
  [false, []],
  [true, ['ebs-local-vault-audit-owner', 'ebs-local-vault-data-owner']],
])('volumes that the image would leave to root are given to the service user first: %s', (takeOverVolumes, owners) => {
  const synthesized = declare({}, takeOverVolumes ? REGISTRY_IMAGES : {});
  const names = Object.values(synthesized.resources('docker_container')).map(({ name }) => String(name));
  expect(names.filter((name) => name.endsWith('-owner'))).toEqual(owners);
  expect(synthesized.resource('docker_container', 'Vault_Server').depends_on).toHaveLength(3);
});

describe('the initialisation', () => {
  test('is told where secrets go, never what they are', () => {
    const { input, triggers } = declare({ shares: 3, threshold: 2 }).operation('initialize-vault');
    const { environment } = deploymentWith(settings());

    expect(input).toEqual({
      environment: 'local',
      endpoint: { url: 'https://127.0.0.1:18200', caFile: '/nonexistent/state/tls/ca.crt' },
      shares: 3,
      threshold: 2,
      unsealShareFiles: [1, 2, 3].map(share),
      rootTokenFile: '/nonexistent/state/secrets/vault/root-token',
      provisionerTokenFile: '/nonexistent/state/secrets/vault/provisioner-token',
      provisionerPolicy: {
        name: 'ebs-local-provisioner',
        document: provisionerPolicy(environment as VaultEnvironment),
      },
      canariesFile: '/nonexistent/state/keys.json',
      placeFile: '/nonexistent/state/key-store.json',
      renewalNote: '/nonexistent/state/tls/provisioner-token.json',
    });
    expect(triggers).toEqual({
      generation: expect.stringContaining('/nonexistent/state/tls/provisioner-token.json') as string,
      container: expect.stringMatching(/^\$\{docker_container\.Vault_Server_.*\.id\}$/) as string,
    });
  });

  test('waits until Vault has its certificate', () => {
    expect(declare().operation('initialize-vault').dependsOn).toEqual([
      expect.stringMatching(/^terraform_data\.Vault_Reload/),
    ]);
  });
});

describe('unsealing', () => {
  test('by hand needs no more containers', () => {
    const names = Object.values(declare({ unseal: 'manual' }).resources('docker_container')).map(({ name }) => name);
    expect(names).toEqual(['ebs-local-vault-files-loader', 'ebs-local-vault']);
  });

  test('by itself gives the unsealer as many shares as it needs, after the initialisation wrote them', () => {
    // WHEN
    const synthesized = declare({ unseal: 'auto', shares: 3, threshold: 2 });

    // THEN
    const loader = synthesized.resource('docker_container', 'Vault_UnsealerFiles_Loader');
    const first =
      /^\$\{terraform_data\.Vault_Initialize_.*\.id\} \$\{fileexists\(".*share-1"\) \? filesha256\(".*share-1"\)/;
    expect(loader.upload).toMatchObject([
      { file: '/files/unseal.sh' },
      { file: '/files/ca.crt', source: '/nonexistent/state/tls/ca.crt' },
      { file: '/files/unseal-share-1', source: share(1), source_hash: expect.stringMatching(first) as string },
      {
        file: '/files/unseal-share-2',
        source: share(2),
        source_hash: expect.stringContaining(`filesha256("${share(2)}")`) as string,
      },
    ]);
    expect(loader.depends_on).toEqual([expect.stringMatching(/^terraform_data\.Vault_Initialize/)]);
    expect(synthesized.resource('docker_container', 'Vault_Unsealer_')).toMatchObject({
      name: 'ebs-local-vault-unsealer',
      entrypoint: ['sh'],
      command: ['/files/unseal.sh', '/bin/vault'],
      env: ['VAULT_ADDR=https://vault:8200', 'VAULT_CACERT=/files/ca.crt'],
      ports: [],
    });
  });
});

describe('a seal', () => {
  const transit = (more: object = {}): Synthesized =>
    declare({
      unseal: {
        type: 'transit',
        address: 'https://seal.example.com',
        key: 'k',
        tokenFile: '/t',
        caFile: '/ca',
        ...more,
      },
      shares: 3,
      threshold: 2,
    });
  const files = (synthesized: Synthesized) =>
    synthesized.resource('docker_container', 'Vault_Files_Loader').upload as Record<string, string>[];
  const sealOf = (synthesized: Synthesized): unknown =>
    (JSON.parse(files(synthesized)[0]?.content ?? '') as Record<string, unknown>).seal;

  test('is in the configuration, its token in a file that nothing else names', () => {
    const synthesized = transit();
    expect(sealOf(synthesized)).toEqual({
      transit: {
        address: 'https://seal.example.com',
        mount_path: 'transit',
        key_name: 'k',
        token: 'file:///files/seal-token',
        tls_ca_cert: '/files/seal-ca.crt',
      },
    });
    expect(files(synthesized).slice(-2)).toMatchObject([
      { file: '/files/seal-token', source: '/t', permissions: '0400' },
      { file: '/files/seal-ca.crt', source: '/ca', permissions: '0400' },
    ]);
  });

  test('needs no unsealer, and the initialisation keeps recovery shares', () => {
    const synthesized = transit();
    const names = Object.values(synthesized.resources('docker_container')).map(({ name }) => name);
    expect(names).toEqual(['ebs-local-vault-files-loader', 'ebs-local-vault']);
    const secrets = '/nonexistent/state/secrets/vault';
    expect(synthesized.operation('initialize-vault').input).toMatchObject({
      seal: {
        access: {
          type: 'transit',
          url: 'https://seal.example.com',
          caFile: '/ca',
          mount: 'transit',
          key: 'k',
          tokenFile: '/t',
        },
        recoveryShareFiles: [1, 2, 3].map((number) => `${secrets}/recovery-share-${number}`),
        leave: false,
        noteFile: '/nonexistent/state/vault-seal.json',
      },
    });
  });

  test('restarts Vault when it changes: Vault reads it when it starts', () => {
    const labels = ({ labels: all }: Record<string, unknown>): unknown[] =>
      (all as { label: string }[]).filter(({ label }) => label.includes('read-at-start'));
    const server = transit().resource('docker_container', 'Vault_Server');
    expect(labels(server)).toHaveLength(3);
    expect(JSON.stringify(labels(server))).toContain('filesha256(\\"/t\\")');
  });

  test('of AWS KMS has its credentials in a file, and its CA where the client of AWS looks', () => {
    const synthesized = declare({
      unseal: {
        ...{ type: 'awskms', region: 'eu-central-1', kmsKey: 'alias/vault', credentialsFile: '/c' },
        ...{ endpoint: 'https://kms.example.com', caFile: '/ca' },
      },
    });
    expect(sealOf(synthesized)).toEqual({
      awskms: {
        region: 'eu-central-1',
        kms_key_id: 'alias/vault',
        endpoint: 'https://kms.example.com',
        shared_creds_filename: '/files/seal-credentials',
      },
    });
    expect(files(synthesized).slice(-2)).toMatchObject([
      { file: '/files/seal-credentials', source: '/c', permissions: '0400' },
      { file: '/files/seal-ca.crt', source: '/ca', permissions: '0400' },
    ]);
    expect(synthesized.resource('docker_container', 'Vault_Server').env).toEqual(['SSL_CERT_FILE=/files/seal-ca.crt']);
  });

  test('that is left is disabled, and still asked', () => {
    expect(sealOf(transit({ leave: true }))).toMatchObject({ transit: { key_name: 'k', disabled: 'true' } });
  });
});

test('a deployment with another Vault, or none, has no server of its own', () => {
  const deployment = deploymentWith({ keyStore: { type: 'filesystem' } });
  const certificate = groundOf(deployment).ca.issue('kes');
  const error = thrownBy(() => new VaultServer(newStack(), 'Vault', { deployment, certificate }));
  expect(error).toBeInstanceOf(DeclarationError);
  expect(error.message).toBe('stack/Vault: `deployment` must have an embedded Vault, got: another key store');
});
