/** Retention, life cycle, quota, tags and events of buckets, where they are declared. */
import {
  GetBucketLifecycleConfigurationCommand,
  GetBucketTaggingCommand,
  GetObjectLockConfigurationCommand,
  type LifecycleRule,
  type ObjectLockRule,
  type S3Client,
} from '@aws-sdk/client-s3';
import type { BucketSettings } from '../../../config/environment';
import { eventRules, eventsText, readEventRules } from '../../minio/webhooks/event-webhooks';
import { type MinioAdmin, openAdmin } from '../../minio/minio-admin';
import { GIB, retentionRule, s3LifecycleRules } from '../../minio/objects/provision-buckets';
import { unlessNone } from '../../minio/s3-client';
import { CheckFailure, type Evidence, type FullCheck } from '../check';
import { MOST_BUCKETS, sampleOf } from '../sample';
import { someOf } from './differences';

const declaresRules = ({ retention, lifecycle, quotaGiB, tags, events }: BucketSettings): boolean =>
  [retention, lifecycle, quotaGiB, tags, events].some((rule) => rule !== undefined);

export const bucketRules: FullCheck = {
  from: 'deployment',
  id: 'bucket-rules',
  title: 'Every declared retention, life cycle, quota, tag and event rule of a bucket is there',
  proves:
    'Where a bucket declares a default retention, a life cycle, a quota, tags or events, MinIO has them as declared, and no ' +
    'further rules or tags beside them. Rules for events to webhooks that are not declared may be there.',
  doesNotProve:
    'What is not declared, which belongs to clients; that older objects have the retention; and that a webhook gets its ' +
    `events. Of more than ${MOST_BUCKETS} buckets with rules, ${MOST_BUCKETS} are looked at in a run, by chance.`,
  severity: 'high',
  skipReason: ({ buckets }) =>
    buckets.some(declaresRules) ? undefined : 'no bucket declares a retention, life cycle, quota, tags or events',
  run: async ({ loaded, s3, region }) => {
    const admin = openAdmin(loaded);
    const declaring = loaded.environment.buckets.filter(declaresRules);
    const sample = sampleOf(declaring, MOST_BUCKETS);
    const seen: Record<string, Evidence> = {};
    const problems: string[] = [];
    try {
      for (const bucket of sample) {
        const actual = await rulesOf(s3, admin, bucket);
        seen[bucket.name] = actual;
        for (const [name, wanted] of Object.entries(declaredRules(bucket, region))) {
          const found = actual[name] ?? 'none';
          if (found !== wanted) problems.push(`bucket ${bucket.name}: ${name} is ${found}, declared ${wanted}`);
        }
      }
    } finally {
      admin.close();
    }
    const evidence = { buckets: seen, leftOut: declaring.length - sample.length };
    if (problems.length === 0) return evidence;
    throw new CheckFailure(
      someOf(problems),
      'it was changed by hand: set it back with mc, or change the environment file; then `npx cdktf deploy`',
      evidence,
    );
  },
};

type Rules = Readonly<Record<string, string>>;

export function declaredRules({ retention, lifecycle, quotaGiB, tags, events }: BucketSettings, region: string): Rules {
  return {
    ...(retention === undefined ? {} : { retention: retentionText(retentionRule(retention)) }),
    ...(lifecycle === undefined ? {} : { lifecycle: lifecycleText(s3LifecycleRules(lifecycle)) }),
    ...(quotaGiB === undefined ? {} : { quota: `${quotaGiB * GIB} bytes` }),
    ...(tags === undefined ? {} : { tags: tagsText(tags) }),
    ...(events === undefined ? {} : { events: eventsText(eventRules(events, region)) }),
  };
}

/** Only what is declared is asked for. */
export async function rulesOf(s3: S3Client, admin: MinioAdmin, bucket: BucketSettings): Promise<Rules> {
  const { name: Bucket, retention, lifecycle, quotaGiB, tags, events } = bucket;
  const rules: Record<string, string> = {};
  if (retention !== undefined) {
    const { ObjectLockConfiguration } = await s3.send(new GetObjectLockConfigurationCommand({ Bucket }));
    rules.retention = retentionText(ObjectLockConfiguration?.Rule);
  }
  if (lifecycle !== undefined) {
    const asked = s3.send(new GetBucketLifecycleConfigurationCommand({ Bucket }));
    rules.lifecycle = lifecycleText((await unlessNone(asked, 'NoSuchLifecycleConfiguration'))?.Rules ?? []);
  }
  if (quotaGiB !== undefined) rules.quota = `${await admin.quota(Bucket)} bytes`;
  if (tags !== undefined) {
    const found = (await unlessNone(s3.send(new GetBucketTaggingCommand({ Bucket })), 'NoSuchTagSet'))?.TagSet ?? [];
    rules.tags = tagsText(Object.fromEntries(found.map(({ Key = '', Value = '' }) => [Key, Value])));
  }
  if (events !== undefined) rules.events = eventsText(await readEventRules(s3, Bucket));
  return rules;
}

function retentionText(rule: ObjectLockRule | undefined): string {
  const { Mode, Days, Years } = rule?.DefaultRetention ?? {};
  if (Mode === undefined) return 'none';
  return `${Mode} ${Years === undefined ? `${Days ?? 0} days` : `${Years} years`}`;
}

function lifecycleText(rules: readonly LifecycleRule[]): string {
  const texts = rules.map(({ Status, Filter, Expiration, NoncurrentVersionExpiration }) =>
    [
      Status === 'Enabled' ? '' : 'disabled ',
      Filter?.Prefix === undefined || Filter.Prefix === '' ? 'all' : Filter.Prefix,
      Expiration?.Days === undefined ? '' : ` expires after ${Expiration.Days} days`,
      NoncurrentVersionExpiration?.NoncurrentDays === undefined
        ? ''
        : ` older versions expire after ${NoncurrentVersionExpiration.NoncurrentDays} days`,
    ].join(''),
  );
  return texts.length === 0 ? 'none' : texts.sort().join(', ');
}

function tagsText(tags: Readonly<Record<string, string>>): string {
  const texts = Object.entries(tags).map(([key, value]) => `${key}=${value}`);
  return texts.length === 0 ? 'none' : texts.sort().join(', ');
}
