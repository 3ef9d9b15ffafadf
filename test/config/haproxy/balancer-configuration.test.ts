import {
  type BalancerConfiguration,
  balancerProblems,
  renderBalancer,
} from '../../../config/haproxy/balancer-configuration';

const servers = (service: string, port: number) =>
  [
    { name: `${service}-2`, address: '192.0.2.12', port },
    { name: `${service}-1`, address: '192.0.2.11', port },
    { name: `${service}-3`, address: '2001:db8::13', port },
  ] as const;

const settings: BalancerConfiguration = {
  s3: { bind: { port: 9000 }, servers: servers('minio', 9010) },
  kes: { bind: { name: 'kes', port: 7373 }, servers: servers('kes', 7373) },
  vault: { bind: { name: 'vault', port: 8200 }, servers: servers('vault', 8200) },
};

/** The lines of one part of the file, without their indentation. */
function part(configuration: BalancerConfiguration, title: string): string[] {
  const found = renderBalancer(configuration)
    .split('\n\n')
    .find((text) => text.startsWith(title));
  return (found ?? '')
    .trim()
    .split('\n')
    .map((line) => line.trim());
}

const MINIO_SERVERS = [
  'server minio-2 192.0.2.12:9010 verifyhost minio-2 check-sni minio-2',
  'server minio-1 192.0.2.11:9010 verifyhost minio-1 check-sni minio-1',
  'server minio-3 [2001:db8::13]:9010 verifyhost minio-3 check-sni minio-3',
];

test('S3 clients are led to a MinIO with a read quorum and a KES, to the one with the fewest connections', () => {
  expect(part(settings, 'frontend clients')).toEqual([
    'frontend clients',
    'bind :9000',
    'use_backend s3 if { nbsrv(s3) gt 0 }',
    'default_backend s3-without-keys',
  ]);
  expect(part(settings, 'backend s3\n')).toEqual([
    'backend s3',
    'balance leastconn',
    'timeout check 4s',
    'option httpchk',
    'http-check connect default',
    'http-check send meth GET uri /minio/health/cluster/read ver HTTP/1.1 hdr Host s3',
    'http-check expect status 200',
    'http-check connect default',
    'http-check send meth GET uri /minio/health/ready ver HTTP/1.1 hdr Host s3',
    'http-check expect status 200',
    ...MINIO_SERVERS,
  ]);
});

test('while no MinIO reaches a KES they are led to any with a read quorum', () => {
  expect(part(settings, 'backend s3-without-keys')).toEqual([
    'backend s3-without-keys',
    'balance leastconn',
    'timeout check 4s',
    'option httpchk',
    'http-check send meth GET uri /minio/health/cluster/read ver HTTP/1.1 hdr Host s3-without-keys',
    'http-check expect status 200',
    ...MINIO_SERVERS,
  ]);
});

test('MinIO is led to the first KES of the list, and to another only while that does not answer', () => {
  expect(part(settings, 'listen kes')).toEqual([
    'listen kes',
    'bind kes:7373',
    'option httpchk',
    'http-check send meth GET uri /version ver HTTP/1.1 hdr Host kes',
    'http-check expect status 200',
    'server kes-2 192.0.2.12:7373 verifyhost kes-2 check-sni kes-2 crt /files/kes-client.crt',
    'server kes-1 192.0.2.11:7373 verifyhost kes-1 check-sni kes-1 crt /files/kes-client.crt backup',
    'server kes-3 [2001:db8::13]:7373 verifyhost kes-3 check-sni kes-3 crt /files/kes-client.crt backup',
  ]);
});

test('KES is led to the active Vault', () => {
  expect(part(settings, 'listen vault')).toEqual([
    'listen vault',
    'bind vault:8200',
    'balance roundrobin',
    'option httpchk',
    'http-check send meth GET uri /v1/sys/health ver HTTP/1.1 hdr Host vault',
    'http-check expect status 200',
    'server vault-2 192.0.2.12:8200 verifyhost vault-2 check-sni vault-2 crt /files/vault-client.crt',
    'server vault-1 192.0.2.11:8200 verifyhost vault-1 check-sni vault-1 crt /files/vault-client.crt',
    'server vault-3 [2001:db8::13]:8200 verifyhost vault-3 check-sni vault-3 crt /files/vault-client.crt',
  ]);
});

test('leads nobody to Vault where it is elsewhere', () => {
  const { vault, ...others } = settings;
  expect(vault).toBeDefined();
  expect(renderBalancer(others)).not.toContain('vault');
});

test('every server is verified by its name, and TLS is ended nowhere', () => {
  const text = renderBalancer(settings);
  const lines = text.split('\n').filter((line) => line.startsWith('  server '));
  expect(lines).toHaveLength(12);
  for (const line of lines) {
    expect(line).toMatch(/^ {2}server (\S+) \S+ verifyhost \1 check-sni \1/);
    // `ssl` on a server or on `bind` would end TLS here
    expect(line).not.toMatch(/ ssl( |$)/);
  }
  const [defaults = ''] = text.split('\n').filter((line) => line.startsWith('  default-server '));
  expect(defaults).toContain(' check check-ssl verify required ca-file /files/ca.crt');
  expect(text.split('\n').filter((line) => line.startsWith('  bind '))).toEqual([
    '  bind 127.0.0.1:8404',
    '  bind :9000',
    '  bind kes:7373',
    '  bind vault:8200',
  ]);
});

test.each<[string, BalancerConfiguration, string]>([
  [
    'a server with a name instead of an address',
    { ...settings, kes: { bind: { port: 7373 }, servers: [{ name: 'kes-1', address: 'host-a', port: 7373 }] } },
    '`kes.servers[0].address` must be an IP address, got: host-a',
  ],
  [
    'a name that would be another word of the configuration',
    {
      ...settings,
      s3: { bind: { port: 9000 }, servers: [{ name: 'a verify none', address: '192.0.2.1', port: 9010 }] },
    },
    '`s3.servers[0].name` must have lower-case letters, digits and hyphens inside, got: a verify none',
  ],
  [
    'a port that needs root',
    { ...settings, s3: { ...settings.s3, bind: { port: 443 } } },
    '`s3.bind.port` must be a port from 1024 to 65535, because HAProxy is not root, got: 443',
  ],
  [
    'one name for two servers',
    {
      ...settings,
      vault: { bind: { name: 'vault', port: 8200 }, servers: [settings.s3.servers[0], settings.s3.servers[0]] },
    },
    '`vault.servers[1].name` must be unique, because checks tell servers by it, got: minio-2',
  ],
])('refuses %s', (_, configuration, problem) => {
  expect(balancerProblems(configuration)).toEqual([problem]);
});

test('names all problems at once, and none where there is none', () => {
  const wrong = { name: 'A', address: '', port: 80 };
  expect(balancerProblems({ ...settings, kes: { bind: { name: 'k s', port: 0 }, servers: [wrong] } })).toHaveLength(5);
  expect(balancerProblems(settings)).toEqual([]);
});
