import { parseEnvironment } from '../../config/load';
import { holdsFiles, loaderOf, nodesOf, ownerOf, standbyOf } from '../../config/node';

const environment = (more = '') => parseEnvironment(`name: prod\n${more}`, 'test.yaml');

test('one host is a list of one node, and everything on it is named after the environment', () => {
  expect(nodesOf(environment())).toEqual([
    {
      id: 'ebs-prod',
      networks: { storage: 'ebs-prod', vault: 'ebs-prod-vault' },
      vault: {
        container: 'ebs-prod-vault',
        alias: 'vault',
        port: 8200,
        url: 'https://vault:8200',
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
        certificate: 'kes-server',
        files: 'ebs-prod-kes-files',
        keyVolume: 'ebs-prod-kes-keys',
      },
      minio: {
        container: 'ebs-prod-minio',
        alias: 'minio',
        port: 9000,
        url: 'https://minio:9000',
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
  const [{ vault, kes, minio }] = nodesOf(environment());
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
