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

function declared(settings: Partial<EnvironmentInput>) {
  const stack = newStack();
  const deployment = deploymentWith(settings);
  const { ca, keys } = groundOf(deployment);
  const minio = new MinioServer(stack, 'Minio', {
    deployment,
    kes: keys.asKmsFor('minio'),
    certificate: ca.issue('minio'),
  });
  new Buckets(stack, 'Buckets', { deployment, minio });
  return synth(stack);
}

test('an operation waits for MinIO even when there is no bucket', () => {
  const stack = declared({});
  const buckets = stack.operation('provision-buckets');
  expect(buckets.input).toMatchObject({ buckets: [] });
  expect(buckets.dependsOn).toEqual([expect.stringMatching(/^terraform_data\.Buckets_Identities/)]);
  const identities = stack.operation('provision-identities');
  expect(identities).toMatchObject({
    triggers: { container: expect.stringMatching(/^\$\{docker_container\.Minio_Server_.*\.id\}$/) as string },
  });
  expect(identities.dependsOn).toEqual([expect.stringMatching(/^terraform_data\.Minio_Reload/)]);
});

test('buckets are provisioned with their encryption, versioning and lock', () => {
  expect(
    declared({ buckets: [{ name: 'backup' }, LOCKED], minio: { sseC: 'deny' } }).operation('provision-buckets').input,
  ).toEqual({
    endpoint: { url: 'https://127.0.0.1:9000', caFile: '/nonexistent/state/tls/ca.crt' },
    region: 'us-east-1',
    operationsFile: '/nonexistent/state/secrets/minio/operations.json',
    iamFile: '/nonexistent/state/secrets/minio/iam.json',
    buckets: [PLAIN, LOCKED],
    denySseC: true,
    webhooks: { container: 'ebs-local-minio', queueFolder: '/event-queue', declared: [] },
  });
});

test('events wait on a volume of MinIO, and the operation runs again when the token of a webhook changes', () => {
  const endpoint = 'https://events.example.com/';
  const webhooks = [{ name: 'inbox', endpoint, tokenFile: '/etc/inbox-token' }];
  const stack = declared({ minio: { webhooks }, buckets: [{ name: 'backup', events: [{ webhook: 'inbox' }] }] });
  expect(stack.resource('docker_container', 'Minio_Server').volumes).toEqual(
    expect.arrayContaining([expect.objectContaining({ container_path: '/event-queue', read_only: false })]),
  );
  const { input, triggers } = stack.operation('provision-buckets');
  expect(input).toMatchObject({
    buckets: [{ name: 'backup', events: [{ webhook: 'inbox', on: ['created', 'removed'] }] }],
    webhooks: { declared: [{ name: 'inbox', endpoint, tokenFile: '/etc/inbox-token', queueSize: 100_000 }] },
  });
  expect(triggers['token of webhook inbox']).toContain('/etc/inbox-token');
});
