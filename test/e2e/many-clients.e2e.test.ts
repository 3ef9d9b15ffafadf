/** 200 clients and 200 buckets through whole deploys, beside the same deployment with none. */
import { PutObjectCommand } from '@aws-sdk/client-s3';
import { clientFile } from '../../config/state/layout';
import { s3Endpoint } from '../../config/state/endpoints';
import { reportSchema } from '../../operations/checks/report/model';
import { readAccessKeys } from '../../operations/minio/clients/access-keys';
import { s3Client } from '../../operations/minio/s3-client';
import { mustSucceed } from '../helpers/e2e/command';
import { measured } from '../helpers/e2e/clients/measured';
import { type Settings, TestEnvironment } from '../helpers/e2e/test-environment';

const COUNT = 200;
const KEYS = 10;

/** A bucket for each client, each tenth under a master key of its own; some with rules. */
const many: Settings = {
  buckets: Array.from({ length: COUNT }, (_, number) => ({
    name: `bucket-${number}`,
    versioning: true,
    encryption:
      number % (COUNT / KEYS) === 0
        ? ({ type: 'sse-kms', key: `key-${number}` } as const)
        : ({ type: 'sse-s3' } as const),
    ...(number % 2 === 0 ? { quotaGiB: 10, lifecycle: [{ expireNoncurrentDays: 30 }] } : {}),
  })),
  clients: Array.from({ length: COUNT }, (_, number) => ({
    name: `client-${number}`,
    access: [{ bucket: `bucket-${number}`, prefix: 'backups/', may: 'append' as const }],
    ...(number % 2 === 0 ? { expireDays: 90 } : {}),
  })),
};

let environment: TestEnvironment;
beforeAll(async () => {
  environment = await TestEnvironment.create();
});
afterAll(async () => {
  await environment.remove();
});

async function up(what: string): Promise<number> {
  const result = mustSucceed(await environment.script('up'));
  measured(what, result.seconds);
  if (process.env.EBS_SHOW !== undefined) process.stderr.write(result.stderr);
  return result.seconds;
}

async function check(what: string): Promise<void> {
  const { results, durationMs, outcome } = reportSchema.parse(
    JSON.parse((await environment.script('check', ['--json'])).stdout),
  );
  const failed = results.filter(({ status }) => !['passed', 'skipped'].includes(status));
  expect({ outcome, failed }).toEqual({ outcome: 'passed', failed: [] });
  measured(what, durationMs / 1000);
  const slow = [...results].sort((one, other) => other.durationMs - one.durationMs).slice(0, 5);
  for (const { id, durationMs: ms } of slow) measured(`  ${id}`, ms / 1000);
}

test('a deploy, a second one and the checks, with none and with 200 of each', async () => {
  await up('first deploy, no client and no bucket');
  const none = await up('unchanged deploy of none');
  await check('checks of none');
  environment.write(many);
  await up('deploy of 200 clients and 200 buckets');
  const unchanged = await up('unchanged deploy of 200');
  measured('… more than that of none', unchanged - none);
  await environment.expectNothingToDeploy();
  await check('checks of 200');

  const keys = readAccessKeys(clientFile(environment.state.secret.clients, `client-${COUNT - 1}`));
  if (keys === undefined) throw new Error('the last client has no key');
  const s3 = s3Client({
    endpoint: s3Endpoint(environment.loaded.environment, environment.state),
    region: 'us-east-1',
    credentials: keys.current,
  });
  await s3.send(new PutObjectCommand({ Bucket: `bucket-${COUNT - 1}`, Key: 'backups/x', Body: 'x' }));
  await expect(
    s3.send(new PutObjectCommand({ Bucket: 'bucket-0', Key: 'backups/x', Body: 'x' })),
  ).rejects.toMatchObject({ name: 'AccessDenied' });
  s3.destroy();
});
