import { deployVariables } from '../../config/docker/docker-engine';
import { HOSTS, stackOf, type Stacks, STATE_ROOT, synthDeployment } from '../helpers/deployment';
import { type Block, type Synthesized } from '../helpers/synth';

const THREE = `name: local\n${HOSTS.replace(', certificates: /etc/ebs/docker-c', '').replace('tcp://192.0.2.13:2376', 'ssh://deploy@192.0.2.13')}`;

const hosts = (count: number): string =>
  JSON.stringify(
    Array.from({ length: count }, (_, index) => ({
      name: `h${index + 1}`,
      docker: `ssh://h${index + 1}`,
      address: `192.0.2.${index + 1}`,
    })),
  );

const containerOf = (stacks: Stacks, stack: string, id: string): Block =>
  stackOf(stacks, stack).resource('docker_container', id);

const contentOf = (loader: Block, file: string): string => {
  const uploads = loader.upload as { file: string; content?: string }[];
  return uploads.find((upload) => upload.file === file)?.content ?? '';
};

describe('three hosts', () => {
  let stacks: Stacks;
  beforeAll(() => {
    stacks = synthDeployment({ environment: THREE });
  });

  test('what is on a host is in stacks of its own, each after the one before', () => {
    const order = [
      ...['foundation', 'host-a', 'host-b', 'host-c', 'vault-a', 'vault-b', 'vault-c', 'keystore'],
      ...['kes-a', 'kes-b', 'kes-c', 'kes', 'minio-a', 'minio-b', 'minio-c', 'minio', 'checks'],
    ];
    expect(Object.keys(stacks).sort()).toEqual([...order].sort());
    order.slice(1).forEach((name, index) => {
      expect(stackOf(stacks, name).dependencies).toContain(`local-${order[index] ?? ''}`);
    });
  });

  test('a stack of a host says so, by which plain cdktf names the host when it fails', () => {
    const named = Object.entries(stacks).map(([name, { json }]) => [name, (json['//'] as Block).host]);
    const expected = ['host', 'vault', 'kes', 'minio'].flatMap((service) =>
      ['a', 'b', 'c'].map((host) => [`${service}-${host}`, host]),
    );
    expect(named.filter(([, host]) => host !== undefined).sort()).toEqual(expected.sort());
  });

  test('each has the engine of its host alone, and what it starts speaks to no other', () => {
    for (const service of ['host', 'vault', 'kes', 'minio']) {
      const stack = stackOf(stacks, `${service}-b`);
      expect(stack.provider('docker')).toMatchObject({ host: 'ssh://deploy@192.0.2.12' });
      for (const { variables } of stack.operations()) {
        expect(variables).toMatchObject({ DOCKER_HOST: 'ssh://deploy@192.0.2.12', DOCKER_CONTEXT: '' });
      }
    }
  });

  test('what is on no host knows no engine, whatever the variables of the deploy say', () => {
    for (const name of ['foundation', 'keystore', 'kes', 'minio', 'checks']) {
      expect(stackOf(stacks, name).resources('docker_container')).toEqual({});
    }
    const engine = { host: 'ssh://elsewhere', transport: 'ssh' } as const;
    expect(deployVariables({ hosts: [] }, engine)).toMatchObject({ DOCKER_HOST: '', DOCKER_CONTEXT: '' });
    expect(deployVariables({}, engine)).toMatchObject({ DOCKER_HOST: 'ssh://elsewhere' });
  });

  test('a Vault knows the others by their names, and lets nobody connect without a certificate of its own CA', () => {
    const configuration = JSON.parse(
      contentOf(containerOf(stacks, 'vault-b', 'Vault_Files_Loader'), '/files/vault.json'),
    ) as Block;
    expect(configuration).toMatchObject({
      api_addr: 'https://vault-2:8200',
      cluster_addr: 'https://vault-2:8201',
      storage: {
        raft: {
          node_id: 'vault-2',
          performance_multiplier: 3,
          retry_join: ['vault-1', 'vault-3'].map((name) => ({
            leader_api_addr: `https://${name}:8200`,
            leader_ca_cert_file: '/files/ca.crt',
            leader_client_cert_file: '/files/client.crt',
            leader_client_key_file: '/files/client.key',
          })),
        },
      },
      listener: { tcp: { tls_require_and_verify_client_cert: true, tls_client_ca_file: '/files/clients-ca.crt' } },
    });
    expect(containerOf(stacks, 'vault-b', 'Vault_Server')).toMatchObject({
      networks_advanced: [{ name: 'ebs-local-vault', aliases: ['vault-2'] }],
      host: [
        { host: 'vault-1', ip: '192.0.2.11' },
        { host: 'vault-3', ip: '192.0.2.13' },
      ],
      ports: [
        { internal: 8200, external: 8200, ip: '192.0.2.12' },
        { internal: 8201, external: 8201, ip: '192.0.2.12' },
      ],
    });
  });

  test('another CA of its clients replaces a Vault, which reads it when it starts', () => {
    const { labels } = containerOf(stacks, 'vault-a', 'Vault_Server') as { labels: { label: string; value: string }[] };
    expect(labels.filter(({ label }) => label.includes('read-at-start')).map(({ value }) => value)).toEqual([
      expect.stringContaining('/vault-clients/ca.crt'),
    ]);
  });

  test('the first Vault begins the Raft, and each of them is a gate', () => {
    const operations = (name: string) =>
      stackOf(stacks, name)
        .operations()
        .map(({ command }) => command.split(' ').at(-1))
        .sort();
    expect(operations('vault-a')).toEqual(['await-vault-node', 'initialize-vault', 'reload-container']);
    expect(operations('vault-b')).toEqual(['await-vault-node', 'reload-container']);
    const { input } = stackOf(stacks, 'vault-b').operation('await-vault-node');
    expect(input).toMatchObject({
      host: 'b',
      raftNode: 'vault-2',
      endpoint: {
        url: 'https://192.0.2.12:8200',
        certificateFile: `${STATE_ROOT}/vault-clients/operator.crt`,
        privateKeyFile: `${STATE_ROOT}/secrets/vault-clients/operator.key`,
      },
      peers: [
        { raftNode: 'vault-1', url: 'https://192.0.2.11:8200' },
        { raftNode: 'vault-3', url: 'https://192.0.2.13:8200' },
      ],
    });
  });

  test('MinIO has no certificate of a client of Vault, which is what keeps it away from there', () => {
    const vaultClients = (stack: Synthesized) => stack.text.includes('vault-clients');
    for (const host of ['a', 'b', 'c']) {
      expect(vaultClients(stackOf(stacks, `minio-${host}`))).toBe(false);
      // a positive control: those who may connect have one
      expect(vaultClients(stackOf(stacks, `kes-${host}`))).toBe(true);
      expect(vaultClients(stackOf(stacks, `host-${host}`))).toBe(true);
    }
  });

  test('who reads metrics has a certificate of a client of Vault, which nothing on the hosts is given', () => {
    const clientsOf = (all: Stacks): string[] => {
      const inputs = stackOf(all, 'foundation')
        .operations()
        .filter(({ command }) => command.endsWith('issue-certificates'))
        .map(({ input }) => input as { certificateFolder: string; leaves: { name: string }[] });
      const ofVault = inputs.find(({ certificateFolder }) => certificateFolder === `${STATE_ROOT}/vault-clients`);
      return (ofVault?.leaves ?? []).map(({ name }) => name);
    };
    const watched = synthDeployment({ environment: `${THREE}monitoring: {}\n` });
    expect(clientsOf(stacks)).toEqual(['operator', 'vault', 'kes', 'balancer']);
    expect(clientsOf(watched)).toEqual([...clientsOf(stacks), 'monitoring']);
    const given = Object.entries(watched).filter(([, { text }]) => text.includes('vault-clients/monitoring'));
    expect(given.map(([name]) => name)).toEqual(['foundation']);
  });

  test('every MinIO of two pools knows both, each by an ellipsis of its own', () => {
    const pools = synthDeployment({
      environment: `name: local\nhosts: ${hosts(7)}\nminio: { drives: 2, pools: [3, 4] }\n`,
    });
    for (const host of ['h1', 'h7']) {
      expect((containerOf(pools, `minio-${host}`, 'Minio_Server').command as string[]).slice(-2)).toEqual([
        'https://minio-{1...3}:9010/drives/{1...2}',
        'https://minio-{4...7}:9010/drives/{1...2}',
      ]);
    }
    expect(Object.keys(pools).filter((name) => name.startsWith('vault-'))).toEqual([
      'vault-h1',
      'vault-h2',
      'vault-h3',
    ]);
  });

  test('every MinIO has the same command but for nothing, and the same settings', () => {
    const servers = ['a', 'b', 'c'].map((host) => containerOf(stacks, `minio-${host}`, 'Minio_Server'));
    expect(new Set(servers.map(({ command, env, image }) => JSON.stringify([command, env, image]))).size).toBe(1);
    expect(servers[0]?.command).toContain('https://minio-{1...3}:9010/data');
    expect(servers[0]?.env).toEqual(
      expect.arrayContaining(['MINIO_KMS_KES_ENDPOINT=https://kes:7373', 'MINIO_CONN_USER_TIMEOUT=0s']),
    );
    expect(servers[0]?.sysctls).toEqual({ 'net.ipv4.tcp_retries2': '2', 'net.ipv4.tcp_syn_retries': '1' });
    expect(servers[1]).toMatchObject({
      networks_advanced: [{ name: 'ebs-local', aliases: ['minio-2'] }],
      host: [
        { host: 'minio-1', ip: '192.0.2.11' },
        { host: 'minio-3', ip: '192.0.2.13' },
      ],
      ports: [{ internal: 9010, external: 9010, ip: '192.0.2.12' }],
    });
  });

  test('the gate of a MinIO knows all of them and their engines', () => {
    const { input } = stackOf(stacks, 'minio-c').operation('await-minio-node');
    expect(input).toMatchObject({
      host: 'c',
      nodes: ['a', 'b', 'c'].map((host, index) => ({
        host,
        engine: { host: `ssh://deploy@192.0.2.1${index + 1}` },
        container: 'ebs-local-minio',
        endpoint: { url: `https://192.0.2.1${index + 1}:9010` },
      })),
      drives: ['https://minio-3:9010/data'],
    });
  });

  test('a server has a certificate for each of its names and addresses', () => {
    const [issue] = stackOf(stacks, 'foundation')
      .operations()
      .filter(({ input }) => input.certificateFolder === `${STATE_ROOT}/tls`);
    const leaves = issue?.input.leaves as Block[];
    const named = (name: string) => leaves.find((leaf) => leaf.name === name);
    expect(named('vault-server-b')).toMatchObject({
      dnsNames: ['vault-2', 'vault', 'localhost'],
      ipAddresses: ['127.0.0.1', '192.0.2.12'],
    });
    expect(named('kes-server-b')).toMatchObject({ dnsNames: ['kes-2', 'kes', 'localhost'] });
    // a balancer leads who asks for the address of its host to the MinIO of any
    expect(named('minio-server-b')).toMatchObject({
      ipAddresses: expect.arrayContaining(['192.0.2.11', '192.0.2.12', '192.0.2.13']) as string[],
    });
  });

  test('the Vault provider shows a certificate, and a deploy may name another Vault', () => {
    const keystore = stackOf(stacks, 'keystore');
    expect(keystore.provider('vault')).toMatchObject({
      address: '${var.vault_address}',
      client_auth: [
        {
          cert_file: `${STATE_ROOT}/vault-clients/operator.crt`,
          key_file: `${STATE_ROOT}/secrets/vault-clients/operator.key`,
        },
      ],
    });
    expect(keystore.json.variable).toMatchObject({ vault_address: { default: 'https://192.0.2.11:8200' } });
  });

  test('KES reaches the active Vault by the balancer of its host, and shows a certificate', () => {
    const { input } = stackOf(stacks, 'keystore').operation('write-kes-configuration');
    expect(input).toMatchObject({
      vault: { url: 'https://192.0.2.11:8200', otherUrls: ['https://192.0.2.12:8200', 'https://192.0.2.13:8200'] },
      configuration: {
        address: '0.0.0.0:7373',
        keyStore: {
          endpoint: 'https://vault:8200',
          client: { certificate: '/files/vault-client.crt', key: '/files/vault-client.key' },
        },
      },
    });
  });
});

test('the hosts that vault.hosts names have the Vaults, and every host the rest', () => {
  const stacks = synthDeployment({
    environment: `name: local\nhosts: ${hosts(4)}\nvault: { mode: embedded, hosts: [h4, h3, h2] }\n`,
  });
  const on = (service: string) => Object.keys(stacks).filter((name) => name.startsWith(`${service}-`));
  expect(on('vault')).toEqual(['vault-h2', 'vault-h3', 'vault-h4']);
  for (const service of ['host', 'kes', 'minio']) expect(on(service)).toHaveLength(4);
  expect(stackOf(stacks, 'vault-h2').operation('initialize-vault')).toBeDefined();
  expect(stackOf(stacks, 'vault-h3').operation('await-vault-node').input).toMatchObject({
    raftNode: 'vault-3',
    peers: [{ raftNode: 'vault-2' }, { raftNode: 'vault-4' }],
  });
});

test('the network of Vault stays on every host where the master keys are elsewhere: what they left is in it', () => {
  const stacks = synthDeployment({ environment: `${THREE}keyStore: { type: aws, region: eu-central-1 }` });
  for (const host of ['a', 'b', 'c']) {
    const networks = Object.values(stackOf(stacks, `host-${host}`).resources('docker_network'));
    expect(networks.map(({ name }) => name)).toEqual(['ebs-local', 'ebs-local-vault']);
    const kes = containerOf(stacks, `kes-${host}`, 'Kes_Server').networks_advanced as { name: string }[];
    expect(kes.map(({ name }) => name)).toEqual(['ebs-local']);
  }
});

test('an external Vault has no stacks and no clients of ours', () => {
  const stacks = synthDeployment({
    environment: `${THREE}vault: { mode: external, address: "https://vault.example.com" }`,
  });
  expect(Object.keys(stacks).filter((name) => name.startsWith('vault'))).toEqual([]);
  for (const { text } of Object.values(stacks)) expect(text).not.toContain('vault-clients');
});

test('several drives of each host are one set of MinIO', () => {
  const stacks = synthDeployment({ environment: `${THREE}minio: { drives: 2 }` });
  expect(containerOf(stacks, 'minio-a', 'Minio_Server').command).toContain('https://minio-{1...3}:9010/drives/{1...2}');
});

test('a host more is as many resources more, whichever it is', () => {
  const [six = 0, eight = 0, sixteen = 0] = [6, 8, 16].map((count) => {
    const stacks = synthDeployment({ environment: `name: local\nhosts: ${hosts(count)}\nminio: { drives: 8 }\n` });
    return Object.values(stacks).flatMap(({ json }) =>
      Object.values((json.resource ?? {}) as Record<string, Block>).flatMap((ofType) => Object.keys(ofType)),
    ).length;
  });
  expect(sixteen - eight).toBe((8 * (eight - six)) / 2);
});
