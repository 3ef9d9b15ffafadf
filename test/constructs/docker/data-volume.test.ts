import { DataVolume, ServiceContainer } from '../../../constructs/docker';
import { deploymentWith } from '../../helpers/deployment';
import { newStack, synth } from '../../helpers/synth';

const deployment = deploymentWith();

const LABELS = [{ label: 'encrypted-backup-storage.environment', value: 'local' }];

test('a data volume cannot be deleted by Terraform', () => {
  // GIVEN
  const stack = newStack();

  // WHEN
  const volume = new DataVolume(stack, 'Data', { name: 'data', deployment });

  // THEN
  expect(volume.name).toBe('data');
  expect(synth(stack).resource('docker_volume')).toEqual({
    name: 'data',
    labels: LABELS,
    lifecycle: { prevent_destroy: true },
  });
});

test('… unless losing what is in it is allowed', () => {
  // GIVEN
  const stack = newStack();

  // WHEN
  new DataVolume(stack, 'Data', { name: 'data', deployment: deploymentWith({ allowDataLoss: 'local' }) });

  // THEN
  expect(synth(stack).resource('docker_volume')).toHaveProperty('lifecycle', { prevent_destroy: false });
});

test('a volume can be given to the service user by a container that ends before anything else uses it', () => {
  // GIVEN
  const stack = newStack();
  const volume = new DataVolume(stack, 'Data', { name: 'data', deployment, takeOverWith: 'minio:1' });

  // WHEN
  new ServiceContainer(stack, 'User', {
    name: 'user',
    deployment,
    image: 'minio:1',
    command: ['minio'],
    networks: ['n'],
    alias: 'a',
    memoryMb: 64,
    dependsOn: [volume.dependable],
  });

  // THEN
  const synthesized = synth(stack);
  expect(synthesized.resource('docker_container', 'Data_Owner')).toEqual({
    name: 'data-owner',
    image: 'minio:1',
    entrypoint: ['chown'],
    command: ['65532:65532', '/volume'],
    user: '0:0',
    network_mode: 'none',
    read_only: true,
    capabilities: { drop: ['ALL'], add: ['CAP_CHOWN'] },
    security_opts: ['no-new-privileges'],
    labels: LABELS,
    volumes: [{ container_path: '/volume', volume_name: expect.stringMatching(/^\$\{docker_volume\.Data_/) as string }],
    attach: true,
    must_run: false,
    restart: 'no',
  });
  expect(synthesized.resource('docker_container', 'User').depends_on).toEqual([
    expect.stringMatching(/^docker_container\.Data_Owner/),
  ]);
});
