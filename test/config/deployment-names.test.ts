import { namesOf } from '../../config/deployment-names';
import { parseEnvironment } from '../../config/load';

const environment = (more = '') => parseEnvironment(`name: prod\n${more}`, 'test.yaml');

test('everything of an environment is named after it', () => {
  expect(namesOf(environment())).toEqual({
    prefix: 'ebs-prod',
    network: 'ebs-prod',
    dataVolume: 'ebs-prod-minio-data',
    keyVolume: 'ebs-prod-kes-keys',
    kesPolicy: 'ebs-prod-kes',
    kesRole: 'ebs-prod-kes',
    provisionerPolicy: 'ebs-prod-provisioner',
    keyPrefix: 'prod',
  });
});

test('the folder of the master keys can be another', () => {
  expect(namesOf(environment('keyStore: { type: vault, prefix: team/backup }')).keyPrefix).toBe('team/backup');
});
