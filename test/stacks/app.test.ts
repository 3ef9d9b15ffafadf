import { App, Testing } from 'cdktf';
import childProcess from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import {
  declareDeployment,
  EVERYTHING,
  stackOf,
  type Stacks,
  STATE_ROOT,
  synthDeployment,
} from '../helpers/deployment';
import { type Block, synthApp } from '../helpers/synth';
import { useTemporaryFolder } from '../helpers/temporary-folder';

const folder = useTemporaryFolder();

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
      keystore: { vault: { source: 'hashicorp/vault', version: '5.9.0' } },
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
      skip_child_token: true,
      max_retries: 5,
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

  test('checks again when disk encryption becomes required, and nothing else changes', () => {
    const required = synthDeployment({ environment: `${EVERYTHING}\nrequireDiskEncryption: true` });
    const triggersOf = (all: typeof stacks): Record<string, string> =>
      stackOf(all, 'checks').operation('run-checks').triggers;
    expect(triggersOf(required)).toEqual({ ...triggersOf(stacks), 'disk encryption': 'required' });
    expect({ ...required, checks: undefined }).toEqual({ ...stacks, checks: undefined });
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
