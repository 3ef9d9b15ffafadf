import { MasterKeys } from '../../../constructs/kes/master-keys';
import { KesServer } from '../../../constructs/kes/kes-server';
import { deploymentWith, groundOf } from '../../helpers/deployment';
import { newStack, synth } from '../../helpers/synth';

const as = (client: string) => ({
  url: 'https://127.0.0.1:7373',
  caFile: '/nonexistent/state/tls/ca.crt',
  certificateFile: `/nonexistent/state/tls/${client}.crt`,
  privateKeyFile: `/nonexistent/state/secrets/tls/${client}.key`,
});

test('keys are created by one client and proven by another', () => {
  // GIVEN
  const stack = newStack();
  const deployment = deploymentWith({
    minio: { keys: ['archive'] },
    kes: { clients: [{ name: 'app', keys: ['app-key'] }] },
  });
  const { ca, configuration } = groundOf(deployment);
  const kes = new KesServer(stack, 'Kes', { deployment, configuration, certificate: ca.issue('kes') });

  // WHEN
  const keys = new MasterKeys(stack, 'Keys', { deployment, kes });

  // THEN
  const { input, triggers, dependsOn } = synth(stack).operation('create-master-keys');
  expect(input).toEqual({
    creator: as('key-creator'),
    prover: as('key-prover'),
    keys: ['backup-default', 'archive', 'app-key'],
    clients: { 'app-key': 'client-app' },
    canariesFile: '/nonexistent/state/keys.json',
    dataVolume: 'ebs-local-minio-data',
  });
  expect(triggers).toEqual({
    container: expect.stringMatching(/^\$\{docker_container\.Kes_Server_.*\.id\}$/) as string,
    reload: expect.stringMatching(/^\$\{terraform_data\.Kes_Reload_.*\.id\}$/) as string,
  });
  expect(dependsOn).toEqual([expect.stringMatching(/^terraform_data\.Kes_Reload/)]);
  expect(keys.asKmsFor('minio')).toEqual({
    endpoints: ['https://kes:7373'],
    defaultKey: 'backup-default',
    autoEncryption: true,
    client: { certificate: '/nonexistent/state/tls/minio.crt', privateKey: '/nonexistent/state/secrets/tls/minio.key' },
    keys,
  });
});
