import type { EnvironmentInput } from '../../../config/environment';
import { Buckets } from '../../../constructs/minio/buckets';
import { MinioServer } from '../../../constructs/minio/minio-server';
import { deploymentWith, groundOf } from '../../helpers/deployment';
import { newStack, synth } from '../../helpers/synth';

const PLAIN = { name: 'backup', encryption: { type: 'sse-s3' }, objectLock: false } as const;
const LOCKED = {
  name: 'archive',
  encryption: { type: 'sse-kms', key: 'archive-key' },
  versioning: true,
  objectLock: true,
} as const;

function declare(settings: Partial<EnvironmentInput>) {
  const stack = newStack();
  const deployment = deploymentWith(settings);
  const { ca, keys } = groundOf(deployment);
  const minio = new MinioServer(stack, 'Minio', {
    deployment,
    kes: keys.asKmsFor('minio'),
    certificate: ca.issue('minio'),
  });
  new Buckets(stack, 'Buckets', { deployment, minio });
  return synth(stack).operation('provision-buckets');
}

test('an operation waits for MinIO even when there is no bucket', () => {
  const operation = declare({});
  expect(operation).toMatchObject({
    input: { buckets: [] },
    triggers: { container: expect.stringMatching(/^\$\{docker_container\.Minio_Server_.*\.id\}$/) as string },
  });
  expect(operation.dependsOn).toEqual([expect.stringMatching(/^terraform_data\.Minio_Reload/)]);
});

test('buckets are provisioned with their encryption, versioning and lock', () => {
  expect(declare({ buckets: [{ name: 'backup' }, LOCKED], minio: { sseC: 'deny' } }).input).toEqual({
    endpoint: { url: 'https://127.0.0.1:9000', caFile: '/nonexistent/state/tls/ca.crt' },
    region: 'us-east-1',
    rootFile: '/nonexistent/state/secrets/minio/root.json',
    buckets: [PLAIN, LOCKED],
    denySseC: true,
  });
});
