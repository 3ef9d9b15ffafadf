import { parseEnvironment } from '../../../config/load';
import { drivesToSpare, parityOf, setSize } from '../../../config/minio/parity';
import { HOSTS } from '../../helpers/deployment';
import { thrownBy } from '../../helpers/thrown';

const A = '{ name: a, docker: "ssh://a", address: 192.0.2.11 }';
const B = '{ name: b, docker: "ssh://b", address: 192.0.2.12 }';
const C = '{ name: c, docker: "ssh://c", address: 192.0.2.13 }';
const IMAGE = `registry.example.org/x@sha256:${'0'.repeat(64)}`;
const hosts = (...of: string[]) => `hosts: [${of.join(', ')}]`;
const many = (count: number) =>
  hosts(
    ...Array.from({ length: count }, (_, n) => `{ name: h${n}, docker: "ssh://h${n}", address: 192.0.2.${n + 1} }`),
  );

function problemsOf(text: string): string[] {
  const error = thrownBy(() => parseEnvironment(`name: x\n${text}`, 'test.yaml'));
  return error.message
    .split('\n')
    .slice(1)
    .map((line) => line.trim().replace(/^line \d+: /, ''));
}

test.each([
  ['three hosts', HOSTS],
  ['several drives on each', `${HOSTS}minio: { drives: [/mnt/1, /mnt/2] }`],
  ['an external Vault', `${HOSTS}vault: { mode: external, address: "https://vault.example.com" }`],
  ['master keys in AWS', `${HOSTS}keyStore: { type: aws, region: eu-central-1 }`],
  [
    'images of a registry, and a balancer with more memory',
    `${HOSTS}images: { source: registry, vault: ${IMAGE}, kes: ${IMAGE}, minio: ${IMAGE}, haproxy: ${IMAGE} }\nbalancer: { memoryMb: 512 }`,
  ],
  ['two pools', `${many(7)}\nminio: { pools: [3, 4] }`],
  ['S3 on every address of each host', `${HOSTS}docker: { publishAddress: 0.0.0.0 }`],
  ['which of four hosts have a Vault', `${many(4)}\nvault: { mode: embedded, hosts: [h3, h1, h2] }`],
  ['this machine among them', hosts('{ name: a, docker: "unix:///run/docker.sock", address: 192.0.2.11 }', B, C)],
])('%s can be declared', (_, text) => {
  expect(() => parseEnvironment(`name: x\n${text}`, 'test.yaml')).not.toThrow();
});

test.each([
  [
    'one host',
    hosts(A),
    'hosts: must be 3 hosts or more: of two none can tell the loss of the other from that of the network, and the one that is left has no majority, got: [{"name":"a","docker":"ssh://a","address":"192.0.2.11"}]. Name three hosts, or write docker.host for one.',
  ],
  [
    'a balancer of one host',
    'balancer: { memoryMb: 128 }',
    'balancer: must not be given without hosts: one host has no balancer, got: {"memoryMb":128}. Remove it.',
  ],
  [
    'the place of the Vault of one host',
    'vault: { mode: embedded, hosts: [a] }',
    'vault.hosts: must not be given without hosts: the only one has the Vault, got: ["a"]. Remove it.',
  ],
  [
    'a Vault on a host that is none',
    `${HOSTS}vault: { mode: embedded, hosts: [a, b, d] }`,
    'vault.hosts[2]: must be the name of a host (a, b, c), got: "d". Name one of hosts.',
  ],
  [
    'two Vaults on one host',
    `${HOSTS}vault: { mode: embedded, hosts: [a, b, b] }`,
    'vault.hosts[2]: must be named once, got: "b". Name another host.',
  ],
  ...['[h0]', '[h0, h1]', '[h0, h1, h2, h3]', '[]'].map((named): [string, string, string] => [
    `Vaults on ${named}`,
    `${many(4)}\nvault: { mode: embedded, hosts: ${named} }`,
    `vault.hosts: must be three hosts or five: Raft needs a majority, and one host more bears no further loss, got: ${JSON.stringify(named.match(/h\d/g) ?? [])}. Name three or five of hosts.`,
  ]),
  [
    'images of a registry without HAProxy',
    `${HOSTS}images: { source: registry, vault: ${IMAGE}, kes: ${IMAGE}, minio: ${IMAGE} }`,
    'images.haproxy: must be given with hosts: each has a balancer, got nothing. Name an image of HAProxy with its digest.',
  ],
  [
    'webhooks for events',
    `${HOSTS}minio: { webhooks: [{ name: inbox, endpoint: "https://a.example.com/", queueSize: 1000 }] }`,
    'minio.webhooks: must not be given with hosts: MinIO reads webhooks when it starts, and all hosts would be restarted at once, got: [{"name":"inbox","endpoint":"https://a.example.com/","queueSize":1000}]. Remove it.',
  ],
  [
    'a client that is confined to addresses',
    `${HOSTS}buckets: [{ name: backup }]\nclients: [{ name: c, access: [{ bucket: backup, may: read }], sourceAddresses: [192.0.2.0/24] }]`,
    'clients[0].sourceAddresses: must not be given with hosts: MinIO sees the balancers instead of the clients, got: ["192.0.2.0/24"]. Remove it.',
  ],
  [
    'OpenBao',
    `${HOSTS}vault: { mode: embedded, distribution: openbao }`,
    'vault.distribution: must be vault with hosts: a Raft of several OpenBaos was never tried, got: "openbao". Remove it.',
  ],
  [
    'a seal',
    `${HOSTS}vault: { mode: embedded, unseal: { type: transit, address: "https://seal.example.com", key: k, tokenFile: /t } }`,
    'vault.unseal: must be auto or manual with hosts: a seal of several Vaults was never tried, got: {"type":"transit","address":"https://seal.example.com","key":"k","tokenFile":"/t"}. Write auto.',
  ],
  [
    'one name twice',
    hosts(A, B, C.replace('name: c', 'name: b')),
    'hosts[2].name: must differ from hosts[1].name: two hosts have two names, got: "b". Correct it.',
  ],
  [
    'one address twice',
    hosts(A, B, C.replace('192.0.2.13', '192.0.2.11')),
    'hosts[2].address: must differ from hosts[0].address: the others would take two hosts for one, got: "192.0.2.11". Correct it.',
  ],
  [
    'one engine twice',
    hosts(A, B, C.replace('ssh://c', 'ssh://a')),
    'hosts[2].docker: must differ from hosts[0].docker: two entries for one engine are one host, and are lost together, got: "ssh://a". Correct it.',
  ],
  [
    'an address of loopback',
    hosts(A, B, C.replace('192.0.2.13', '127.0.0.1')),
    'hosts[2].address: must be an address by which other hosts reach it, got: "127.0.0.1". Name that of its network.',
  ],
  [
    'a name for an address',
    hosts(A, B, C.replace('192.0.2.13', 'c.example.com')),
    'hosts[2].address: must be an IPv4 address, because the containers of a Docker network reach no other by default, got: "c.example.com".',
  ],
  [
    'an engine without TLS',
    hosts(A, B, C.replace('ssh://c', 'tcp://c:2375')),
    'hosts[2].docker: must not be tcp:// without TLS except on loopback, because secrets go that way, got: "tcp://c:2375". Name a folder with ca.pem, cert.pem and key.pem in hosts[2].certificates, or use ssh://.',
  ],
  [
    'certificates of an engine that takes none',
    hosts(A, B, C.replace('name: c', 'name: c, certificates: /c')),
    'hosts[2].docker: must begin with tcp:// where hosts[2].certificates is given, got: "ssh://c". Remove the certificates, or write such an address.',
  ],
  [
    'the engine of one host',
    `${hosts(A, B, C)}\ndocker: { host: "ssh://a" }`,
    'docker.host: must not be given with hosts: each host names its own engine, got: "ssh://a". Remove it.',
  ],
  [
    'an address of one host for S3',
    `${hosts(A, B, C)}\ndocker: { publishAddress: 192.0.2.11 }`,
    'docker.publishAddress: must not be given with hosts: each publishes on its own address, got: "192.0.2.11". Remove it, or write 0.0.0.0.',
  ],
  [
    'an address of one host for KES',
    `${hosts(A, B, C)}\nkes: { publishAddress: 192.0.2.11 }`,
    'kes.publishAddress: must not be given with hosts: each publishes on its own address, got: "192.0.2.11". Remove it.',
  ],
  [
    'an address of one host for Vault',
    `${hosts(A, B, C)}\nvault: { mode: embedded, publishAddress: 192.0.2.11 }`,
    'vault.publishAddress: must not be given with hosts: each publishes on its own address, got: "192.0.2.11". Remove it.',
  ],
  [
    'addresses from which KES may log in',
    `${hosts(A, B, C)}\nkeyStore: { type: vault, approle: { secretId: { delivery: minted, boundCidrs: [192.0.2.0/24] } } }`,
    'keyStore.approle.secretId.boundCidrs: must not be given with hosts and an embedded Vault, which sees the balancers instead of KES, got: ["192.0.2.0/24"]. Remove it.',
  ],
  [
    'master keys in files',
    `${hosts(A, B, C)}\nkeyStore: { type: filesystem }`,
    'keyStore.type: must not be filesystem with hosts: each KES would have master keys of its own, got: "filesystem". Keep the master keys in Vault or AWS.',
  ],
  [
    'a port for clients and nodes',
    `${hosts(A, B, C)}\nminio: { nodePort: 9000 }`,
    'minio.nodePort: must differ from minio.port, which is published on the same address, got: 9000. Choose another port.',
  ],
  [
    'the port of Raft for something else',
    `${hosts(A, B, C)}\nkes: { port: 8201 }`,
    'kes.port: must not be 8201, by which the Vaults of several hosts reach each other, got: 8201. Choose another port.',
  ],
  [
    'a port for other nodes without any',
    'minio: { nodePort: 9010 }',
    'minio.nodePort: must not be given without hosts: one MinIO has no others to reach, got: 9010. Remove it.',
  ],
  [
    'no drives',
    `${hosts(A, B, C)}\nminio: { drives: 0 }`,
    'minio.drives: must be 1 to 16 on each host, got: 0. Declare another number of drives.',
  ],
  [
    'more parity than half of the drives',
    `${hosts(A, B, C)}\nminio: { parity: 2 }`,
    'minio.parity: must be at most half of an erasure set (1 of 3 drives), got: 2. Write 1 or less.',
  ],
  [
    'less parity than one host has drives',
    `${hosts(A, B, C)}\nminio: { drives: 5 }`,
    'minio.parity: must be at least 5, the drives that one host has in each erasure set of 15, or its loss stops MinIO, got nothing. Write 5 or more.',
  ],
])('%s is refused', (_, text, problem) => {
  expect(problemsOf(text)).toEqual([problem]);
});

test.each([
  [
    'pools of one host',
    'minio: { pools: [1] }',
    'minio.pools: must not be given without hosts: one host is one pool, got: [1]. Remove it.',
  ],
  [
    'a pool that cannot bear the loss of a host',
    `${many(5)}\nminio: { pools: [3, 2] }`,
    'minio.pools: must be 3 hosts or more each: an object is in one pool, which must bear the loss of a host, got: [3,2]. Give the pool more hosts.',
  ],
  [
    'hosts that are in no pool',
    `${many(7)}\nminio: { pools: [3, 3] }`,
    'minio.pools: must be as many hosts together as there are in hosts (7), got: [3,3]. Correct the number of hosts of a pool.',
  ],
  [
    'a pool that is too small for the parity of the first one',
    `${many(11)}\nminio: { drives: 1, pools: [8, 3] }`,
    'minio.parity: must be at most half of an erasure set (1 of 3 drives) in each pool, and is 4 by the first one, got nothing. Write 1 or less.',
  ],
  [
    'less parity than a host has drives in one of the pools',
    `${many(8)}\nminio: { drives: 5, pools: [5, 3] }`,
    'minio.parity: must be at least 5, the drives that one host has in each erasure set of 15, or its loss stops MinIO, got nothing. Write 5 or more.',
  ],
])('%s: refused', (_, text, problem) => {
  expect(problemsOf(text)).toEqual([problem]);
});

test('two hosts are refused with the reason', () => {
  expect(problemsOf(hosts(A, B)).join()).toContain('must be 3 hosts or more: of two none can tell');
});

test('a number of hosts that MinIO cannot spread is refused', () => {
  expect(problemsOf(many(17)).join()).toContain(
    'hosts: must be a number that MinIO can spread evenly: 17 hosts with 1 drives make no erasure sets of 2 to 16',
  );
});

test('everything that is wrong is said at once', () => {
  expect(problemsOf(`${hosts(A, A, C)}\ndocker: { host: "ssh://a" }\nkeyStore: { type: filesystem }`)).toHaveLength(5);
});

// minio/minio, cmd/endpoint-ellipses_test.go and internal/config/storageclass: sets are as large as can be, and symmetric
test.each([
  [3, 1, 3, 1, 1],
  [4, 1, 4, 2, 1],
  [3, 2, 6, 3, 2],
  [3, 4, 12, 4, 4],
  [3, 8, 12, 4, 4],
  [5, 4, 10, 4, 4],
  [7, 3, 7, 3, 3],
  [16, 8, 16, 4, 4],
  [32, 1, 16, 4, 4],
])(
  '%i hosts with %i drives make sets of %i, of which %i may be lost and %i be away',
  (count, drives, set, lost, away) => {
    expect(setSize({ drives }, count)).toBe(set);
    expect(parityOf({ drives }, count)).toBe(lost);
    expect(drivesToSpare({ drives }, count)).toBe(away);
  },
);
