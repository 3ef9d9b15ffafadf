import {
  BUILT,
  containersOf,
  digest,
  FROM_REGISTRY,
  REGISTRY,
  servicesOf,
  stackOf,
  STATE_ROOT,
  synthDeployment,
} from '../helpers/deployment';
import type { Block } from '../helpers/synth';

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

  test('a program that is elsewhere in its image', () => {
    const environment = `name: local\n${FROM_REGISTRY}  programs: { minio: /usr/bin/silo, kes: /usr/bin/kes }\n`;
    const containers = containersOf(synthDeployment({ environment, toolchain: REGISTRY }));
    const entrypoints = containers.flatMap(({ entrypoint }) => (entrypoint === undefined ? [] : [entrypoint]));
    expect(entrypoints).toEqual(expect.arrayContaining([['/usr/bin/silo'], ['/usr/bin/kes'], ['/bin/vault']]));
    const minio = containers.find(({ name }) => name === 'ebs-local-minio');
    expect(JSON.stringify(minio?.healthcheck)).toContain('"/usr/bin/mc"');
  });

  test('Vault 2.x is told that unseal shares are enough, where the image may hold it', () => {
    const setting = 'enable_unauthenticated_access';
    const told = (more: Parameters<typeof synthDeployment>[0]): boolean =>
      stackOf(synthDeployment(more), 'vault').text.includes(setting);
    const registry = { environment: `name: local\n${FROM_REGISTRY}`, toolchain: REGISTRY };
    expect([told(registry), told({})]).toEqual([true, false]);
  });

  test('another version of a provider is another version, and nothing else', () => {
    const versioned = (vault: string) => {
      const stacks = synthDeployment({ toolchain: { ...BUILT, providers: { ...BUILT.providers, vault } } });
      return Object.fromEntries(Object.entries(stacks).map(([name, { text }]) => [name, text]));
    };
    const usual = versioned('5.9.0');
    const other = versioned('5.11.0');
    expect(other.keystore).not.toBe(usual.keystore);
    expect(other).toEqual({ ...usual, keystore: usual.keystore?.replace('"5.9.0"', '"5.11.0"') });
  });

  test('the Docker host, the addresses to publish on, names and ports', () => {
    const stacks = synthDeployment({
      environment: `name: nas
docker: { host: ssh://backup@nas, publishAddress: 192.0.2.7 }
vault: { mode: embedded, port: 18200, publishAddress: 192.0.2.8 }
kes: { port: 17373, publishAddress: 192.0.2.9 }
minio: { port: 19000, hostnames: [s3.example.org] }
`,
    });
    for (const name of ['foundation', 'vault', 'kes', 'minio']) {
      expect(stackOf(stacks, name).provider('docker')).toEqual({
        host: 'ssh://backup@nas',
        ssh_opts: [
          '-o',
          'BatchMode=yes',
          '-o',
          'StrictHostKeyChecking=yes',
          '-o',
          'ConnectTimeout=10',
          '-o',
          'ServerAliveInterval=15',
        ],
      });
    }
    expect(servicesOf(stacks).flatMap(({ ports }) => ports as Block[])).toEqual([
      { internal: 7373, external: 17373, ip: '192.0.2.9' },
      { internal: 9000, external: 19000, ip: '192.0.2.7' },
      { internal: 8200, external: 18200, ip: '192.0.2.8' },
    ]);
    const { leaves } = stackOf(stacks, 'foundation').operation('issue-certificates').input as { leaves: Block[] };
    expect(leaves.find(({ name }) => name === 'minio-server')).toMatchObject({
      dnsNames: ['minio', 'localhost', 's3.example.org'],
      ipAddresses: ['127.0.0.1', '192.0.2.7'],
    });
    expect(leaves.find(({ name }) => name === 'kes-server')).toMatchObject({ ipAddresses: ['127.0.0.1', '192.0.2.9'] });
    expect(stackOf(stacks, 'keystore').provider('vault').address).toBe('https://192.0.2.8:18200');
    expect(stackOf(stacks, 'minio').output('s3_endpoint').value).toBe('https://s3.example.org:19000');
  });

  test.each([
    ['0.0.0.0', 'https://127.0.0.1:9000', ['127.0.0.1']],
    ['::', 'https://[::1]:9000', ['127.0.0.1', '::1']],
    ['2001:db8::7', 'https://[2001:db8::7]:9000', ['127.0.0.1', '2001:db8::7']],
  ])('S3 alone is published on %s', (address, url, ipAddresses) => {
    const stacks = synthDeployment({ environment: `name: local\ndocker: { publishAddress: "${address}" }` });
    const published = servicesOf(stacks).flatMap(({ ports }) => ports as Block[]);
    expect(published.map(({ internal, ip }) => [internal, ip])).toEqual([
      [7373, '127.0.0.1'],
      [9000, address],
      [8200, '127.0.0.1'],
    ]);
    expect(stackOf(stacks, 'minio').output('s3_endpoint').value).toBe(url);
    const { leaves } = stackOf(stacks, 'foundation').operation('issue-certificates').input as { leaves: Block[] };
    expect(leaves.find(({ name }) => name === 'minio-server')).toMatchObject({ ipAddresses });
    expect(stackOf(stacks, 'keystore').provider('vault').address).toBe('https://127.0.0.1:8200');
    expect(stackOf(stacks, 'kes').operation('create-master-keys').input.creator).toMatchObject({
      url: 'https://127.0.0.1:7373',
    });
  });

  test('no service may have more processes than the engine can give', () => {
    const services = servicesOf(synthDeployment({ environment: 'name: local\ndocker: { processLimit: 4096 }' }));
    expect(services.map(({ ulimit }) => ulimit)).toEqual(
      services.map(() => [{ name: 'nproc', soft: 4096, hard: 4096 }]),
    );
    expect(services).toHaveLength(4);
  });

  test('MinIO and Vault have no network in common; KES is in both', () => {
    const stacks = synthDeployment({ environment: 'name: local\ndocker: { subnet: 10.89.0.0/24, mtu: 1400 }' });
    const options = { 'com.docker.network.driver.mtu': '1400' };
    expect(stackOf(stacks, 'foundation').resource('docker_network')).toMatchObject({
      name: 'ebs-local',
      ipam_config: [{ subnet: '10.89.0.0/25' }],
      options,
    });
    expect(stackOf(stacks, 'vault').resource('docker_network')).toMatchObject({
      name: 'ebs-local-vault',
      ipam_config: [{ subnet: '10.89.0.128/25' }],
      options,
    });
    const networks = servicesOf(stacks).map(({ name, networks_advanced: all }) => [
      name,
      (all as Block[]).map((network) => network.name),
    ]);
    const ofVault = '${docker_network.Network.name}';
    expect(networks).toEqual([
      ['ebs-local-kes', ['ebs-local', 'ebs-local-vault']],
      ['ebs-local-minio', ['ebs-local']],
      ['ebs-local-vault', [ofVault]],
      ['ebs-local-vault-unsealer', [ofVault]],
    ]);
  });

  test.each(['vault: { mode: external, address: "https://v:8200" }', 'keyStore: { type: filesystem }'])(
    'without an embedded Vault there is one network: %s',
    (settings) => {
      const stacks = synthDeployment({ environment: `name: local\n${settings}` });
      const declared = Object.values(stacks).flatMap((stack) => Object.values(stack.resources('docker_network')));
      expect(declared.map(({ name, ipam_config: ranges, options }) => ({ name, ranges, options }))).toEqual([
        { name: 'ebs-local', ranges: undefined, options: undefined },
      ]);
      for (const { networks_advanced: networks } of servicesOf(stacks)) {
        expect(networks).toMatchObject([{ name: 'ebs-local' }]);
      }
    },
  );

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
