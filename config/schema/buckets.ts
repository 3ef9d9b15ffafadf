/** Settings of a bucket. */
import { z } from 'zod';
import { bucketName, environmentName, kesName, objectPrefix } from '../names';
import { days, named } from './values';

const encryption = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('sse-s3').describe('Under the default key.') }),
  z.strictObject({
    type: z.literal('sse-kms').describe('Under a master key of its own.'),
    key: named(kesName),
  }),
]);

const lifecycleRule = z.strictObject({
  prefix: named(objectPrefix).optional().describe('Beginning of the objects’ names. Default: the whole bucket.'),
  expireDays: days
    .optional()
    .describe('Age at which an object is deleted; where it is versioned, its present version becomes an older one.'),
  expireNoncurrentDays: days
    .optional()
    .describe('Days after which a version is deleted that is no longer the present one.'),
});

const eventRule = z.strictObject({
  webhook: named(environmentName).describe('Name of a webhook of minio.webhooks.'),
  on: z
    .array(z.enum(['created', 'removed']))
    .min(1)
    .default(['created', 'removed'])
    .describe('What is told: objects that were created, or removed.'),
  prefix: named(objectPrefix).optional().describe('Beginning of the objects’ names. Default: the whole bucket.'),
  suffix: z
    .string()
    .regex(/^[\w.-]{1,100}$/, { error: 'must be 1 to 100 letters, digits and . _ -' })
    .optional()
    .describe('End of the objects’ names, such as .gz. Default: any.'),
});

/** S3 takes no more, and these lengths. */
const MOST_TAGS = 50;

const tag = (most: number) =>
  z.string().regex(new RegExp(`^[\\p{L}\\p{N} +=._:/@-]{1,${most}}$`, 'u'), {
    error: `must be 1 to ${most} letters, digits, spaces and + - = . _ : / @`,
  });

export const bucket = z.strictObject({
  name: named(bucketName),
  encryption: encryption.default({ type: 'sse-s3' }),
  versioning: z
    .boolean()
    .optional()
    .describe(
      'true: the deploy switches versioning on. false: it is off, and a bucket in which it is on is refused: S3 cannot ' +
        'switch it off again, only suspend it. Default: a new bucket has none, and a deploy never touches what a client sets.',
    ),
  objectLock: z
    .boolean()
    .default(false)
    .describe(
      'Can only be chosen when the bucket is made; needs versioning. Alone it retains nothing: a client sets how long ' +
        'each object is kept, or `retention` how long every new one.',
    ),
  retention: z
    .strictObject({
      mode: z
        .enum(['governance', 'compliance'])
        .describe(
          'compliance: it cannot be shortened or lifted, by root neither. governance: a client with the right for it can.',
        ),
      days: days.describe('Days for which a new version cannot be deleted.'),
      confirm: z
        .string()
        .optional()
        .describe('For compliance the bucket’s own name once more: it cannot be taken back.'),
    })
    .optional()
    .describe('Retention of new objects that ask for none. Needs objectLock. Default: the deploy does not touch it.'),
  lifecycle: z
    .array(lifecycleRule)
    .min(1)
    .optional()
    .describe('What MinIO deletes by itself; all rules of the bucket. Default: the deploy does not touch them.'),
  quotaGiB: z
    .int()
    .min(1)
    .max(1_000_000)
    .optional()
    .describe('MinIO refuses writes when the bucket holds more. Default: the deploy does not touch it.'),
  tags: z
    .record(tag(128), tag(256))
    .refine((all) => Object.keys(all).length <= MOST_TAGS, { error: `must be ${MOST_TAGS} tags at most` })
    .optional()
    .describe('All tags of the bucket. Default: the deploy does not touch them.'),
  events: z
    .array(eventRule)
    .optional()
    .describe(
      'What is told to webhooks; all rules of the bucket for declared webhooks. Rules for others stay. Default: the deploy ' +
        'does not touch them.',
    ),
});
