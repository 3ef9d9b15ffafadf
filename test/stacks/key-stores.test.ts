import { AWS, FILESYSTEM, stackOf, type Stacks, STATE_ROOT, synthDeployment } from '../helpers/deployment';
import type { Block } from '../helpers/synth';

describe('an environment with its master keys as files', () => {
  let stacks: Stacks;
  beforeAll(() => {
    stacks = synthDeployment({ environment: FILESYSTEM });
  });

  test('is five stacks, without Vault, its provider, image or certificate', () => {
    expect(Object.keys(stacks).sort()).toEqual(['checks', 'foundation', 'keystore', 'kes', 'minio'].sort());
    expect(stackOf(stacks, 'keystore').dependencies).toEqual(['local-foundation']);
    for (const { text } of Object.values(stacks)) expect(text.toLowerCase()).not.toMatch(/vault(?!")/);
  });

  test('keeps them in a volume of the user of KES, which no plan deletes', () => {
    const keystore = stackOf(stacks, 'keystore');
    expect(keystore.resource('docker_volume')).toMatchObject({
      name: 'ebs-local-kes-keys',
      lifecycle: { prevent_destroy: true },
    });
    expect(keystore.resource('docker_container', 'Keys_Owner')).toMatchObject({
      command: ['65532:65532', '/volume'],
      image: 'encrypted-backup-storage/minio:cccccccccccccccc',
    });
    expect(stackOf(stacks, 'kes').resource('docker_container', 'Kes_Server').volumes).toContainEqual({
      volume_name: 'ebs-local-kes-keys',
      container_path: '/keys',
      read_only: false,
    });
    expect(keystore.operation('write-kes-configuration').input).toMatchObject({
      configuration: { keyStore: { type: 'filesystem', path: '/keys' } },
      place: { type: 'filesystem' },
      placeFile: `${STATE_ROOT}/key-store.json`,
    });
  });

  test('takes a folder of the host instead', () => {
    const found = synthDeployment({ environment: 'name: local\nkeyStore: { type: filesystem, path: /srv/keys }' });
    expect(stackOf(found, 'keystore').resources('docker_volume')).toEqual({});
    expect(stackOf(found, 'keystore').json).not.toHaveProperty('provider');
    expect(stackOf(found, 'kes').resource('docker_container', 'Kes_Server').mounts).toEqual([
      { type: 'bind', source: '/srv/keys', target: '/keys', read_only: false },
    ]);
  });
});

describe('an environment with its master keys in AWS', () => {
  let stacks: Stacks;
  beforeAll(() => {
    stacks = synthDeployment({ environment: AWS });
  });

  test('declares nothing there, so that nothing can be destroyed, and has no Vault', () => {
    expect(Object.keys(stacks).sort()).toEqual(['checks', 'foundation', 'keystore', 'kes', 'minio'].sort());
    const { json } = stackOf(stacks, 'keystore');
    expect(json).not.toHaveProperty('provider');
    expect(Object.keys(json.resource as Block)).toEqual(['terraform_data']);
  });

  test('keeps the credentials of KES as a file, before anything asks for them', () => {
    const file = `${STATE_ROOT}/secrets/aws/credentials.json`;
    expect(stackOf(stacks, 'foundation').operation('store-aws-credentials').input).toEqual({
      region: 'eu-central-1',
      file,
    });
    const { input, triggers } = stackOf(stacks, 'keystore').operation('write-kes-configuration');
    expect(input).toMatchObject({
      awsCredentialsFile: file,
      configuration: {
        keyStore: { type: 'aws', endpoint: 'https://secretsmanager.eu-central-1.amazonaws.com', kmsKey: 'alias/kes' },
      },
    });
    // others reach KES
    expect(triggers.credentials).toContain('filesha256');
  });

  test('makes KES trust the CA of the endpoint besides the public ones', () => {
    const kes = stackOf(stacks, 'kes');
    expect(kes.resource('docker_container', 'Kes_Server').env).toEqual([
      'SSL_CERT_DIR=/etc/ssl/certs:/etc/pki/tls/certs:/files/trusted-key-store',
    ]);
    expect(kes.resource('docker_container', 'Kes_Files_Loader').upload).toContainEqual(
      expect.objectContaining({ file: '/files/trusted-key-store/ca.crt', source: '/etc/aws.pem' }),
    );
  });

  test('gives KES the way through a proxy, and nothing else of it', () => {
    const found = synthDeployment({
      environment: 'name: local\nkeyStore: { type: aws, region: eu-central-1, proxy: "http://proxy.example.com:3128" }',
    });
    expect(stackOf(found, 'kes').resource('docker_container', 'Kes_Server').env).toEqual([
      'HTTPS_PROXY=http://proxy.example.com:3128',
    ]);
    expect(JSON.stringify(stackOf(found, 'minio').json)).not.toContain('proxy.example.com');
  });

  test('keeps none where KES asks the instance that it runs on', () => {
    const found = synthDeployment({
      environment: 'name: local\nkeyStore: { type: aws, region: eu-central-1, credentials: instance-role }',
    });
    const operations = stackOf(found, 'foundation').operations();
    expect(operations.filter(({ command }) => command.endsWith('store-aws-credentials'))).toEqual([]);
    expect(stackOf(found, 'keystore').operation('write-kes-configuration').input).not.toHaveProperty(
      'awsCredentialsFile',
    );
  });
});
