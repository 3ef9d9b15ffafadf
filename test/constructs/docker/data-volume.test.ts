import { DataVolume } from '../../../constructs/docker';
import { newStack, synth } from '../../helpers/synth';

const LABELS = [{ label: 'encrypted-backup-storage.environment', value: 'local' }];

test('a data volume cannot be deleted by Terraform', () => {
  // GIVEN
  const stack = newStack();

  // WHEN
  const volume = new DataVolume(stack, 'Data', { name: 'data', environment: 'local' });

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
  new DataVolume(stack, 'Data', { name: 'data', environment: 'local', allowDataLoss: true });

  // THEN
  expect(synth(stack).resource('docker_volume')).toHaveProperty('lifecycle', { prevent_destroy: false });
});
