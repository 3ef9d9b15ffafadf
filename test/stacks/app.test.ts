import { App, Testing } from 'cdktf';
import childProcess from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { operationInputs } from '../../config/operation-inputs';
import { stateLayout } from '../../config/state';
import { UsageError } from '../../operations/errors';
import { BUILT, declareDeployment, REGISTRY, STATE_ROOT, synthDeployment, type Variation } from '../helpers/deployment';
import { type Block, synthApp, type Synthesized } from '../helpers/synth';
import { useTemporaryFolder } from '../helpers/temporary-folder';
import { thrownBy } from '../helpers/thrown';

const folder = useTemporaryFolder();

const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
const FROM_REGISTRY = `
images:
  source: registry
  vault: docker.io/hashicorp/vault@${digest('1')}
  kes: quay.io/minio/kes@${digest('2')}
  minio: quay.io/minio/minio@${digest('3')}
`;
const EXTERNAL = 'name: local\nvault: { mode: external, address: "https://vault.example.org:8200" }\n';
const FILESYSTEM = 'name: local\nkeyStore: { type: filesystem }\n';
const AWS = 'name: local\nkeyStore: { type: aws, region: eu-central-1, kmsKey: alias/kes, caFile: /etc/aws.pem }\n';
const EVERYTHING = `name: local
buckets:
  - { name: backup }
  - { name: archive, encryption: { type: sse-kms, key: archive-key }, versioning: true, objectLock: true }
`;

type Stacks = Readonly<Record<string, Synthesized>>;

/** Finds one stack; a test that names one which is not there fails with its name. */
const stackOf = (stacks: Stacks, name: string): Synthesized => {
  const stack = stacks[name];
  if (stack === undefined) throw new Error(`there is no stack ${name}, only ${Object.keys(stacks).join(', ')}`);
  return stack;
};

const containersOf = (stacks: Stacks): Block[] =>
  Object.values(stacks).flatMap((stack) => Object.values(stack.resources('docker_container')));
/** Containers that are started and are to stay. */
const servicesOf = (stacks: Stacks): Block[] =>
  containersOf(stacks).filter(({ start, must_run }) => start !== false && must_run !== false);

/** Every variation that differs in what is declared. */
const VARIATIONS: readonly (readonly [string, Variation])[] = [
  ['everything in containers', { environment: EVERYTHING }],
  [
    'manual unsealing',
    { environment: 'name: local\nvault: { mode: embedded, unseal: manual, shares: 3, threshold: 2 }' },
  ],
  ['registry images', { environment: `name: local\n${FROM_REGISTRY}`, toolchain: REGISTRY }],
  ['an external Vault', { environment: EXTERNAL }],
  ['keys as files', { environment: FILESYSTEM }],
  ['keys in AWS', { environment: AWS }],
];

describe('an environment with everything in containers', () => {
  let stacks: Stacks;
  beforeAll(() => {
    stacks = synthDeployment({ environment: EVERYTHING });
  });

  test('is six stacks, each after what it stands on', () => {
    const dependencies = Object.fromEntries(
      Object.entries(stacks).map(([name, stack]) => [
        name,
        stack.dependencies.map((other) => other.replace('local-', '')),
      ]),
    );
    expect(dependencies).toEqual({
      foundation: [],
      vault: ['foundation'],
      keystore: ['vault'],
      kes: ['keystore'],
      minio: ['kes'],
      checks: expect.arrayContaining(['minio', 'kes', 'keystore', 'vault']) as string[],
    });
  });

  test('has a state of its own for each stack, outside the clone', () => {
    for (const [name, stack] of Object.entries(stacks)) {
      expect(stack.json.terraform).toMatchObject({
        backend: { local: { path: `${STATE_ROOT}/terraform/${name}.tfstate` } },
        required_version: '>= 1.5',
      });
    }
  });

  test('uses the providers that the toolchain found, exactly', () => {
    const versions = Object.fromEntries(
      Object.entries(stacks).map(([name, { json }]) => [
        name,
        (json.terraform as { required_providers?: unknown }).required_providers,
      ]),
    );
    const docker = { docker: { source: 'kreuzwerker/docker', version: '4.6.0' } };
    expect(versions).toEqual({
      foundation: docker,
      vault: docker,
      keystore: { vault: { source: 'hashicorp/vault', version: '1.9.0' } },
      kes: docker,
      minio: docker,
      checks: undefined,
    });
  });

  test('has certificates for each server and each client of KES', () => {
    const { input } = stackOf(stacks, 'foundation').operation('issue-certificates');
    const server = (name: string, alias: string) => ({
      name,
      usage: 'server',
      dnsNames: [alias, 'localhost'],
      ipAddresses: ['127.0.0.1'],
    });
    const client = (name: string) => ({ name, usage: 'client', dnsNames: [], ipAddresses: [] });
    expect(input).toMatchObject({
      certificateFolder: `${STATE_ROOT}/tls`,
      privateKeyFolder: `${STATE_ROOT}/secrets/tls`,
      leaves: [
        server('vault-server', 'vault'),
        server('kes-server', 'kes'),
        server('minio-server', 'minio'),
        client('minio'),
        client('key-creator'),
        client('key-prover'),
        client('health'),
      ],
    });
  });

  test('creates and proves each key once, the default key first', () => {
    expect(stackOf(stacks, 'kes').operation('create-master-keys').input).toMatchObject({
      keys: ['backup-default', 'archive-key'],
      creator: { certificateFile: `${STATE_ROOT}/tls/key-creator.crt` },
      prover: { certificateFile: `${STATE_ROOT}/tls/key-prover.crt` },
      dataVolume: 'ebs-local-minio-data',
    });
  });

  test('keeps keys readable that were declared once, and does not create them', () => {
    const before = synthDeployment({ retiredKeys: { minio: ['old-key'] } });
    const { configuration } = stackOf(before, 'keystore').operation('write-kes-configuration').input as {
      configuration: { clients: { name: string; keys: Block[] }[] };
    };
    expect(configuration.clients.find(({ name }) => name === 'minio')?.keys).toContainEqual({
      actions: ['decrypt', 'describe'],
      names: ['old-key'],
    });
    expect(stackOf(before, 'kes').operation('create-master-keys').input.keys).toEqual(['backup-default']);
  });

  test('gives another client of KES a certificate, and keys that MinIO must not use', () => {
    const kes = 'kes: { clients: [{ name: warehouse, keys: [stock, prices] }] }';
    const withClient = synthDeployment({ environment: `name: local\n${kes}` });
    const issued = stackOf(withClient, 'foundation').operation('issue-certificates').input as {
      leaves: { name: string; usage: string }[];
    };
    expect(issued.leaves).toContainEqual(expect.objectContaining({ name: 'client-warehouse', usage: 'client' }));
    const { configuration } = stackOf(withClient, 'keystore').operation('write-kes-configuration').input as {
      configuration: { clients: { name: string; keys: Block[] }[] };
    };
    expect(configuration.clients.find(({ name }) => name === 'client-warehouse')?.keys).toEqual([
      { actions: ['generate', 'decrypt', 'describe'], names: ['stock', 'prices'] },
    ]);
    expect(stackOf(withClient, 'kes').operation('create-master-keys').input).toMatchObject({
      keys: ['backup-default', 'stock', 'prices'],
      clients: { stock: 'client-warehouse', prices: 'client-warehouse' },
    });
  });

  test('starts MinIO only after the keys are proven', () => {
    expect(stackOf(stacks, 'minio').dependencies).toEqual(['local-kes']);
    expect(stackOf(stacks, 'kes').operation('create-master-keys').dependsOn).toEqual([
      expect.stringMatching(/^terraform_data\.Kes_Reload/),
    ]);
  });

  test('gives Vault’s token as a file that Terraform reads when it talks to Vault', () => {
    expect(stackOf(stacks, 'keystore').provider('vault')).toEqual({
      address: 'https://127.0.0.1:8200',
      ca_cert_file: `${STATE_ROOT}/tls/ca.crt`,
      token: `\${trimspace(file("${STATE_ROOT}/secrets/vault/provisioner-token"))}`,
    });
  });

  test('lets the token that declares the key store do exactly what the stack declares', () => {
    const { provisionerPolicy } = stackOf(stacks, 'vault').operation('initialize-vault').input as {
      provisionerPolicy: { name: string; document: string };
    };
    const keystore = stackOf(stacks, 'keystore');
    const declared = [
      `sys/mounts/${String(keystore.resource('vault_mount').path)}`,
      `sys/policies/acl/${String(keystore.resource('vault_policy').name)}`,
      `sys/auth/${String(keystore.resource('vault_auth_backend').path)}`,
      `auth/approle/role/${String(keystore.resource('vault_approle_auth_backend_role').role_name)}`,
      ...Object.values(keystore.resources('vault_audit')).map(({ path: device }) => `sys/audit/${String(device)}`),
    ];
    for (const path of declared) expect(provisionerPolicy.document).toContain(`path "${path}" {`);
    expect(provisionerPolicy.document).toContain(
      `path "sys/policies/acl/${provisionerPolicy.name}" {\n  capabilities = ["read"]\n}`,
    );
  });

  test('writes a configuration of KES that leads to the same mount, role and Vault', () => {
    const { input, triggers } = stackOf(stacks, 'keystore').operation('write-kes-configuration');
    expect(input).toMatchObject({
      file: `${STATE_ROOT}/secrets/kes/server-config.yaml`,
      configuration: {
        keyStore: {
          endpoint: 'https://vault:8200',
          mount: 'kes',
          prefix: 'local',
          kvVersion: 2,
          appRole: { mount: 'approle', role: 'ebs-local-kes' },
        },
      },
    });
    // a certificate with another key is another identity, and one that is rotated has two
    expect(Object.keys(triggers)).toEqual([
      ...['health', 'key-creator', 'key-prover', 'minio'].flatMap((client) => [
        `client ${client}`,
        `client ${client}.next`,
        `client ${client}.previous`,
      ]),
      'role',
    ]);
  });

  test('checks again whenever something was deployed', () => {
    expect(Object.keys(stackOf(stacks, 'checks').operation('run-checks').triggers).sort()).toEqual([
      'buckets',
      'kes',
      'kes configuration',
      'kes files',
      'keys',
      'minio',
      'minio files',
      'vault',
    ]);
  });

  test('says where the storage is', () => {
    const minio = stackOf(stacks, 'minio');
    expect(minio.output('s3_endpoint').value).toBe('https://127.0.0.1:9000');
    expect(minio.output('ca_certificate').value).toBe(`${STATE_ROOT}/tls/ca.crt`);
    expect(minio.output('region').value).toBe('us-east-1');
    expect(minio.output('buckets').value).toEqual(['backup', 'archive']);
  });

  test('passes the validations of cdktf', () => {
    const app = Testing.app({ outdir: folder() });
    declareDeployment(app, { environment: EVERYTHING });
    expect(Object.keys(synthApp(app))).toHaveLength(6);
  });
});

describe('images from a registry with a login', () => {
  const digest = `sha256:${'0'.repeat(64)}`;
  const logins = (image: string) =>
    stackOf(
      synthDeployment({
        environment: `
name: local
images: { source: registry, vault: ${image}@${digest}, kes: ${image}@${digest}, minio: ${image}@${digest}, dockerConfigFile: /home/me/.docker/config.json }
`,
      }),
      'foundation',
    ).provider('docker').registry_auth;

  test.each([
    ['registry.example.org:5000/ebs/all', 'registry.example.org:5000'],
    ['localhost/ebs/all', 'localhost'],
    ['ebs/all', 'registry-1.docker.io'],
  ])('%s: Terraform is told where the login is, and not what it is', (image, address) => {
    expect(logins(image)).toEqual([{ address, config_file: '/home/me/.docker/config.json' }]);
  });
});

describe('an environment with an external Vault', () => {
  let stacks: Stacks;
  beforeAll(() => {
    stacks = synthDeployment({ environment: EXTERNAL });
  });

  test('is five stacks and runs no Vault', () => {
    expect(Object.keys(stacks).sort()).toEqual(['checks', 'foundation', 'keystore', 'kes', 'minio'].sort());
    expect(stackOf(stacks, 'keystore').dependencies).toEqual(['local-foundation']);
    expect(servicesOf(stacks).map(({ name }) => name)).toEqual(['ebs-local-kes', 'ebs-local-minio']);
    expect(Object.values(stackOf(stacks, 'foundation').resources('docker_image')).map(({ name }) => name)).toEqual([
      'encrypted-backup-storage/kes:bbbbbbbbbbbbbbbb',
      'encrypted-backup-storage/minio:cccccccccccccccc',
    ]);
  });

  test('leaves audit devices and the token to whoever runs that Vault', () => {
    const keystore = stackOf(stacks, 'keystore');
    expect(keystore.resources('vault_audit')).toEqual({});
    expect(keystore.provider('vault')).toEqual({ address: 'https://vault.example.org:8200' });
    expect(keystore.operation('write-kes-configuration').input.vault).toEqual({
      url: 'https://vault.example.org:8200',
      secretId: { delivery: 'minted', ttl: '0s', boundCidrs: [], tokenBoundCidrs: [] },
      outdatedSecretIds: `${STATE_ROOT}/outdated-secret-ids.json`,
    });
  });

  test('finds the token in a file that the environment names, and is told what SecretIDs must be like', () => {
    const found = stackOf(
      synthDeployment({
        environment: `
name: local
vault: { mode: external, address: "https://vault.example.org:8200", tokenFile: /run/token }
keyStore: { type: vault, existingMount: true, approle: { existingMount: true, secretId: { delivery: wrapped, ttl: 720h } } }
`,
      }),
      'keystore',
    );
    expect(found.provider('vault').token).toBe('${trimspace(file("/run/token"))}');
    expect(found.resource('vault_mount').count).toBe(0);
    expect(found.resource('vault_auth_backend').count).toBe(0);
    const { input, triggers } = found.operation('write-kes-configuration');
    expect(input.vault).toMatchObject({
      tokenFile: '/run/token',
      secretId: { delivery: 'wrapped', ttl: '720h' },
      secretIdNote: `${STATE_ROOT}/secret-id.json`,
    });
    expect(triggers.generation).toContain('secret-id.json');
  });

  test('makes no certificate for it', () => {
    const { leaves } = stackOf(stacks, 'foundation').operation('issue-certificates').input as { leaves: Block[] };
    expect(leaves.map(({ name }) => name)).not.toContain('vault-server');
  });

  test('checks again without it, too', () => {
    expect(stackOf(stacks, 'checks').operation('run-checks').triggers).not.toHaveProperty('vault');
  });

  const vaultCaOf = (of: Stacks) =>
    (stackOf(of, 'kes').resource('docker_container', 'Kes_Files_Loader').upload as Block[]).find(
      ({ file }) => file === '/files/vault-ca.crt',
    )?.source;

  test('is verified by the CAs that the image of KES trusts, unless told otherwise', () => {
    expect(vaultCaOf(stacks)).toBeUndefined();
    const { configuration } = stackOf(stacks, 'keystore').operation('write-kes-configuration').input;
    expect(configuration).not.toHaveProperty('keyStore.caFile');
  });

  test('finds it by the variables that every client of Vault knows', () => {
    const found = synthDeployment({
      environment: 'name: local\nvault: { mode: external }',
      vaultVariables: { address: 'https://from.variable:8200', namespace: 'team', caFile: '/etc/vault/ca.pem' },
    });
    expect(stackOf(found, 'keystore').provider('vault')).toEqual({
      address: 'https://from.variable:8200',
      namespace: 'team',
      ca_cert_file: '/etc/vault/ca.pem',
    });
    expect(stackOf(found, 'keystore').operation('write-kes-configuration').input).toMatchObject({
      vault: { url: 'https://from.variable:8200', namespace: 'team', caFile: '/etc/vault/ca.pem' },
      configuration: {
        keyStore: { endpoint: 'https://from.variable:8200', namespace: 'team', caFile: '/files/vault-ca.crt' },
      },
    });
    expect(vaultCaOf(found)).toBe('/etc/vault/ca.pem');
  });

  test('believes the file before the variables', () => {
    const found = synthDeployment({
      environment:
        'name: local\nvault: { mode: external, address: "https://from.file", namespace: file, caFile: /file/ca.pem }',
      vaultVariables: { address: 'https://from.variable', namespace: 'variable', caFile: '/variable/ca.pem' },
    });
    expect(stackOf(found, 'keystore').provider('vault')).toEqual({
      address: 'https://from.file',
      namespace: 'file',
      ca_cert_file: '/file/ca.pem',
    });
  });

  test.each([
    [
      'nobody says where it is',
      undefined,
      'vault.address: must be given for an external Vault, got nothing',
      'write it into the environment file, or set VAULT_ADDR',
    ],
    [
      'it would be spoken to in the clear',
      'http://vault:8200',
      'VAULT_ADDR: must be an https:// address, got: http://vault:8200',
      'put TLS before Vault',
    ],
  ])('is refused when %s', (_, address, message, hint) => {
    const error = thrownBy(() =>
      synthDeployment({
        environment: 'name: local\nvault: { mode: external }',
        vaultVariables: address === undefined ? {} : { address },
      }),
    );
    expect(error).toBeInstanceOf(UsageError);
    expect(error.message).toBe(message);
    expect(error).toHaveProperty('hint', hint);
  });
});

describe('an environment with its master keys as files', () => {
  let stacks: Stacks;
  beforeAll(() => {
    stacks = synthDeployment({ environment: FILESYSTEM });
  });

  test('is five stacks, without Vault, its provider, image or certificate', () => {
    expect(Object.keys(stacks).sort()).toEqual(['checks', 'foundation', 'keystore', 'kes', 'minio'].sort());
    expect(stackOf(stacks, 'keystore').dependencies).toEqual(['local-foundation']);
    for (const { text } of Object.values(stacks)) expect(text.toLowerCase()).not.toMatch(/vault(?!")/);
  });

  test('keeps them in a volume of the user of KES, which no plan deletes', () => {
    const keystore = stackOf(stacks, 'keystore');
    expect(keystore.resource('docker_volume')).toMatchObject({
      name: 'ebs-local-kes-keys',
      lifecycle: { prevent_destroy: true },
    });
    expect(keystore.resource('docker_container', 'Keys_Owner')).toMatchObject({
      command: ['65532:65532', '/volume'],
      image: 'encrypted-backup-storage/minio:cccccccccccccccc',
    });
    expect(stackOf(stacks, 'kes').resource('docker_container', 'Kes_Server').volumes).toContainEqual({
      volume_name: 'ebs-local-kes-keys',
      container_path: '/keys',
      read_only: false,
    });
    expect(keystore.operation('write-kes-configuration').input).toMatchObject({
      configuration: { keyStore: { type: 'filesystem', path: '/keys' } },
      place: { type: 'filesystem' },
      placeFile: `${STATE_ROOT}/key-store.json`,
    });
  });

  test('takes a folder of the host instead', () => {
    const found = synthDeployment({ environment: 'name: local\nkeyStore: { type: filesystem, path: /srv/keys }' });
    expect(stackOf(found, 'keystore').resources('docker_volume')).toEqual({});
    expect(stackOf(found, 'keystore').json).not.toHaveProperty('provider');
    expect(stackOf(found, 'kes').resource('docker_container', 'Kes_Server').mounts).toEqual([
      { type: 'bind', source: '/srv/keys', target: '/keys', read_only: false },
    ]);
  });
});

describe('an environment with its master keys in AWS', () => {
  let stacks: Stacks;
  beforeAll(() => {
    stacks = synthDeployment({ environment: AWS });
  });

  test('declares nothing there, so that nothing can be destroyed, and has no Vault', () => {
    expect(Object.keys(stacks).sort()).toEqual(['checks', 'foundation', 'keystore', 'kes', 'minio'].sort());
    const { json } = stackOf(stacks, 'keystore');
    expect(json).not.toHaveProperty('provider');
    expect(Object.keys(json.resource as Block)).toEqual(['terraform_data']);
  });

  test('keeps the credentials of KES as a file, before anything asks for them', () => {
    const file = `${STATE_ROOT}/secrets/aws/credentials.json`;
    expect(stackOf(stacks, 'foundation').operation('store-aws-credentials').input).toEqual({
      region: 'eu-central-1',
      file,
    });
    const { input, triggers } = stackOf(stacks, 'keystore').operation('write-kes-configuration');
    expect(input).toMatchObject({
      awsCredentialsFile: file,
      configuration: {
        keyStore: { type: 'aws', endpoint: 'https://secretsmanager.eu-central-1.amazonaws.com', kmsKey: 'alias/kes' },
      },
    });
    // others reach KES
    expect(triggers.credentials).toContain('filesha256');
  });

  test('makes KES trust the CA of the endpoint besides the public ones', () => {
    const kes = stackOf(stacks, 'kes');
    expect(kes.resource('docker_container', 'Kes_Server').env).toEqual([
      'SSL_CERT_DIR=/etc/ssl/certs:/etc/pki/tls/certs:/files/trusted',
    ]);
    expect(kes.resource('docker_container', 'Kes_Files_Loader').upload).toContainEqual(
      expect.objectContaining({ file: '/files/trusted/key-store.crt', source: '/etc/aws.pem' }),
    );
  });

  test('keeps none where KES asks the instance that it runs on', () => {
    const found = synthDeployment({
      environment: 'name: local\nkeyStore: { type: aws, region: eu-central-1, credentials: instance-role }',
    });
    const operations = stackOf(found, 'foundation').operations();
    expect(operations.filter(({ command }) => command.endsWith('store-aws-credentials'))).toEqual([]);
    expect(stackOf(found, 'keystore').operation('write-kes-configuration').input).not.toHaveProperty(
      'awsCredentialsFile',
    );
  });
});

describe('settings reach what they are about', () => {
  test('images from a registry, by digest', () => {
    const stacks = synthDeployment({ environment: `name: local\n${FROM_REGISTRY}`, toolchain: REGISTRY });
    const images = Object.values(stackOf(stacks, 'foundation').resources('docker_image'));
    expect(images.map(({ name }) => name).sort()).toEqual([
      `docker.io/hashicorp/vault@${digest('1')}`,
      `quay.io/minio/kes@${digest('2')}`,
      `quay.io/minio/minio@${digest('3')}`,
    ]);
    for (const image of images) expect(image).not.toHaveProperty('build');
    for (const container of containersOf(stacks)) expect(container.image).toMatch(/@sha256:/);
  });

  test('provider 1.9.0 and 5.x differ in the role and in the version, nowhere else', () => {
    const withVault = (vault: string) =>
      synthDeployment({ toolchain: { ...BUILT, providers: { ...BUILT.providers, vault } } });
    const old = withVault('1.9.0');
    const current = withVault('5.6.0');
    for (const name of Object.keys(old)) {
      if (name !== 'keystore') expect(stackOf(current, name).text).toBe(stackOf(old, name).text);
    }
    const keystore = (stacks: Stacks) => {
      const { resource, terraform, provider, output } = stackOf(stacks, 'keystore').json;
      const { vault_approle_auth_backend_role: role, ...resources } = resource as Record<string, Block>;
      const others = { ...(terraform as Block), required_providers: undefined };
      return { role: Object.values(role ?? {})[0] as Block, others: { resources, others, provider, output } };
    };
    expect(keystore(current).others).toEqual(keystore(old).others);
    expect(keystore(old).role).toMatchObject({ period: 1800, policies: [expect.any(String)] });
    expect(keystore(current).role).toMatchObject({ token_period: 1800, token_policies: [expect.any(String)] });
  });

  test('the Docker host, the address to publish on, names and ports', () => {
    const stacks = synthDeployment({
      environment: `name: nas
docker: { host: ssh://backup@nas, publishAddress: 192.0.2.7 }
vault: { mode: embedded, port: 18200 }
kes: { port: 17373 }
minio: { port: 19000, hostnames: [s3.example.org] }
`,
    });
    for (const name of ['foundation', 'vault', 'kes', 'minio']) {
      expect(stackOf(stacks, name).provider('docker')).toEqual({ host: 'ssh://backup@nas' });
    }
    expect(servicesOf(stacks).flatMap(({ ports }) => ports as Block[])).toEqual(
      [17373, 19000, 18200].map((external) => expect.objectContaining({ external, ip: '192.0.2.7' }) as Block),
    );
    const { leaves } = stackOf(stacks, 'foundation').operation('issue-certificates').input as { leaves: Block[] };
    expect(leaves.find(({ name }) => name === 'minio-server')).toMatchObject({
      dnsNames: ['minio', 'localhost', 's3.example.org'],
      ipAddresses: ['127.0.0.1', '192.0.2.7'],
    });
    expect(stackOf(stacks, 'minio').output('s3_endpoint').value).toBe('https://s3.example.org:19000');
  });

  test('all addresses of the Docker host, of which the deploy uses one that it can connect to', () => {
    const stacks = synthDeployment({ environment: 'name: local\ndocker: { publishAddress: 0.0.0.0 }' });
    for (const { ip } of servicesOf(stacks).flatMap(({ ports }) => ports as Block[])) expect(ip).toBe('0.0.0.0');
    expect(stackOf(stacks, 'minio').output('s3_endpoint').value).toBe('https://127.0.0.1:9000');
    expect(stackOf(stacks, 'keystore').provider('vault').address).toBe('https://127.0.0.1:8200');
    expect(stackOf(stacks, 'kes').operation('create-master-keys').input.creator).toMatchObject({
      url: 'https://127.0.0.1:7373',
    });
  });

  test('the version of KV reaches the mount, the policy and KES', () => {
    const keystore = stackOf(
      synthDeployment({ environment: 'name: local\nkeyStore: { type: vault, kvVersion: 1 }' }),
      'keystore',
    );
    expect(keystore.resource('vault_mount').options).toEqual({ version: '1' });
    expect(keystore.resource('vault_policy').policy).toContain('path "kes/local/*"');
    expect(keystore.operation('write-kes-configuration').input).toMatchObject({
      configuration: { keyStore: { kvVersion: 1 } },
    });
  });

  test('Terraform’s state in S3 is locked and encrypted, one object for each stack; secrets stay here', () => {
    const stacks = synthDeployment({
      environment: `name: prod
state: { backend: s3, bucket: states, region: eu-central-1, endpoint: "https://s3.example.org" }
`,
    });
    for (const [name, stack] of Object.entries(stacks)) {
      expect(stack.json.terraform).toMatchObject({
        required_version: '>= 1.10',
        backend: {
          s3: {
            bucket: 'states',
            key: `encrypted-backup-storage/prod/${name}.tfstate`,
            region: 'eu-central-1',
            encrypt: true,
            use_lockfile: true,
            use_path_style: true,
            endpoints: { s3: 'https://s3.example.org' },
          },
        },
      });
    }
    expect(stackOf(stacks, 'foundation').operation('create-root-credentials').input.rootFile).toBe(
      `${STATE_ROOT}/secrets/minio/root.json`,
    );
  });
});

describe.each(VARIATIONS)('always: %s', (_, variation) => {
  let stacks: Stacks;
  beforeAll(() => {
    stacks = synthDeployment(variation);
  });

  test('every service is hardened', () => {
    expect(servicesOf(stacks).length).toBeGreaterThanOrEqual(2);
    for (const service of servicesOf(stacks)) {
      expect(service).toMatchObject({
        user: '65532:65532',
        read_only: true,
        capabilities: { drop: ['ALL'] },
        security_opts: ['no-new-privileges'],
        memory: expect.any(Number) as number,
        memory_swap: service.memory,
        ulimit: [expect.objectContaining({ name: 'nproc' })],
        restart: 'always',
        log_opts: { 'max-size': '10m', 'max-file': '5' },
      });
      expect(service).not.toHaveProperty('capabilities.add');
      expect(service).not.toHaveProperty('privileged');
      expect(service).not.toHaveProperty('network_mode', 'host');
    }
  });

  test('every server has a health check, and time to stop', () => {
    for (const service of servicesOf(stacks).filter(({ ports }) => (ports as Block[]).length > 0)) {
      expect(service).toHaveProperty('healthcheck.test');
      expect(service.stop_timeout).toBeGreaterThanOrEqual(/-(vault|minio)$/.test(String(service.name)) ? 30 : 10);
    }
  });

  test('what runs once and ends has no network', () => {
    const helpers = containersOf(stacks).filter((container) => !servicesOf(stacks).includes(container));
    expect(helpers.length).toBeGreaterThan(0);
    for (const helper of helpers) {
      expect(helper.network_mode).toBe('none');
      if (helper.start !== false) {
        expect(helper).toMatchObject({
          capabilities: { drop: ['ALL'], add: ['CAP_CHOWN'] },
          security_opts: ['no-new-privileges'],
          read_only: true,
        });
      }
    }
  });

  test('every port is published on this machine alone', () => {
    const ports = servicesOf(stacks).flatMap(({ ports: published }) => published as Block[]);
    expect(ports.length).toBeGreaterThanOrEqual(2);
    for (const port of ports) expect(port.ip).toBe('127.0.0.1');
  });

  test('every container, volume and network says to which environment it belongs', () => {
    const label = { label: 'encrypted-backup-storage.environment', value: 'local' };
    for (const stack of Object.values(stacks)) {
      for (const type of ['docker_container', 'docker_volume', 'docker_network']) {
        for (const resource of Object.values(stack.resources(type))) {
          expect(resource.labels).toContainEqual(label);
          expect(resource.name).toMatch(/^ebs-local(-|$)/);
        }
      }
    }
  });

  test('every operation is told what it can read', () => {
    for (const stack of Object.values(stacks)) {
      for (const { command, input } of stack.operations()) {
        const name = command.replace(/^.* /, '') as keyof typeof operationInputs;
        expect(Object.keys(operationInputs)).toContain(name);
        expect(operationInputs[name].parse(input)).toEqual(input);
      }
    }
  });

  test('no secret is in what Terraform reads', () => {
    const { secrets } = stateLayout('local', STATE_ROOT);
    for (const { text } of Object.values(stacks)) {
      expect(text).not.toMatch(/PRIVATE KEY|\bhv[sbr]\.|\bs\.[A-Za-z0-9]{24}\b|AppRole.*secret_id/);
    }
    for (const { env = [] } of servicesOf(stacks)) {
      for (const variable of env as string[]) {
        expect(variable).not.toMatch(/^[^=]*(PASSWORD|SECRET|TOKEN|ACCESS_KEY|API_KEY|ROOT_USER|CREDENTIAL)[^=]*=/);
      }
    }
    for (const { upload = [] } of containersOf(stacks)) {
      for (const { file, source, content } of upload as Block[]) {
        if (!/\.key$|config\.env$|server-config\.yaml$|unseal-share/.test(String(file))) continue;
        expect(content).toBeUndefined();
        expect(String(source).startsWith(`${secrets}/`)).toBe(true);
      }
    }
  });

  test('the next synth is the same, byte for byte, whenever it is', () => {
    jest.useFakeTimers({ now: new Date('2042-01-01T00:00:00Z') });
    try {
      const again = synthDeployment(variation);
      for (const [name, { text }] of Object.entries(stacks)) expect(stackOf(again, name).text).toBe(text);
    } finally {
      jest.useRealTimers();
    }
  });
});

describe('what cannot be made again', () => {
  const guarded = (stacks: Stacks) =>
    Object.values(stacks)
      .flatMap((stack) => [
        ...Object.values(stack.resources('docker_volume')),
        ...Object.values(stack.resources('vault_mount')),
      ])
      .filter(({ lifecycle }) => lifecycle !== undefined)
      .map(({ name, path: mount, lifecycle }) => [name ?? mount, (lifecycle as Block).prevent_destroy]);

  test('is not deleted', () => {
    expect(guarded(synthDeployment()).sort()).toEqual([
      ['ebs-local-minio-data', true],
      ['ebs-local-vault-audit', true],
      ['ebs-local-vault-data', true],
      ['kes', true],
    ]);
  });

  test('is deleted where the environment says its own name', () => {
    expect(guarded(synthDeployment({ environment: 'name: local\nallowDataLoss: local' })).sort()).toEqual([
      ['ebs-local-minio-data', false],
      ['ebs-local-vault-audit', false],
      ['ebs-local-vault-data', false],
      ['kes', false],
    ]);
  });
});

describe('declaring', () => {
  afterEach(() => {
    jest.restoreAllMocks();
  });

  test('reads no file, starts no program and does not look at the clock', () => {
    // GIVEN
    const outdir = folder();
    const app = new App({ outdir, skipValidation: true });
    const seen: string[] = [];
    const outside = (file: unknown) =>
      typeof file === 'string' && !file.startsWith(outdir) && !file.includes(`${path.sep}node_modules${path.sep}`);
    for (const name of [
      'readFileSync',
      'existsSync',
      'statSync',
      'readdirSync',
      'openSync',
      'writeFileSync',
    ] as const) {
      const original = fs[name] as (...args: unknown[]) => unknown;
      jest.spyOn(fs, name).mockImplementation(((...args: unknown[]) => {
        if (outside(args[0])) seen.push(`${name} ${String(args[0])}`);
        return original(...args);
      }) as never);
    }
    for (const name of ['execSync', 'spawnSync', 'spawn'] as const) {
      jest
        .spyOn(childProcess, name)
        .mockImplementation(((command: string) => seen.push(`${name} ${command}`)) as never);
    }
    const clock = jest.spyOn(Date, 'now');

    // WHEN
    declareDeployment(app, { environment: EVERYTHING });

    // THEN
    expect(seen).toEqual([]);
    expect(clock).not.toHaveBeenCalled();
    expect(fs.existsSync(STATE_ROOT)).toBe(false);
  });
});
