/** Settings of MinIO, and of what leads clients to several. */
import path from 'node:path';
import { z } from 'zod';
import { CHECKED_ROWS } from '../guard-rules';
import { dnsName, environmentName, kesName } from '../names';
import { absolutePath, named, port } from './values';

const driveFolder = z
  .string()
  .refine((folder) => folder !== '/' && path.posix.isAbsolute(folder) && path.posix.resolve(folder) === folder, {
    error: 'must be an absolute path without "." and "..", and without "/" at its end',
  });

const drives = z.union(
  [
    z.int(),
    z.array(
      z.union(
        [
          driveFolder,
          z.strictObject({
            path: driveFolder,
            adopt: z.boolean().default(false).describe('The folder holds the data of another MinIO, to be taken over.'),
          }),
        ],
        { error: 'must be a folder, or {path, adopt}' },
      ),
    ),
  ],
  { error: 'must be a number of Docker volumes, or a list of folders' },
);

/** A webhook to which MinIO sends JSON by POST. */
const webhookEndpoint = (holds: string) =>
  z
    .url({ protocol: /^https$/, error: `must be an https:// address; ${holds}` })
    .refine((url) => !/["\s]/.test(url), { error: 'must be an address without quotes and spaces' });

const webhookToken = absolutePath
  .optional()
  .describe('File with a token, which MinIO sends as `Authorization: Bearer`. Mode 0600. Default: it sends none.');

const queueSize = z.int().min(1000).default(100_000);

const eventWebhook = z.strictObject({
  name: named(environmentName).describe('Name of the webhook, by which `events` of buckets mean it.'),
  endpoint: webhookEndpoint('events name buckets and objects').describe(
    'Gets each event of a bucket as JSON by POST. trustedCAs may hold its CA. It must answer when it is declared.',
  ),
  tokenFile: webhookToken,
  queueSize: queueSize.describe('Events that wait on a volume of their own while the webhook does not answer.'),
});

export const minio = z.strictObject({
  port: port.default(9000).describe('Published port of the S3 API.'),
  nodePort: port
    .optional()
    .describe('Port on which the nodes of several hosts reach each other’s MinIO; no client needs it. Default: 9010.'),
  hostnames: z
    .array(named(dnsName))
    .default([])
    .describe('DNS names by which clients reach the S3 API, besides localhost; they go into its certificate.'),
  domain: z
    .string()
    .refine((name) => dnsName.test(name) && !name.startsWith('*.') && !/^[\d.]+$/.test(name), {
      error: 'must be a DNS name without a wildcard, such as s3.example.com',
    })
    .optional()
    .describe(
      'For clients with host-style addresses: BUCKET.domain means a bucket. Goes into the certificate of the S3 API with ' +
        'every name below it. Default: a bucket is only in the path.',
    ),
  region: z
    .string()
    .regex(/^[a-z0-9-]+$/, { error: 'must be a region name such as us-east-1' })
    .default('us-east-1'),
  defaultKey: named(kesName)
    .default('backup-default')
    .describe('Master key of SSE-S3, of auto-encryption and of MinIO’s own configuration. It can never be taken away.'),
  keys: z
    .array(named(kesName))
    .default([])
    .describe('Further master keys that S3 clients may name in an SSE-KMS request, besides those of buckets.'),
  autoEncryption: z
    .boolean()
    .default(true)
    .describe('Encrypt requests that carry no SSE header into buckets without a default encryption, too.'),
  sseC: z
    .enum(['allow', 'deny'])
    .default('allow')
    .describe(
      'deny: the deploy keeps the policy ebs-deny-sse-c in MinIO; whom it is attached to cannot write under keys of ' +
        'their own (SSE-C). MinIO knows no other way, and its root user is above every policy.',
    ),
  rootAccess: z
    .boolean()
    .optional()
    .describe(
      'false: MinIO refuses its root user, on the S3 API and for administration; the project acts as users of its own. ' +
        'true: a variable of the container lets root in, whatever MinIO has stored: for recovery. Default: root is refused, ' +
        'from the second deploy on where earlier versions deployed with it.',
    ),
  drives: drives
    .default(1)
    .describe(
      'Drives of MinIO: a number of Docker volumes, or existing folders of the Docker host, each a disk of its own. From ' +
        'four on MinIO spreads every object over them with parity (erasure coding). Neither number nor order can change.',
    ),
  parity: z
    .int()
    .min(1)
    .optional()
    .describe(
      'Drives that may be lost without a loss of objects. Default: MinIO’s own, 2 of 4 or 5, 3 of 6 or 7, 4 of 8 and more.',
    ),
  pools: z
    .array(z.int().min(1))
    .min(1)
    .optional()
    .describe(
      'How many of `hosts` are in each pool, in their order, such as [3, 3]. A cluster that is full gets another pool: ' +
        'MinIO writes new objects where there is most room. Default: all hosts are one pool.',
    ),
  memoryMb: z.int().min(256).default(2048),
  audit: z
    .strictObject({
      endpoint: webhookEndpoint('records name buckets, objects and clients').describe(
        'Webhook that gets a record of every request as JSON by POST. trustedCAs may hold its CA.',
      ),
      tokenFile: webhookToken,
      queueSize: queueSize.describe('Records that wait on a volume of their own while the webhook does not answer.'),
    })
    .optional()
    .describe('Where MinIO sends who wrote, read or deleted what. Default: it is not recorded.'),
  webhooks: z
    .array(eventWebhook)
    .default([])
    .describe(
      'Webhooks for `events` of buckets. MinIO reads them when it starts, so a change restarts it. Default: none.',
    ),
  acceptedRisks: z
    .array(z.enum(CHECKED_ROWS))
    .default([])
    .describe(
      'What the image of MinIO may let through, by the rows of docs/guard.md, for images that are not built here. The ' +
        'checks try it all the same, and every report names it as accepted.',
    ),
});

export const balancer = z.strictObject({
  memoryMb: z.int().min(64).optional().describe('Default: 256.'),
});
