import { namesOf } from '../../config/deployment-names';
import { parseEnvironment } from '../../config/load';

const environment = (more = '') => parseEnvironment(`name: prod\n${more}`, 'test.yaml');

test('everything of an environment is named after it', () => {
  expect(namesOf(environment())).toEqual({
    prefix: 'ebs-prod',
    network: 'ebs-prod',
    vaultNetwork: 'ebs-prod-vault',
    minioFiles: 'ebs-prod-minio-files',
    dataVolume: 'ebs-prod-minio-data',
    keyVolume: 'ebs-prod-kes-keys',
    kesPolicy: 'ebs-prod-kes',
    kesRole: 'ebs-prod-kes',
    provisionerPolicy: 'ebs-prod-provisioner',
  });
});

test('other certificates of MinIO are in another volume, where none of before is left', () => {
  const files = 'tls: { mode: files, certificate: /a.crt, privateKey: /a.key, additional: [%] }';
  const names = ['', '{ certificate: /b.crt, privateKey: /b.key }'].map((more) =>
    namesOf(environment(files.replace('%', more))),
  );
  expect(names.map(({ minioFiles }) => minioFiles)).toEqual([
    'ebs-prod-minio-1-certificates-files',
    'ebs-prod-minio-2-certificates-files',
  ]);
});
