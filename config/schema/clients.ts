/** Settings of a client of the S3 API. */
import { z } from 'zod';
import { beginsAtFirst } from '../docker/subnets';
import { bucketName, environmentName, objectPrefix } from '../names';
import { named } from './values';

/** MinIO ends an access key after a year at the latest (minio/minio, cmd/iam-store.go, maxServiceAccountExpiry). */
const MOST_EXPIRE_DAYS = 365;

const clientAccess = z.strictObject({
  bucket: named(bucketName).describe('A declared bucket.'),
  prefix: named(objectPrefix).optional().describe('Beginning of the objects’ names. Default: the whole bucket.'),
  may: z
    .enum(['read', 'append', 'write'])
    .describe(
      'read: list and read. append: write besides, and delete nothing but lock files of restic; needs versioning, so that ' +
        'nothing is overwritten for good. write: delete besides, but no older version.',
    ),
  objectLock: z
    .boolean()
    .default(false)
    .describe('true: it may set retention and legal hold on its objects, and lift its legal holds. Veeam does.'),
});

export const client = z.strictObject({
  name: named(environmentName).describe('Name of the client; its user and policy in MinIO are ebs-client-NAME.'),
  access: z.array(clientAccess).min(1).describe('What it may do, and where. Everything else is refused.'),
  expireDays: z
    .int()
    .min(1)
    .max(MOST_EXPIRE_DAYS)
    .optional()
    .describe(
      'Life of its access key, in days. A deploy in the last third makes another one; the old one works until its end. ' +
        'Default: it does not end.',
    ),
  sourceAddresses: z
    .array(
      z
        .cidrv4({
          error:
            'must be a range of IPv4 addresses such as 192.0.2.0/24, because MinIO sees no IPv6 address of a client',
        })
        // MinIO keeps a policy with the first address, which then is not the declared one
        .refine(beginsAtFirst, { error: 'must begin at its first address, such as 192.0.2.0/24' }),
    )
    .min(1)
    .refine((all) => new Set(all).size === all.length, { error: 'must name each range once' })
    .optional()
    .describe(
      'Addresses from which its access key works, as MinIO sees them. Needs one host and a docker.publishAddress that is an ' +
        'IPv4 address of it: see docs/clients.md. Default: any.',
    ),
});
