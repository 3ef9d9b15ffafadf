/**
 * What the clients of the S3 API may do: an IAM policy each, of explicit actions on its own buckets and prefixes.
 *
 * | right                                     | read | append              | write |
 * |-------------------------------------------|------|---------------------|-------|
 * | list, also versions; read, also versions  | yes  | yes                 | yes   |
 * | write, in one part and in many            |      | yes                 | yes   |
 * | delete the present version                |      | locks, `latest`     | yes   |
 * | delete an older version, bypass retention |      |                     |       |
 * | retention and legal hold (`objectLock`)   |      | if asked for        | same  |
 * | settings of buckets, administration       |      |                     |       |
 *
 * Sources: minio/minio 7aac2a2, cmd/auth-handler.go and the handlers; minio/pkg v3.1.3, policy/action.go.
 */
import { createHash } from 'node:crypto';
import type { Environment } from '../environment';
import { denySseCStatement } from './sse-c-policy';

/** What one client may do in one bucket. */
export interface ClientGrant {
  readonly bucket: string;
  /** Beginning of the objects' names. Absent: the whole bucket. */
  readonly prefix?: string | undefined;
  readonly may: 'read' | 'append' | 'write';
  /** Whether it may set retention and legal hold. */
  readonly objectLock: boolean;
  /** Master keys that it may name in a request. */
  readonly keys: string[];
}

export interface PolicyStatement {
  readonly Effect: 'Allow' | 'Deny';
  readonly Action: readonly string[];
  readonly Resource?: readonly string[];
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, readonly (string | boolean)[]>>>>;
}

export interface PolicyDocument {
  readonly Version: '2012-10-17';
  readonly Statement: readonly PolicyStatement[];
}

const LIST = ['s3:ListBucket', 's3:ListBucketVersions'];
const READ = [
  's3:GetObject',
  's3:GetObjectAttributes',
  's3:GetObjectLegalHold',
  's3:GetObjectRetention',
  's3:GetObjectTagging',
  's3:GetObjectVersion',
  's3:GetObjectVersionAttributes',
  's3:GetObjectVersionTagging',
];
const WRITE = ['s3:AbortMultipartUpload', 's3:ListMultipartUploadParts', 's3:PutObject'];
const LOCK = ['s3:PutObjectLegalHold', 's3:PutObjectRetention'];

/** MinIO only asks whether these are denied, for the versions of whoever may delete, and for accounts of oneself. */
const DENIED_OBJECT_ACTIONS = ['s3:BypassGovernanceRetention', 's3:DeleteObjectVersion'];
const DENIED_ADMIN_ACTIONS = [
  'admin:CreateServiceAccount',
  'admin:CreateUser',
  'admin:GetUser',
  'admin:ListServiceAccounts',
];

/** The policy of a client. */
export function clientPolicy(
  { grants, sourceAddresses }: Pick<DeclaredClient, 'grants' | 'sourceAddresses'>,
  { denySseC }: { readonly denySseC: boolean },
): PolicyDocument {
  return {
    Version: '2012-10-17',
    Statement: [
      ...grants.flatMap(statementsOf),
      { Effect: 'Deny', Action: DENIED_OBJECT_ACTIONS, Resource: ['arn:aws:s3:::*'] },
      { Effect: 'Deny', Action: DENIED_ADMIN_ACTIONS },
      ...(sourceAddresses === undefined ? [] : [otherAddressesDenied(sourceAddresses)]),
      ...(denySseC ? [denySseCStatement] : []),
    ],
  };
}

function statementsOf({ bucket, prefix, may, objectLock, keys }: ClientGrant): PolicyStatement[] {
  const bucketArn = `arn:aws:s3:::${bucket}`;
  const objects = `${bucketArn}/${prefix ?? ''}`;
  const allow = (Action: readonly string[], ...Resource: string[]): PolicyStatement => ({
    Effect: 'Allow',
    Action,
    Resource,
  });
  const writes = may !== 'read';
  const aboutBucket = [
    's3:GetBucketLocation',
    's3:HeadBucket',
    ...(objectLock ? ['s3:GetBucketObjectLockConfiguration', 's3:GetBucketVersioning'] : []),
    // MinIO knows no condition by which it could be confined to a prefix
    ...(writes && prefix === undefined ? ['s3:ListBucketMultipartUploads'] : []),
  ];
  return [
    allow(aboutBucket, bucketArn),
    {
      ...allow(LIST, bucketArn),
      ...(prefix === undefined ? {} : { Condition: { StringLike: { 's3:prefix': [`${prefix}*`] } } }),
    },
    allow(
      [...READ, ...(writes ? WRITE : []), ...(objectLock ? LOCK : []), ...(may === 'write' ? PRUNE : [])],
      `${objects}*`,
    ),
    // Where it is versioned, a delete leaves the version
    ...(may === 'append' ? [allow(['s3:DeleteObject'], ...DELETED_BY_BACKUPS.map((name) => `${objects}${name}`))] : []),
    ...(writes ? [otherKeysDenied(bucketArn, keys)] : []),
  ];
}

/**
 * What programs delete when they back up. restic removes its own locks, or warns after each backup. pgBackRest removes
 * the name `latest` before the backup counts, although S3 has no links (2.45, src/command/backup/backup.c).
 */
const DELETED_BY_BACKUPS = ['locks/*', '*/locks/*', 'backup/*/latest', '*/backup/*/latest'];

const PRUNE = ['s3:DeleteObject', 's3:DeleteObjectTagging', 's3:PutObjectTagging'];

/** Denied also where MinIO knows no address (minio/pkg v3.1.3, policy/condition/ipaddressfunc.go). */
const otherAddressesDenied = (ranges: readonly string[]): PolicyStatement => ({
  Effect: 'Deny',
  Action: ['s3:*'],
  Resource: ['arn:aws:s3:::*'],
  Condition: { NotIpAddress: { 'aws:SourceIp': ranges } },
});

/** Without it a client could put objects under a key of another one, or under one that the bucket is not declared with. */
function otherKeysDenied(bucketArn: string, keys: readonly string[]): PolicyStatement {
  const header = 's3:x-amz-server-side-encryption-aws-kms-key-id';
  return {
    Effect: 'Deny',
    Action: ['s3:PutObject'],
    Resource: [`${bucketArn}/*`],
    Condition: {
      Null: { [header]: [false] },
      // MinIO answers with the longer name, and takes it back
      StringNotEquals: { [header]: keys.flatMap((key) => [key, `arn:aws:kms:${key}`]) },
    },
  };
}

/** A client as the deploy is told of it. */
export interface DeclaredClient {
  readonly name: string;
  readonly grants: ClientGrant[];
  readonly expireDays?: number | undefined;
  /** IPv4 ranges from which its access key works. Absent: any. */
  readonly sourceAddresses?: string[] | undefined;
}

/** The clients of an environment, each with the keys that its buckets allow. */
export function declaredClients({ buckets, clients, minio }: Environment): DeclaredClient[] {
  return clients.map(({ name, access, expireDays, sourceAddresses }) => ({
    name,
    grants: access.map((grant) => {
      const encryption = buckets.find((bucket) => bucket.name === grant.bucket)?.encryption;
      const own = encryption?.type === 'sse-kms' ? encryption.key : minio.defaultKey;
      return { ...grant, keys: [...new Set([own, ...minio.keys])] };
    }),
    ...(expireDays === undefined ? {} : { expireDays }),
    ...(sourceAddresses === undefined ? {} : { sourceAddresses }),
  }));
}

/** Changes when a policy does, also where only this file has changed. */
export function policiesHash(clients: readonly DeclaredClient[], options: { readonly denySseC: boolean }): string {
  const documents = clients.map((client) => clientPolicy(client, options));
  return createHash('sha256').update(JSON.stringify(documents)).digest('hex');
}
