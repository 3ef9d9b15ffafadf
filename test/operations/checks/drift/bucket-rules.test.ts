import type { BucketSettings } from '../../../../config/environment';
import { declaredRules } from '../../../../operations/checks/drift/bucket-rules';
import { retentionRule, s3LifecycleRules } from '../../../../operations/minio/objects/provision-buckets';

const BUCKET: BucketSettings = {
  name: 'archive',
  encryption: { type: 'sse-s3' },
  versioning: true,
  objectLock: true,
};

test('of a bucket that declares none, nothing is compared', () => {
  expect(declaredRules(BUCKET, 'us-east-1')).toEqual({});
});

test('what is declared, in words', () => {
  expect(
    declaredRules(
      {
        ...BUCKET,
        retention: { mode: 'compliance', days: 30, confirm: 'archive' },
        lifecycle: [{ expireNoncurrentDays: 60 }, { prefix: 'tmp/', expireDays: 30 }],
        quotaGiB: 2,
        tags: { team: 'backup', cost: '7' },
        events: [{ webhook: 'inbox', on: ['removed', 'created'], prefix: 'a/', suffix: '.gz' }],
      },
      'us-east-1',
    ),
  ).toEqual({
    retention: 'COMPLIANCE 30 days',
    lifecycle: 'all older versions expire after 60 days, tmp/ expires after 30 days',
    quota: '2147483648 bytes',
    tags: 'cost=7, team=backup',
    events:
      's3:ObjectCreated:* and s3:ObjectRemoved:* prefix a/ suffix .gz to arn:minio:sqs:us-east-1:ebs-inbox:webhook',
  });
});

test('as S3 is told', () => {
  expect(retentionRule({ mode: 'governance', days: 3 })).toEqual({ DefaultRetention: { Mode: 'GOVERNANCE', Days: 3 } });
  expect(s3LifecycleRules([{ prefix: 'tmp/', expireDays: 30, expireNoncurrentDays: 60 }])).toEqual([
    {
      ID: 'rule-1',
      Status: 'Enabled',
      Filter: { Prefix: 'tmp/' },
      Expiration: { Days: 30 },
      NoncurrentVersionExpiration: { NoncurrentDays: 60 },
    },
  ]);
});
