/**
 * The schema of an environment file: one YAML file per deployment, strict, every problem reported at once.
 *
 * Choices are discriminated unions, so that an impossible combination cannot be written; what the shape cannot say is
 * in `environment-rules.ts`. Every default is here and nowhere else.
 */
import path from 'node:path';
import { z } from 'zod';
import { engineHostProblem } from './docker/docker-engine';
import { durationRule, isDuration } from './duration';
import { crossFieldRules } from './environment-rules';
import { bucketName, dnsName, environmentName, kesName, type NameRule, objectPrefix, vaultPath } from './names';
import { CHECKED_ROWS } from './guard-rules';
import { PROGRAM_PATHS } from './docker/program-paths';
import { PROVIDER_VERSIONS } from './provider-versions';
import { proxyProblem } from './kes/proxy';
import { beginsAtFirst, subnetProblem } from './docker/subnets';

const named = (rule: NameRule, fix?: string) =>
  z.string().refine(rule.test, { error: rule.rule, ...(fix === undefined ? {} : { params: { fix } }) });

const duration = z.string().refine(isDuration, { error: durationRule });
const port = z.int().min(1).max(65535);
const address = z.union([z.ipv4(), z.ipv6()], { error: 'must be an IP address' });
const absolutePath = z.string().refine((value) => value.startsWith('/'), { error: 'must be an absolute path' });

/** A reference that always names the same: by a digest, or by the hash of what was built here. */
const imageReference = z
  .string()
  .regex(
    /^(?:[^\s@]+@sha256:[0-9a-f]{64}|encrypted-backup-storage\/(?:vault|openbao|kes|minio|haproxy):[0-9a-f]{16})$/,
    {
      error: 'must be an image reference with a digest, such as quay.io/minio/minio@sha256:…',
    },
  );

const providerVersions = {
  // the arguments that the constructs use are those of 5.x
  vault: z.string().regex(/^(?:[5-9]|[1-9]\d+)\.\d+\.\d+$/, {
    error: `must be an exact version from 5.0.0 on, such as ${PROVIDER_VERSIONS.vault}`,
  }),
  docker: z.string().regex(/^\d+\.\d+\.\d+$/, {
    error: `must be an exact version such as ${PROVIDER_VERSIONS.docker}`,
  }),
};

const awsRegion = z
  .string()
  .regex(/^[a-z]{2}(?:-[a-z]+)+-\d$/, { error: 'must be an AWS region such as eu-central-1' });
const kmsKey = z.string().regex(/^[\w:/-]+$/, { error: 'must be the id, ARN or alias/… of a KMS key' });

const leaveSeal = z
  .boolean()
  .default(false)
  .describe('The next deploy takes the embedded Vault from the seal back to unseal shares.');

/** Another Vault, or OpenBao, whose transit engine opens an embedded one. */
const transitSeal = z.strictObject({
  type: z.literal('transit').describe('A key of the transit engine of another Vault or OpenBao.'),
  address: z
    .url({ protocol: /^https$/, error: 'must be an https:// address; Vault is never spoken to in the clear' })
    .describe('Its address, for the embedded Vault and for the machine that deploys.'),
  namespace: z.string().min(1).optional().describe('Its namespace. Default: none.'),
  caFile: absolutePath
    .optional()
    .describe('Its CA certificates, PEM. Default: the CAs of the system, and of the image.'),
  mount: named(vaultPath).default('transit').describe('Where the transit engine is mounted.'),
  key: named(kesName).describe('Name of the key.'),
  tokenFile: absolutePath.describe(
    'File with a token that may encrypt and decrypt by that key, and nothing else in it.',
  ),
  leave: leaveSeal,
});

/** A key of AWS KMS that opens an embedded Vault. */
const awsKmsSeal = z.strictObject({
  type: z.literal('awskms').describe('A key of AWS KMS.'),
  region: awsRegion,
  kmsKey: kmsKey.describe('Id, ARN or alias/… of a symmetric key.'),
  endpoint: z
    .url({
      protocol: /^https$/,
      error: 'must be an https:// address; the root key of Vault is never sent in the clear',
    })
    .optional()
    .describe('Address of KMS, such as that of a VPC endpoint. Default: the one of the region.'),
  caFile: absolutePath.optional().describe('CA certificates of the endpoint, PEM. Default: the public ones.'),
  credentialsFile: absolutePath.describe(
    'Shared credentials file of AWS: [default] with aws_access_key_id and aws_secret_access_key, of lasting credentials.',
  ),
  leave: leaveSeal,
});

const vault = z.discriminatedUnion('mode', [
  z.strictObject({
    mode: z.literal('embedded').describe('Vault runs in a container of this deployment.'),
    distribution: z
      .enum(['vault', 'openbao'])
      .default('vault')
      .describe(
        'vault: HashiCorp Vault. openbao: the fork under the Mozilla Public License 2.0 takes its place. It cannot change ' +
          'in a deployment: docs/choosing.md.',
      ),
    unseal: z
      .union([z.enum(['auto', 'manual']), z.discriminatedUnion('type', [transitSeal, awsKmsSeal])], {
        error: 'must be auto, manual, {type: transit, …} or {type: awskms, …}',
      })
      .default('auto')
      .describe(
        'auto: a small container unseals Vault after every restart, so a reboot heals by itself; whoever can read the ' +
          'Docker volumes can then unseal. manual: the shares are only in the state folder, and a person unseals. ' +
          '{type: transit, …}, {type: awskms, …}: Vault opens itself by a key of another Vault or of AWS KMS, and no ' +
          'unseal share exists.',
      ),
    shares: z
      .int()
      .min(1)
      .max(10)
      .default(1)
      .describe('Unseal shares that the initialisation makes; with a seal: recovery shares.'),
    threshold: z
      .int()
      .min(1)
      .max(10)
      .default(1)
      .describe('Shares that unseal Vault; with a seal: that make a root token.'),
    port: port.default(8200).describe('Published port of the Vault API.'),
    publishAddress: address
      .default('127.0.0.1')
      .describe(
        'Address of the Docker host on which it is published. Only the deploying machine needs it: whoever else reaches ' +
          'Vault can cancel a rekeying without a token (CVE-2026-5807).',
      ),
    memoryMb: z.int().min(128).default(512),
    auditLog: z
      .strictObject({
        maxMb: z
          .int()
          .min(1)
          .default(100)
          .describe('Size from which the audit log is put aside after the nightly checks, and a new one is begun.'),
        keep: z.int().min(1).default(30).describe('Files that were put aside and stay; the oldest goes.'),
      })
      .optional()
      .describe('Rotation of the audit log, which every request makes longer. Default: nothing rotates it.'),
  }),
  z.strictObject({
    mode: z.literal('external').describe('An existing Vault; its token is never in this file.'),
    address: z
      .url({ protocol: /^https$/, error: 'must be an https:// address; Vault is never spoken to in the clear' })
      .optional()
      .describe('Address of Vault. Default: VAULT_ADDR.'),
    namespace: z.string().optional().describe('Vault namespace. Default: VAULT_NAMESPACE, or none.'),
    caFile: absolutePath.optional().describe('CA certificates of Vault, PEM. Default: VAULT_CACERT, or the system’s.'),
    tokenFile: absolutePath.optional().describe('File with the token of the deploy. Default: VAULT_TOKEN.'),
  }),
]);

const cidrs = z.array(
  z.union([z.cidrv4(), z.cidrv6()], { error: 'must be a range of addresses such as 192.0.2.0/24 or 2001:db8::/32' }),
);

const secretIdSettings = {
  ttl: duration
    .default('0s')
    .describe(
      'Life of a SecretID; 0s: without end. A deploy renews it when a third is left, so deploy more often than that.',
    ),
  boundCidrs: cidrs.default([]).describe('Addresses from which KES may log in, as Vault sees them. Default: any.'),
  tokenBoundCidrs: cidrs
    .default([])
    .describe('Addresses from which the token of KES may be used, as Vault sees them. Default: any.'),
};

const secretId = z.discriminatedUnion('delivery', [
  z.strictObject({ delivery: z.literal('minted').describe('The deploy mints it.'), ...secretIdSettings }),
  z.strictObject({
    delivery: z
      .literal('wrapped')
      .describe(
        'Someone else mints it and hands over a response-wrapping token in VAULT_WRAPPED_SECRET_ID or a file; the ' +
          'deploy unwraps it, and needs no right to mint one.',
      ),
    wrappingTokenFile: absolutePath
      .optional()
      .describe('File with the wrapping token. Default: VAULT_WRAPPED_SECRET_ID.'),
    ...secretIdSettings,
  }),
]);

const appRole = z.strictObject({
  mount: named(vaultPath).default('approle').describe('Where the AppRole backend is mounted.'),
  existingMount: z
    .boolean()
    .default(false)
    .describe('The AppRole backend of an external Vault is there already, and is never changed or removed.'),
  tokenPeriod: duration.default('30m').describe('Period of the token of KES, which renews it for ever. At least 10m.'),
  secretId: secretId.prefault({ delivery: 'minted' }),
});

const keyStore = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('vault'),
    mount: named(vaultPath).default('kes').describe('Path of the KV mount.'),
    existingMount: z
      .boolean()
      .default(false)
      .describe('The KV mount of an external Vault is there already, and is never changed or removed.'),
    prefix: named(vaultPath)
      .optional()
      .describe(
        'Folder of the master keys in the mount; the Vault policy of KES ends there. Default: the environment’s name.',
      ),
    kvVersion: z.literal([1, 2]).default(2).describe('Version of the KV secrets engine.'),
    approle: appRole.prefault({}),
  }),
  z.strictObject({
    type: z.literal('aws').describe('AWS Secrets Manager, sealed by AWS KMS. Secrets are named like the master keys.'),
    region: awsRegion,
    endpoint: z
      .url({ protocol: /^https$/, error: 'must be an https:// address; master keys are never sent in the clear' })
      .optional()
      .describe('Address of Secrets Manager, such as that of a VPC endpoint. Default: the one of the region.'),
    kmsKey: kmsKey.optional().describe('KMS key that seals the secrets. Default: aws/secretsmanager of the account.'),
    credentials: z
      .enum(['chain', 'instance-role'])
      .default('chain')
      .describe(
        'chain: lasting credentials, which the first deploy takes from where every AWS client looks for them, and keeps ' +
          'in the state folder. instance-role: none; KES asks the EC2 instance that it runs on.',
      ),
    caFile: absolutePath.optional().describe('CA certificates of the endpoint, PEM. Default: the public ones.'),
    proxy: z
      .string()
      .superRefine((value, context) => {
        const message = proxyProblem(value);
        if (message !== undefined) context.addIssue({ code: 'custom', message });
      })
      .optional()
      .describe(
        'Proxy by which KES and the operations reach AWS, such as http://proxy.example.com:3128, without user and ' +
          'password. Default: none, whatever HTTPS_PROXY says.',
      ),
  }),
  z.strictObject({
    type: z
      .literal('filesystem')
      .describe('Files beside the data, for laboratories: whoever gets the disk of the host has the keys, too.'),
    path: absolutePath
      .optional()
      .describe(
        'Existing folder on the Docker host that belongs to user 65532. Default: a Docker volume of this environment.',
      ),
  }),
]);

const kesClient = z.strictObject({
  name: named(kesName).describe(
    'Its certificate is tls/client-<name>.crt in the state folder; its key is in secrets/.',
  ),
  keys: z
    .array(named(kesName))
    .min(1)
    .describe('Master keys that it alone may use: to make, open and describe, never to create or delete.'),
});

const kes = z.strictObject({
  port: port.default(7373).describe('Published port of KES, for the post-deploy checks and the key operations.'),
  publishAddress: address
    .default('127.0.0.1')
    .describe('Address of the Docker host on which it is published. Clients of `kes.clients` need it, MinIO does not.'),
  cache: z
    .strictObject({
      any: duration.default('5m').describe('A master key leaves the cache after this time.'),
      unused: duration.default('30s').describe('… or after this time without use.'),
      offline: duration.default('0s').describe('… or after this time while Vault cannot be reached; 0s: as above.'),
    })
    .prefault({}),
  clients: z
    .array(kesClient)
    .default([])
    .describe('Programs other than MinIO that encrypt with KES, each under master keys of its own.'),
  memoryMb: z.int().min(32).default(256),
});

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

const minio = z.strictObject({
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

const balancer = z.strictObject({
  memoryMb: z.int().min(64).optional().describe('Default: 256.'),
});

const encryption = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('sse-s3').describe('Under the default key.') }),
  z.strictObject({
    type: z.literal('sse-kms').describe('Under a master key of its own.'),
    key: named(kesName),
  }),
]);

const days = z.int().min(1).max(36_500);

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

const bucket = z.strictObject({
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

const client = z.strictObject({
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

const images = z.discriminatedUnion('source', [
  z.strictObject({ source: z.literal('build').describe('Build from pinned Go modules.') }),
  z.strictObject({
    source: z
      .literal('registry')
      .describe(
        'Pull by digest. An image that was built here and is on the Docker host is named as ./scripts/versions prints it.',
      ),
    vault: imageReference.optional().describe('Needed for an embedded Vault.'),
    openbao: imageReference.optional().describe('Needed for an embedded OpenBao, such as openbao/openbao by digest.'),
    kes: imageReference,
    minio: imageReference.describe(
      'Must hold mc, too, for its health check, as the images of quay.io/minio/minio do. The checks fail where it takes ' +
        'forged writes: push the image that is built here by ./scripts/images push.',
    ),
    haproxy: imageReference
      .optional()
      .describe('Needed for several hosts. Must hold busybox for its health check, as haproxy:lts-alpine does.'),
    programs: z
      .strictObject({
        vault: absolutePath.default(PROGRAM_PATHS.vault),
        openbao: absolutePath.default(PROGRAM_PATHS.openbao),
        kes: absolutePath.default(PROGRAM_PATHS.kes),
        minio: absolutePath.default(PROGRAM_PATHS.minio),
        mc: absolutePath.default(PROGRAM_PATHS.mc).describe('In the image of MinIO.'),
        haproxy: absolutePath.default(PROGRAM_PATHS.haproxy),
      })
      .prefault({})
      .describe(
        'Where the programs are in their images, such as minio: /usr/bin/silo for pgsty/silo. Default: where HashiCorp, ' +
          'OpenBao, MinIO and HAProxy have them.',
      ),
    dockerConfigFile: absolutePath
      .optional()
      .describe(
        'The file in which docker login keeps the logins of registries, such as ~/.docker/config.json with its whole ' +
          'path. Default: none, for a registry that lets everybody pull.',
      ),
  }),
]);

const validityDays = z
  .int()
  .min(7)
  .max(825)
  .default(365)
  .describe('Life of a certificate of the private CA; a deploy renews it when a third is left.');
const publicCa = absolutePath
  .optional()
  .describe('Root certificates, PEM, by which clients verify the S3 API. Default: those that every system trusts.');
const certificateFiles = {
  certificate: absolutePath.describe('Certificate and the intermediate ones after it, PEM.'),
  privateKey: absolutePath.describe('Its key, PEM, without a passphrase.'),
};
const acmeDomains = z
  .array(named(dnsName))
  .min(1, { error: 'must name at least one domain' })
  .describe('Names of one certificate.');

const acmeChallenge = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('http-01').describe('This machine answers on port 80 of every domain while it orders.'),
    address: address.default('0.0.0.0').describe('Address on which it answers.'),
    port: port.default(80).describe('Port on which it answers; the authority always asks port 80.'),
  }),
  z.strictObject({
    type: z.literal('dns-01').describe('A program of yours publishes TXT records; the only way to a wildcard.'),
    hook: absolutePath.describe(
      'Called as `HOOK present|cleanup _acme-challenge.<domain>. <value>`; returns when the record is served.',
    ),
  }),
]);

const tls = z.discriminatedUnion(
  'mode',
  [
    z.strictObject({
      mode: z.literal('self-signed').describe('Certificates of the private CA of this environment.'),
      validityDays,
      ipAddresses: z
        .array(address)
        .default([])
        .describe('More addresses by which clients reach the S3 API; they go into its certificate.'),
    }),
    z.strictObject({
      mode: z.literal('files').describe('Existing certificates for the S3 API; the private CA for everything inside.'),
      ...certificateFiles,
      ca: publicCa,
      additional: z
        .array(z.strictObject(certificateFiles))
        .default([])
        .describe('Certificates for other names; a client is shown the one for the name that it asks for.'),
      validityDays,
    }),
    z.strictObject({
      mode: z.literal('acme').describe('Certificates for the S3 API from an ACME authority such as Let’s Encrypt.'),
      directory: z
        .url({ protocol: /^https$/, error: 'must be an https:// address' })
        .describe('Directory of the authority. Try with the staging one first: its rate limits are high.'),
      directoryCaFile: absolutePath
        .optional()
        .describe('CA certificates of the directory itself, PEM. Default: those that every system trusts.'),
      email: z.email({ error: 'must be an e-mail address' }).describe('For the authority to write to.'),
      termsOfServiceAgreed: z
        .literal(true)
        .describe('That you agree to the terms of service of the authority; it serves nobody else.'),
      eab: z
        .strictObject({
          keyId: z
            .string()
            .regex(/^\S+$/, { error: 'must be the identifier that the authority gave you' })
            .describe('Identifier of the key at the authority.'),
          hmacKeyFile: absolutePath.describe(
            'File with the key, base64url, as the authority gave it. It is read when a certificate is ordered.',
          ),
        })
        .optional()
        .describe('External account binding, for authorities that know their customers, such as ZeroSSL and Google.'),
      domains: acmeDomains,
      additional: z
        .array(z.strictObject({ domains: acmeDomains }))
        .default([])
        .describe('More certificates, each for names of its own.'),
      challenge: acmeChallenge.prefault({ type: 'http-01' }),
      ca: publicCa,
      validityDays,
    }),
  ],
  {
    error:
      'must be one of self-signed, files, acme; TLS cannot be switched off, because MinIO refuses SSE-C (and every key would travel in the clear) without it',
  },
);

const state = z.discriminatedUnion('backend', [
  z.strictObject({
    backend: z.literal('local'),
    directory: absolutePath
      .optional()
      .describe(
        'Folder of this environment’s state and secrets. Default: ~/.local/state/encrypted-backup-storage/<name>.',
      ),
  }),
  z.strictObject({
    backend: z.literal('s3').describe('Terraform state in an S3 bucket with lock files; secrets stay local.'),
    directory: absolutePath.optional(),
    bucket: named(bucketName),
    keyPrefix: z.string().default('encrypted-backup-storage'),
    region: z.string(),
    endpoint: z.url({ protocol: /^https$/, error: 'must be an https:// address' }).optional(),
  }),
]);

const scheduledBackup = z.strictObject({
  to: z
    .string()
    .refine((place) => place.startsWith('/') || /^s3:\/\/[^/]+\/(?:.*\/)?$/.test(place), {
      error: 'must be an absolute path of a folder, or s3://bucket/ or s3://bucket/prefix/',
    })
    .describe('Folder on this machine, or prefix in another S3 storage, that gets a file for each backup.'),
  endpoint: z.url({ protocol: /^https$/, error: 'must be an https:// address' }).optional(),
  region: z.string().optional(),
  caFile: absolutePath.optional(),
  recipients: z
    .array(z.string())
    .min(1)
    .describe('Who can open the backups: age1…, or absolute paths of files with such lines.'),
  keep: z
    .int()
    .min(2)
    .default(30)
    .describe('Backups that stay in the folder; the oldest goes after a new one was proved. Not of an S3 storage.'),
});

export const JOBS = ['start', 'deploy', 'check', 'backup', 'drill'] as const;
/** What `./scripts/schedule` has run regularly. */
export type Job = (typeof JOBS)[number];

const schedule = z.strictObject({
  jobs: z
    .array(z.enum(JOBS))
    .min(1)
    .default([...JOBS])
    .describe(
      'What runs regularly: after each boot, what Docker could not start; a weekly deploy, which renews; nightly checks; a nightly backup; a monthly drill.',
    ),
  backup: scheduledBackup.optional().describe('Where the nightly backup goes. Default: there is none.'),
  variablesFile: absolutePath
    .optional()
    .describe('File of `KEY=VALUE` lines for the scheduled commands, such as AWS_… and VAULT_TOKEN. Mode 0600.'),
});

const notifyWhen = z
  .enum(['problem', 'always'])
  .default('problem')
  .describe('problem: after a failure or a warning. always: after each run, for a service that misses a message.');

const notify = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('command').describe('A program on this machine gets the message as JSON on its standard input.'),
    command: z.tuple([absolutePath], z.string()).describe('Program and arguments.'),
    when: notifyWhen,
  }),
  z.strictObject({
    type: z.literal('webhook').describe('An https:// address gets the message as JSON by POST.'),
    urlFile: absolutePath.describe('File with the address, which often holds a token. Mode 0600.'),
    caFile: absolutePath.optional().describe('CA certificates of the address, PEM. Default: the public ones.'),
    when: notifyWhen,
  }),
]);

const engineHost = z.string().superRefine((value, context) => {
  const problem = engineHostProblem(value);
  if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
});

const host = z.strictObject({
  name: named(environmentName).describe('Name of the host; stacks and certificates are named after it.'),
  docker: engineHost.describe('Its Docker engine: ssh://[user@]host[:port], tcp://host:port or unix:///path.'),
  certificates: absolutePath
    .optional()
    .describe('Folder with ca.pem, cert.pem and key.pem, for an engine that begins with tcp://.'),
  address: z
    .ipv4({ error: 'must be an IPv4 address, because the containers of a Docker network reach no other by default' })
    .describe('Address by which the other hosts and this machine reach it.'),
});

const monitoring = z.strictObject({
  textfile: absolutePath
    .optional()
    .describe(
      'Folder on this machine that node_exporter reads (--collector.textfile.directory). Checks, backups and drills leave ' +
        'ebs-<name>.prom there: what failed, what ends when, what is saved. Default: they write none.',
    ),
});

const shape = z.strictObject({
  name: named(environmentName).describe('Name of the deployment; containers, volumes and folders are named after it.'),
  hosts: z
    .array(host)
    .optional()
    .describe(
      'Three hosts or more, each with MinIO, KES and a balancer, and the first three with an embedded Vault (of five or ' +
        'more the first five). Their order can never change. Default: one host, that of docker.host.',
    ),
  docker: z
    .strictObject({
      host: engineHost
        .optional()
        .describe(
          'Docker engine: unix:///path, ssh://[user@]host[:port] or tcp://host:port. Default: the one that the docker ' +
            'command would use: DOCKER_HOST, DOCKER_CONTEXT, the current context, or the local socket.',
        ),
      certPath: absolutePath
        .optional()
        .describe('Folder with ca.pem, cert.pem and key.pem, for a docker.host that begins with tcp://.'),
      publishAddress: address
        .default('127.0.0.1')
        .describe(
          'Address of the Docker host on which the S3 API is published; 0.0.0.0 and :: mean every one. Vault and KES ' +
            'have a setting of their own.',
        ),
      subnet: z
        .string()
        .superRefine((value, context) => {
          const problem = subnetProblem(value);
          if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
        })
        .optional()
        .describe(
          'IPv4 range of the Docker networks: the first half for MinIO and KES, the second for KES and an embedded ' +
            'Vault. Default: Docker chooses from its address pools.',
        ),
      processLimit: z
        .int()
        .min(256)
        .default(8192)
        .describe(
          'Processes and threads that the services may have, which all run as one user of the Docker host. Lower, where ' +
            'the engine is itself limited to fewer and may not raise that.',
        ),
      mtu: z
        .int()
        .min(576)
        .max(65535)
        .optional()
        .describe(
          'Largest packet of the networks, in bytes, for a host behind a VPN or tunnel. Default: that of Docker.',
        ),
    })
    .prefault({}),
  images: images.default({ source: 'build' }),
  providers: z
    .strictObject({ vault: providerVersions.vault.optional(), docker: providerVersions.docker.optional() })
    .default({})
    .describe(
      'Versions of the Terraform providers that the registry has. Default: the tested ones, see docs/architecture.md.',
    ),
  vault: vault
    .optional()
    .describe('Only with master keys in Vault. Default: then `mode: embedded`, else there is no Vault at all.'),
  keyStore: keyStore.prefault({ type: 'vault' }),
  kes: kes.prefault({}),
  minio: minio.prefault({}),
  balancer: balancer.optional().describe('The HAProxy of each of several hosts.'),
  buckets: z.array(bucket).default([]),
  clients: z
    .array(client)
    .default([])
    .describe(
      'Who uses the S3 API, each with an identity of its own. The deploy makes their credentials, and takes away those of ' +
        'a client that is no longer named: ./scripts/client. Default: none.',
    ),
  tls: tls.prefault({ mode: 'self-signed' }),
  trustedCAs: z
    .array(absolutePath)
    .default([])
    .describe('Files, or folders of files, with CA certificates, PEM, that MinIO, KES and the checks trust as well.'),
  state: state.default({ backend: 'local' }),
  requireDiskEncryption: z
    .boolean()
    .default(false)
    .describe(
      'true: the checks fail unless dm-crypt (LUKS) is beneath every drive, volume and folder of the deployment, and beneath ' +
        'swap. false: they say what is.',
    ),
  schedule: schedule.prefault({}),
  notify: notify
    .optional()
    .describe('Where messages about scheduled runs go. Default: none is sent; exit codes and the journal say it.'),
  monitoring: monitoring
    .optional()
    .describe(
      'Metrics of MinIO, KES and an embedded Vault for Prometheus, each with an identity that may read metrics and nothing ' +
        'else. Default: there is no such identity.',
    ),
  reports: z
    .strictObject({
      keep: z
        .int()
        .min(1)
        .default(20)
        .describe('Runs of all checks whose reports stay in reports/history, and go into each backup.'),
    })
    .optional()
    .describe(
      'Reports of the checks. Default: those of the last 20 runs stay. Signed records of all runs stay for ever.',
    ),
  allowDataLoss: z
    .string()
    .optional()
    .describe('The environment’s own name, to let `cdktf destroy` delete master keys and data.'),
});

type Written = z.infer<typeof shape>;
type WrittenVaultKeyStore = Extract<Written['keyStore'], { type: 'vault' }>;

/** One environment, every default filled in. */
export type Environment = Omit<Written, 'vault' | 'keyStore'> & { readonly keyStore: KeyStoreSettings };
/** An environment with its master keys in Vault. */
export type VaultEnvironment = Environment & { readonly keyStore: VaultKeyStoreSettings };
/** An environment as its file writes it. */
export type EnvironmentInput = z.input<typeof shape>;
export type VaultSettings = z.infer<typeof vault>;
export type EmbeddedVault = Extract<VaultSettings, { mode: 'embedded' }>;
/** What an embedded Vault is. */
export type VaultDistribution = EmbeddedVault['distribution'];
export type ExternalVault = Extract<VaultSettings, { mode: 'external' }>;
/** The file writes `vault` beside `keyStore`, but Vault takes part only where the master keys are in it. */
export type VaultKeyStoreSettings = Omit<WrittenVaultKeyStore, 'prefix'> & {
  readonly prefix: string;
  readonly vault: VaultSettings;
};
export type KeyStoreSettings = VaultKeyStoreSettings | Exclude<Written['keyStore'], { type: 'vault' }>;
export type AwsKeyStoreSettings = Extract<KeyStoreSettings, { type: 'aws' }>;
export type FilesystemKeyStoreSettings = Extract<KeyStoreSettings, { type: 'filesystem' }>;
export type FilesSettings = Extract<Environment['tls'], { mode: 'files' }>;
export type AcmeSettings = Extract<Environment['tls'], { mode: 'acme' }>;
export type BucketSettings = Environment['buckets'][number];
/** A host of several, as the environment file has it. */
export type HostSettings = NonNullable<Environment['hosts']>[number];
export type ClientSettings = Environment['clients'][number];
/** The drives of a MinIO, as the environment file has them. */
export type DrivesSetting = Environment['minio']['drives'];

const EMBEDDED_VAULT: VaultSettings = vault.parse({ mode: 'embedded' });

/** The schema of an environment file. Unknown keys are errors. */
export const environmentSchema = shape
  .superRefine((written, context) => {
    const said = { ...written, vault: written.vault ?? EMBEDDED_VAULT };
    for (const { path, message, fix, other } of crossFieldRules(resolved(written), written)) {
      const value = path.reduce<unknown>((at, part) => (at as Record<PropertyKey, unknown>)[part], said);
      context.addIssue({ code: 'custom', path: [...path], message, params: { fix, other: other.join('.'), value } });
    }
  })
  // after the rules: zod asks none about the result of a transformation where anything is wrong
  .transform(resolved);

/** An environment as a file would write it, with every default: the other way round. */
export function writtenSettings({ keyStore, ...rest }: Environment): Record<string, unknown> {
  if (keyStore.type !== 'vault') return { ...rest, keyStore };
  const { vault, ...written } = keyStore;
  return { ...rest, vault, keyStore: written };
}

function resolved({ vault, keyStore, ...rest }: Written): Environment {
  if (keyStore.type !== 'vault') return { ...rest, keyStore };
  return { ...rest, keyStore: { ...keyStore, prefix: keyStore.prefix ?? rest.name, vault: vault ?? EMBEDDED_VAULT } };
}
