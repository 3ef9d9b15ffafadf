import { vaultNames } from '../../config/deployment-names';

test('what an environment has in Vault is named after it', () => {
  expect(vaultNames({ name: 'prod' })).toEqual({
    kesPolicy: 'ebs-prod-kes',
    kesRole: 'ebs-prod-kes',
    provisionerPolicy: 'ebs-prod-provisioner',
    metricsPolicy: 'ebs-prod-metrics',
  });
});
