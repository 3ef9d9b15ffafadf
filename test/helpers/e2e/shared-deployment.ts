import { type LoadedEnvironment, loadEnvironment } from '../../../operations/state/load';
import { mustSucceed } from './command';
import { TestEnvironment } from './test-environment';

/** A deployment that is up already, is used and left up: to work on a test without waiting for a deploy. */
const EXISTING = process.env.EBS_E2E_ENVIRONMENT;

/** A deployment for all tests of a file, with a bucket of each kind. */
export function useDeployment(): () => LoadedEnvironment {
  let deployment: TestEnvironment | undefined;
  let loaded: LoadedEnvironment;
  beforeAll(async () => {
    if (EXISTING === undefined) {
      deployment = await TestEnvironment.create({
        minio: { defaultKey: 'backup-default', domain: 's3.storage.test' },
        // half a minute without use passes by itself on a busy machine, and what KES has in memory decides what is red
        kes: { cache: { unused: '5m' } },
        buckets: [
          { name: 'backup', encryption: { type: 'sse-s3' } },
          {
            name: 'archive',
            encryption: { type: 'sse-kms', key: 'archive-key' },
            versioning: true,
            objectLock: true,
            lifecycle: [{ prefix: 'expired/', expireDays: 30, expireNoncurrentDays: 60 }],
            quotaGiB: 100,
            tags: { owner: 'tests' },
          },
        ],
        clients: [{ name: 'laptops', access: [{ bucket: 'archive', prefix: 'laptops/', may: 'append' }] }],
      });
      mustSucceed(await deployment.script('up'));
    }
    loaded = deployment?.loaded ?? loadEnvironment(EXISTING);
  });
  afterAll(async () => {
    await deployment?.remove();
  });
  return () => loaded;
}
