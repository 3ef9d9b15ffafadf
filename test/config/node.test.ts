import { parseEnvironment } from '../../config/load';
import {
  holdsFiles,
  loaderOf,
  nodesOf,
  onEachHost,
  onHost,
  ownerOf,
  standbyOf,
  vaultNodes,
  firstVault,
} from '../../config/node';
import { HOSTS } from '../helpers/deployment';

const environment = (more = '') => parseEnvironment(`name: prod\n${more}`, 'test.yaml');

test('one host is a list of one node, and everything on it is named after the environment', () => {
  expect(nodesOf(environment())).toEqual([
    {
      id: 'ebs-prod',
      number: 1,
      pool: 1,
      docker: {},
      networks: { storage: 'ebs-prod', vault: 'ebs-prod-vault' },
      vault: {
        program: 'vault',
        container: 'ebs-prod-vault',
        alias: 'vault',
        port: 8200,
        url: 'https://vault:8200',
        sharedUrl: 'https://vault:8200',
        raftId: 'ebs-prod-vault',
        certificate: 'vault-server',
        files: 'ebs-prod-vault-files',
        dataVolume: 'ebs-prod-vault-data',
        auditVolume: 'ebs-prod-vault-audit',
        unsealer: {
          container: 'ebs-prod-vault-unsealer',
          alias: 'vault-unsealer',
          files: 'ebs-prod-vault-unsealer-files',
        },
      },
      kes: {
        container: 'ebs-prod-kes',
        alias: 'kes',
        port: 7373,
        url: 'https://kes:7373',
        sharedUrl: 'https://kes:7373',
        certificate: 'kes-server',
        files: 'ebs-prod-kes-files',
        keyVolume: 'ebs-prod-kes-keys',
      },
      minio: {
        container: 'ebs-prod-minio',
        alias: 'minio',
        port: 9000,
        url: 'https://minio:9000',
        sharedUrl: 'https://minio:9000',
        certificate: 'minio-server',
        files: 'ebs-prod-minio-files',
        drives: [{ kind: 'volume', source: 'ebs-prod-minio-data', path: '/data' }],
      },
    },
  ]);
});

test('other certificates of MinIO are in another volume, where none of before is left', () => {
  const files = 'tls: { mode: files, certificate: /a.crt, privateKey: /a.key, additional: [%] }';
  const volumes = ['', '{ certificate: /b.crt, privateKey: /b.key }'].map(
    (more) => nodesOf(environment(files.replace('%', more)))[0].minio.files,
  );
  expect(volumes).toEqual(['ebs-prod-minio-1-certificates-files', 'ebs-prod-minio-2-certificates-files']);
});

test('what a deploy delivers again is told from data by the name of its volume', () => {
  const { vault, kes, minio } = firstVault(environment());
  expect([vault.files, vault.unsealer.files, kes.files, minio.files].map(holdsFiles)).toEqual([true, true, true, true]);
  const data = [vault.dataVolume, vault.auditVolume, kes.keyVolume, ...minio.drives.map(({ source }) => source)];
  expect(data.map(holdsFiles)).toEqual([false, false, false, false]);
});

test('a container that serves another, or a volume, is named after it', () => {
  const [{ kes, minio }] = nodesOf(environment());
  expect([standbyOf(kes.container), loaderOf(kes.files), ownerOf(minio.drives[0].source)]).toEqual([
    'ebs-prod-kes-standby',
    'ebs-prod-kes-files-loader',
    'ebs-prod-minio-data-owner',
  ]);
});

const drives = (setting: string) => nodesOf(environment(`minio: { drives: ${setting} }`))[0].minio.drives;

test('several drives are volumes with a number, or folders of the host in their order', () => {
  const volumes = [1, 2, 3, 4].map((number) => ({
    kind: 'volume',
    source: `ebs-prod-minio-data-${number}`,
    path: `/drives/${number}`,
  }));
  expect(drives('4')).toEqual(volumes);
  expect(drives('[/d1, { path: /d2, adopt: true }, /d3, /d4]')).toEqual(
    [1, 2, 3, 4].map((number) => ({ kind: 'folder', source: `/d${number}`, path: `/drives/${number}` })),
  );
  expect(drives('[/d1]')).toEqual([{ kind: 'folder', source: '/d1', path: '/data' }]);
});

describe('several hosts', () => {
  const nodes = nodesOf(environment(HOSTS));
  const [first, second, third] = nodes;

  test('the names of what is on a host are those of one host, since each has an engine of its own', () => {
    const only = firstVault(environment());
    for (const { id, networks, vault, kes, minio } of nodes) {
      expect({ id, networks }).toEqual({ id: only.id, networks: only.networks });
      expect([vault?.container, kes.container, minio.container, minio.drives]).toEqual([
        only.vault.container,
        only.kes.container,
        only.minio.container,
        only.minio.drives,
      ]);
    }
  });

  test('each server has a name, a certificate and a port of its own, and one name that all share', () => {
    expect(second?.host).toEqual({ name: 'b', address: '192.0.2.12' });
    expect(second?.minio).toMatchObject({
      alias: 'minio-2',
      url: 'https://minio-2:9010',
      sharedUrl: 'https://minio:9010',
      certificate: 'minio-server-b',
    });
    expect(second?.kes).toMatchObject({ alias: 'kes-2', url: 'https://kes-2:7373', sharedUrl: 'https://kes:7373' });
    expect(second?.vault).toMatchObject({ alias: 'vault-2', raftId: 'vault-2', url: 'https://vault-2:8200' });
    expect(first.balancer).toMatchObject({
      container: 'ebs-prod-balancer',
      aliases: { kes: 'kes', vault: 'vault' },
    });
  });

  test('its engine is told with the setting that names it', () => {
    expect(third?.docker).toEqual({
      host: 'tcp://192.0.2.13:2376',
      certPath: '/etc/ebs/docker-c',
      writtenAt: { host: 'hosts[2].docker', certPath: 'hosts[2].certificates' },
    });
  });

  test.each([
    [3, 3],
    [4, 3],
    [5, 5],
    [16, 5],
  ])('of %i hosts %i have a Vault', (count, vaults) => {
    const hosts = Array.from({ length: count }, (_, index) => ({
      name: `h${index}`,
      docker: `ssh://h${index}`,
      address: `192.0.2.${index + 1}`,
    }));
    const all = nodesOf(parseEnvironment(JSON.stringify({ name: 'prod', hosts }), 'test.yaml'));
    expect(all.map(({ vault }) => vault !== undefined)).toEqual(hosts.map((_, index) => index < vaults));
    expect(vaultNodes(all)).toHaveLength(vaults);
  });

  test('a second pool has no Vault, and the Vaults of the first one stay as they were', () => {
    const hosts = Array.from({ length: 6 }, (_, index) => ({
      name: `h${index}`,
      docker: `ssh://h${index}`,
      address: `192.0.2.${index + 1}`,
    }));
    const settings = { name: 'prod', hosts, minio: { pools: [3, 3] } };
    const all = nodesOf(parseEnvironment(JSON.stringify(settings), 'test.yaml'));
    expect(all.map(({ pool }) => pool)).toEqual([1, 1, 1, 2, 2, 2]);
    expect(vaultNodes(all).map(({ number }) => number)).toEqual([1, 2, 3]);
  });

  test('the hosts that are named have a Vault, and the first of them begins the Raft', () => {
    const fourth = '  - { name: d, docker: "ssh://d", address: 192.0.2.14 }\n';
    const all = nodesOf(environment(`${HOSTS}${fourth}vault: { mode: embedded, hosts: [d, b, c] }\n`));
    expect(vaultNodes(all).map(({ host, vault }) => [host?.name, vault.raftId])).toEqual([
      ['b', 'vault-2'],
      ['c', 'vault-3'],
      ['d', 'vault-4'],
    ]);
    expect(all[0].vault).toBeUndefined();
  });

  test('a message says which host, where there are several', () => {
    expect(onHost(first)).toBe(' on host a');
    expect(onHost(nodesOf(environment())[0])).toBe('');
    expect([environment(HOSTS), environment()].map((one) => onEachHost(one))).toEqual([' on each host', '']);
  });
});
