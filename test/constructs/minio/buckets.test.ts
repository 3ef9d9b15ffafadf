import { DeclarationError } from '../../../constructs/declaration-error';
import { Buckets, type BucketsProps } from '../../../constructs/minio/buckets';
import { newStack, synth } from '../../helpers/synth';
import { thrownBy } from '../../helpers/thrown';

const PLAIN = { name: 'backup', encryption: { type: 'sse-s3' }, versioning: false, objectLock: false } as const;
const LOCKED = {
  name: 'archive',
  encryption: { type: 'sse-kms', key: 'archive-key' },
  versioning: true,
  objectLock: true,
} as const;

const declare = (buckets: BucketsProps['buckets'], stack = newStack()) =>
  new Buckets(stack, 'Buckets', {
    runner: { program: 'run' },
    endpoint: { url: 'https://127.0.0.1:9000', caFile: '/state/tls/ca.crt' },
    region: 'us-east-1',
    rootFile: '/state/secrets/minio/root.json',
    buckets,
    triggers: { container: 'the id of MinIO' },
    dependsOn: [],
  });

test('an operation waits for MinIO even when there is no bucket', () => {
  // GIVEN
  const stack = newStack();

  // WHEN
  declare([], stack);

  // THEN
  expect(synth(stack).operation('provision-buckets')).toMatchObject({
    input: { buckets: [] },
    triggers: { container: 'the id of MinIO' },
  });
});

test('buckets are provisioned with their encryption, versioning and lock', () => {
  // GIVEN
  const stack = newStack();

  // WHEN
  declare([PLAIN, LOCKED], stack);

  // THEN
  expect(synth(stack).operation('provision-buckets').input).toEqual({
    endpoint: { url: 'https://127.0.0.1:9000', caFile: '/state/tls/ca.crt' },
    region: 'us-east-1',
    rootFile: '/state/secrets/minio/root.json',
    buckets: [PLAIN, LOCKED],
    denySseC: false,
  });
});

test.each([
  [
    'a name that S3 refuses',
    [PLAIN, { ...PLAIN, name: 'My.Bucket' }],
    '`buckets[1].name` must be 3 to 63 characters of a-z, 0-9, "-" and ".", with a letter or digit at either end and around each ".", and no IP address, got: My.Bucket',
  ],
  [
    'a lock without versions',
    [{ ...LOCKED, versioning: false }],
    '`buckets[0].objectLock` needs versioning, got: versioning off',
  ],
])('%s is refused', (_, buckets, problem) => {
  const error = thrownBy(() => declare(buckets));
  expect(error).toBeInstanceOf(DeclarationError);
  expect(error.message).toBe(`stack/Buckets: ${problem}`);
});
