/**
 * What the project itself may do in MinIO where root is refused: three users.
 *
 * | user             | who acts as it                                                                        |
 * |------------------|---------------------------------------------------------------------------------------|
 * | `ebs-operations` | provisioning of buckets, checks, heals, rotations, drills                             |
 * | `ebs-iam`        | backups and restores, and what makes and compares identities: an export shows secrets |
 * | `ebs-objects`    | what reads objects of clients: `objects-encrypted`, `encrypt`; and re-seals data keys |
 *
 * Another one, `ebs-inspector`, is there for as long as an inventory of the master keys takes.
 *
 * Sources: minio/minio 7aac2a2, the handlers of cmd/; minio/pkg v3.1.3, policy/action.go and policy/admin-action.go.
 */
import { createHash } from 'node:crypto';
import { EARLIER_OBJECTS_BUCKET, IAM_USER, OBJECTS_USER, OPERATIONS_USER } from '../deployment-names';
import type { Environment } from '../environment';
import type { OperationInput } from '../operation-inputs';
import { s3Endpoint } from '../state/endpoints';
import type { StateLayout } from '../state/layout';
import type { PolicyDocument } from './client-policies';

const ARN = 'arn:aws:s3:::';
/** What `scratchBucketName` makes: 16 digits. */
const SCRATCH_BUCKETS = `${ARN}ebs-check-${'?'.repeat(16)}`;

/** What a user may do for itself unless it is denied (minio/minio, cmd/admin-handlers-users.go). */
export const DENIED_OF_ONESELF = [
  'admin:CreateUser',
  'admin:CreateServiceAccount',
  'admin:UpdateServiceAccount',
  'admin:RemoveServiceAccount',
  'admin:ListServiceAccounts',
] as const;

/** It reads no object of a client, and nothing of IAM but policies. */
export const operationsPolicy: PolicyDocument = {
  Version: '2012-10-17',
  Statement: [
    {
      Effect: 'Allow',
      Action: [
        // whether root is let in, and where the audit log goes
        'admin:ConfigUpdate',
        'admin:GetBucketQuota',
        'admin:GetPolicy',
        'admin:Heal',
        'admin:ServerInfo',
        'admin:SetBucketQuota',
        'admin:StorageInfo',
      ],
    },
    { Effect: 'Deny', Action: DENIED_OF_ONESELF },
    {
      Effect: 'Allow',
      Action: [
        's3:CreateBucket',
        's3:GetBucketLocation',
        's3:GetBucketNotification',
        's3:GetBucketPolicy',
        's3:GetBucketObjectLockConfiguration',
        's3:GetBucketTagging',
        's3:GetBucketVersioning',
        's3:GetEncryptionConfiguration',
        's3:GetLifecycleConfiguration',
        's3:HeadBucket',
        's3:ListAllMyBuckets',
        's3:ListBucket',
        's3:ListBucketVersions',
        's3:PutBucketNotification',
        's3:PutBucketObjectLockConfiguration',
        's3:PutBucketTagging',
        's3:PutBucketVersioning',
        's3:PutEncryptionConfiguration',
        's3:PutLifecycleConfiguration',
      ],
      Resource: [`${ARN}*`],
    },
    { Effect: 'Allow', Action: ['s3:GetObject', 's3:PutObject'], Resource: [`${ARN}${EARLIER_OBJECTS_BUCKET}/*`] },
    // what the checks, a drill or a probe of a client leave in a declared bucket
    {
      Effect: 'Allow',
      Action: ['s3:DeleteObject', 's3:DeleteObjectVersion', 's3:GetObject', 's3:GetObjectVersion', 's3:PutObject'],
      Resource: [`${ARN}*/*ebs-check-*`],
    },
    // the checks try there what a server must refuse even to who may do everything
    { Effect: 'Allow', Action: ['s3:*'], Resource: [SCRATCH_BUCKETS, `${SCRATCH_BUCKETS}/*`] },
  ],
};

/** It reads and writes no object. Whoever may import IAM may make any identity. */
export const iamPolicy: PolicyDocument = {
  Version: '2012-10-17',
  Statement: [
    {
      Effect: 'Allow',
      Action: [
        'admin:AddUserToGroup',
        'admin:AttachUserOrGroupPolicy',
        // MinIO has no action that only reads its settings
        'admin:ConfigUpdate',
        'admin:CreatePolicy',
        'admin:CreateUser',
        'admin:DeletePolicy',
        'admin:DeleteUser',
        'admin:EnableGroup',
        'admin:ExportBucketMetadata',
        'admin:ExportIAM',
        'admin:GetBucketTarget',
        'admin:GetPolicy',
        'admin:ImportBucketMetadata',
        'admin:ImportIAM',
        'admin:ListTier',
        'admin:RemoveServiceAccount',
        'admin:SiteReplicationInfo',
        'admin:UpdateServiceAccount',
      ],
    },
    { Effect: 'Deny', Action: ['admin:CreateServiceAccount'] },
  ],
};

/**
 * It reads and writes every object, and deletes none. A batch job acts on all objects, whoever starts it: MinIO asks for
 * `admin:StartBatchJob` alone (cmd/batch-handlers.go).
 */
export const objectsPolicy: PolicyDocument = {
  Version: '2012-10-17',
  Statement: [
    { Effect: 'Allow', Action: ['admin:GetPolicy', 'admin:ListBatchJobs', 'admin:StartBatchJob'] },
    { Effect: 'Deny', Action: DENIED_OF_ONESELF },
    {
      Effect: 'Allow',
      Action: [
        's3:AbortMultipartUpload',
        's3:GetBucketLocation',
        's3:GetBucketObjectLockConfiguration',
        's3:GetBucketVersioning',
        's3:GetEncryptionConfiguration',
        's3:GetObject',
        's3:GetObjectLegalHold',
        's3:GetObjectRetention',
        's3:GetObjectTagging',
        's3:GetObjectVersion',
        's3:ListAllMyBuckets',
        's3:ListBucket',
        's3:ListBucketVersions',
        's3:PutObject',
        's3:PutObjectTagging',
      ],
      Resource: [`${ARN}*`],
    },
  ],
};

/**
 * It reads files of the drives as they are, such as `xl.meta`, which names the master key of an object. MinIO knows
 * `admin:InspectData`, and takes it in no policy (supportedAdminActions): only `admin:*` allows it. So everything else that
 * changes something, or shows a secret, is denied.
 */
export const inspectorPolicy: PolicyDocument = {
  Version: '2012-10-17',
  Statement: [
    { Effect: 'Allow', Action: ['admin:*'] },
    {
      Effect: 'Deny',
      Action: [
        ...DENIED_OF_ONESELF,
        ...['admin:AddUserToGroup', 'admin:AttachUserOrGroupPolicy', 'admin:UpdatePolicyAssociation'],
        ...['admin:CreatePolicy', 'admin:DeletePolicy', 'admin:DeleteUser', 'admin:DisableGroup', 'admin:DisableUser'],
        ...['admin:EnableGroup', 'admin:EnableUser', 'admin:RemoveUserFromGroup'],
        ...['admin:ExportIAM', 'admin:ImportIAM', 'admin:ExportBucketMetadata', 'admin:ImportBucketMetadata'],
        ...['admin:ConfigUpdate', 'admin:ConsoleLog', 'admin:ServerTrace', 'admin:Profiling', 'admin:ServerUpdate'],
        ...['admin:ServiceRestart', 'admin:ServiceStop', 'admin:ServiceFreeze', 'admin:KMSCreateKey', 'admin:Heal'],
        ...['admin:SetBucketQuota', 'admin:SetBucketTarget', 'admin:SetTier', 'admin:Decommission', 'admin:Rebalance'],
        ...['admin:StartBatchJob', 'admin:CancelBatchJob'],
        ...['admin:SiteReplicationAdd', 'admin:SiteReplicationDisable', 'admin:SiteReplicationOperation'],
        ...['admin:SiteReplicationRemove', 'admin:SiteReplicationResync'],
      ],
    },
  ],
};

/** Each user that stays, with its policy, which has its name. */
export const OWN_POLICIES = {
  [OPERATIONS_USER]: operationsPolicy,
  [IAM_USER]: iamPolicy,
  [OBJECTS_USER]: objectsPolicy,
} as const;

export const OWN_USERS = [OPERATIONS_USER, IAM_USER, OBJECTS_USER] as const;

/** Where the user that reads metrics is kept, and its token. Undefined: `monitoring` is not declared. */
export function metricsReaderFiles(
  { monitoring }: Pick<Environment, 'monitoring'>,
  { secret, minioMetricsNote }: StateLayout,
): OperationInput<'provision-buckets'>['metrics'] {
  if (monitoring === undefined) return undefined;
  return {
    userFile: secret.minioMetricsUser,
    tokenFile: secret.minioMetricsToken,
    renewalNote: minioMetricsNote,
  };
}

/** What a deploy tells `provision-identities`. */
export function identityInput(environment: Environment, state: StateLayout): OperationInput<'provision-identities'> {
  const { region, rootAccess } = environment.minio;
  const { minioRoot, minioOperations, minioIam, minioObjects } = state.secret;
  return {
    endpoint: s3Endpoint(environment, state),
    region,
    rootFile: minioRoot,
    files: { [OPERATIONS_USER]: minioOperations, [IAM_USER]: minioIam, [OBJECTS_USER]: minioObjects },
    ...(rootAccess === undefined ? {} : { rootAccess }),
    earlierObjects: state.earlierObjects,
    renewalNote: state.identitiesNote,
  };
}

/** Changes when a policy does. */
export const ownPoliciesHash = (): string => createHash('sha256').update(JSON.stringify(OWN_POLICIES)).digest('hex');
