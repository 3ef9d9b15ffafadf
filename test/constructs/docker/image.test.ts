import { Image, imageReference, type ImageSource } from '../../../constructs/docker';
import { newStack, synth } from '../../helpers/synth';

const HASH = '0123456789abcdef'.repeat(4);
const BUILD: ImageSource = { kind: 'build', repository: 'ebs/kes', context: '/cache/kes', hash: HASH };
const REGISTRY: ImageSource = { kind: 'registry', reference: `quay.io/minio/kes@sha256:${HASH}` };

test('an image is built from a context, anew when its content changes', () => {
  // GIVEN
  const stack = newStack();

  // WHEN
  const image = new Image(stack, 'Image', { source: BUILD });

  // THEN
  expect(image.reference).toBe('ebs/kes:0123456789abcdef');
  expect(synth(stack).resource('docker_image')).toEqual({
    name: 'ebs/kes:0123456789abcdef',
    keep_locally: true,
    build: { context: '/cache/kes', use_legacy_builder: true },
    triggers: { content: HASH },
  });
});

test('an image is pulled by its digest', () => {
  // GIVEN
  const stack = newStack();

  // WHEN
  const image = new Image(stack, 'Image', { source: REGISTRY });

  // THEN
  expect(image.reference).toBe(`quay.io/minio/kes@sha256:${HASH}`);
  expect(synth(stack).resource('docker_image')).toEqual({ name: image.reference, keep_locally: true });
});

test('the name of an image needs no look-up, so that another stack can use it', () => {
  expect(imageReference(BUILD)).toBe('ebs/kes:0123456789abcdef');
  expect(imageReference({ ...BUILD, hash: 'f'.repeat(64) })).not.toBe(imageReference(BUILD));
});
