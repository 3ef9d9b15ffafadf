import { Token } from 'cdktf';
import { imageReference, type ImageSource } from '../../../config/docker/image-source';
import { Image } from '../../../constructs/docker';
import { deploymentOf, digest, FROM_REGISTRY } from '../../helpers/deployment';
import { newStack, synth } from '../../helpers/synth';

const BUILD: ImageSource = { kind: 'build', repository: 'ebs/kes', context: '/cache/kes', hash: 'b'.repeat(64) };

test('an image is built from a context, anew when its content changes', () => {
  // GIVEN
  const stack = newStack();

  // WHEN
  const image = new Image(stack, 'Image', { deployment: deploymentOf(), program: 'kes' });

  // THEN
  expect(image.reference).toBe('encrypted-backup-storage/kes:bbbbbbbbbbbbbbbb');
  expect(synth(stack).resource('docker_image')).toEqual({
    name: image.reference,
    keep_locally: true,
    build: { context: '/cache/kes', use_legacy_builder: true },
    triggers: { content: 'b'.repeat(64) },
  });
});

test('an image is pulled by its digest', () => {
  // GIVEN
  const stack = newStack();

  // WHEN
  const deployment = deploymentOf({ environment: `name: local${FROM_REGISTRY}` });
  const image = new Image(stack, 'Image', { deployment, program: 'kes' });

  // THEN
  expect(image.reference).toBe(`quay.io/minio/kes@${digest('2')}`);
  expect(synth(stack).resource('docker_image')).toEqual({ name: image.reference, keep_locally: true });
});

test('the name of an image needs no look-up, so that another stack can use it', () => {
  expect(imageReference(BUILD)).toBe('ebs/kes:bbbbbbbbbbbbbbbb');
  expect(imageReference({ ...BUILD, hash: 'f'.repeat(64) })).not.toBe(imageReference(BUILD));
});

test('who uses an image waits for it in the same stack, and names it in another', () => {
  // GIVEN
  const [stack, other, deployment] = [newStack(), newStack(), deploymentOf()];

  // WHEN
  new Image(stack, 'Image', { deployment, program: 'kes' });

  // THEN
  expect(Token.isUnresolved(deployment.image(stack, 'kes'))).toBe(true);
  expect(deployment.image(other, 'kes')).toBe('encrypted-backup-storage/kes:bbbbbbbbbbbbbbbb');
});
