import { renderBalancer } from '../../../config/haproxy/balancer-configuration';
import { nodesOf } from '../../../config/node';
import { type BalancedHost, Balancer } from '../../../constructs/haproxy/balancer';
import { deploymentOf, HOSTS } from '../../helpers/deployment';
import { type Block, newStack, synth } from '../../helpers/synth';

const FOUR = `${HOSTS}  - { name: d, docker: ssh://deploy@192.0.2.14, address: 192.0.2.14 }\n`;

/** The balancer of a host of several. */
function declare(settings: string, number: number) {
  const deployment = deploymentOf({ environment: `name: local\n${settings}` });
  const node = nodesOf(deployment.environment)[number - 1];
  if (node?.host === undefined || node.balancer === undefined) throw new Error(`no host ${number}`);
  const host: BalancedHost = { ...node, host: node.host, balancer: node.balancer };
  const stack = newStack();
  new Balancer(stack, 'Balancer', { deployment, node: host });
  const synthesized = synth(stack);
  const loader = synthesized.resource('docker_container', 'Balancer_Files_Loader');
  const files = Object.fromEntries((loader.upload as Block[]).map((file) => [file.file as string, file]));
  return {
    container: synthesized.resource('docker_container', 'Balancer_Server'),
    files,
    text: String(files['/files/haproxy.cfg']?.content),
  };
}

/** The servers of a service, in the order in which HAProxy has them. */
const servers = (text: string, service: string): string[] =>
  (text.split('\n\n').find((part) => /^(?:listen|backend) (\S+)/.exec(part)?.[1] === service) ?? '')
    .split('\n')
    .flatMap((line) => (/^ {2}server (\S+ \S+)/.exec(line) ?? []).slice(1));

test('leads S3 clients to every MinIO, MinIO to the KES of its host first, and KES to every Vault', () => {
  const { text } = declare(FOUR, 2);
  expect(servers(text, 's3')).toEqual([
    'minio-1 192.0.2.11:9010',
    'minio-2 192.0.2.12:9010',
    'minio-3 192.0.2.13:9010',
    'minio-4 192.0.2.14:9010',
  ]);
  expect(servers(text, 'kes')).toEqual([
    'kes-2 192.0.2.12:7373',
    'kes-1 192.0.2.11:7373',
    'kes-3 192.0.2.13:7373',
    'kes-4 192.0.2.14:7373',
  ]);
  // the fourth host has none
  expect(servers(text, 'vault')).toEqual([
    'vault-1 192.0.2.11:8200',
    'vault-2 192.0.2.12:8200',
    'vault-3 192.0.2.13:8200',
  ]);
});

test('has in each network the name of what it leads to there: there is no way from MinIO to Vault', () => {
  const { container, text } = declare(HOSTS, 1);
  expect(container.networks_advanced).toEqual([
    { name: 'ebs-local', aliases: ['kes'] },
    { name: 'ebs-local-vault', aliases: ['vault'] },
  ]);
  expect(text).toContain('  bind kes:7373\n');
  expect(text).toContain('  bind vault:8200\n');
});

test('publishes the S3 API on the address of its host, and nothing else', () => {
  expect(declare(HOSTS, 3).container.ports).toEqual([{ internal: 9000, external: 9000, ip: '192.0.2.13' }]);
  const everywhere = declare(`${HOSTS}docker: { publishAddress: 0.0.0.0 }\nminio: { port: 9443 }`, 3);
  expect(everywhere.container.ports).toEqual([{ internal: 9000, external: 9443, ip: '0.0.0.0' }]);
});

test.each([
  ['an external Vault', 'vault: { mode: external, address: "https://vault.example.com" }'],
  ['master keys in AWS', 'keyStore: { type: aws, region: eu-central-1 }'],
])('with %s it leads nobody there, and has no certificate for it', (_, settings) => {
  const { container, files, text } = declare(`${HOSTS}${settings}`, 1);
  expect(text).not.toContain('vault');
  expect(Object.keys(files)).toEqual([
    '/files/haproxy.cfg',
    '/files/ca.crt',
    '/files/kes-client.crt',
    '/files/kes-client.crt.key',
  ]);
  expect(container.networks_advanced).toEqual([{ name: 'ebs-local', aliases: ['kes'] }]);
});

test('its checks show the certificates that KES and Vault ask for; their keys are in the volume alone', () => {
  const { files } = declare(HOSTS, 1);
  const sources = Object.entries(files).flatMap(([name, { source }]) => (source === undefined ? [] : [[name, source]]));
  expect(Object.fromEntries(sources)).toEqual({
    '/files/ca.crt': '/nonexistent/state/tls/ca.crt',
    '/files/kes-client.crt': '/nonexistent/state/tls/health.crt',
    '/files/kes-client.crt.key': '/nonexistent/state/secrets/tls/health.key',
    '/files/vault-client.crt': '/nonexistent/state/vault-clients/balancer.crt',
    '/files/vault-client.crt.key': '/nonexistent/state/secrets/vault-clients/balancer.key',
  });
});

test('is replaced when it must read something else: it reads its files only when it starts', () => {
  const { container, text } = declare(HOSTS, 1);
  const labels = (container.labels as Block[]).filter(({ label }) => String(label).includes('read-at-start'));
  expect(labels).toHaveLength(6);
  expect(labels.map(({ value }) => String(value)).join()).toContain('filesha256("/nonexistent/state/tls/health.crt")');
  expect(text).toBe(
    renderBalancer({
      s3: {
        bind: { port: 9000 },
        servers: [server('minio', 1, 9010), server('minio', 2, 9010), server('minio', 3, 9010)],
      },
      kes: {
        bind: { name: 'kes', port: 7373 },
        servers: [server('kes', 1, 7373), server('kes', 2, 7373), server('kes', 3, 7373)],
      },
      vault: {
        bind: { name: 'vault', port: 8200 },
        servers: [server('vault', 1, 8200), server('vault', 2, 8200), server('vault', 3, 8200)],
      },
    }),
  );
});

const server = (service: string, number: number, port: number) => ({
  name: `${service}-${number}`,
  address: `192.0.2.${10 + number}`,
  port,
});

test('is hardened like every other program, and has the memory that the settings give it', () => {
  const { container } = declare(`${HOSTS}balancer: { memoryMb: 128 }`, 1);
  expect(container).toMatchObject({
    user: '65532:65532',
    read_only: true,
    capabilities: { drop: ['ALL'] },
    memory: 128,
    stop_signal: 'SIGUSR1',
    entrypoint: ['/usr/local/sbin/haproxy'],
    command: ['-db', '-f', '/files/haproxy.cfg'],
  });
  expect(declare(HOSTS, 1).container.memory).toBe(256);
});
