import { type ClientGrant, clientPolicy, declaredClients, policiesHash } from '../../../config/minio/client-policies';
import { parseEnvironment } from '../../../config/load';

const grant = (more: Partial<ClientGrant> = {}): ClientGrant => ({
  bucket: 'backup',
  may: 'read',
  objectLock: false,
  keys: ['backup-default'],
  ...more,
});

const policyOf = (...grants: ClientGrant[]) => clientPolicy({ grants }, { denySseC: false });

/** What the policy allows, by resource. Conditions aside. */
function allowed(...grants: ClientGrant[]): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  for (const { Effect, Action, Resource = [] } of policyOf(...grants).Statement) {
    if (Effect !== 'Allow') continue;
    for (const resource of Resource) (found[resource.replace('arn:aws:s3:::', '')] ??= []).push(...Action);
  }
  return found;
}

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
const LIST = ['s3:ListBucket', 's3:ListBucketVersions'];
const WRITE = ['s3:AbortMultipartUpload', 's3:ListMultipartUploadParts', 's3:PutObject'];

describe('a client may', () => {
  test('read a bucket', () => {
    expect(allowed(grant())).toEqual({
      backup: ['s3:GetBucketLocation', 's3:HeadBucket', ...LIST],
      'backup/*': READ,
    });
  });

  test('read a prefix', () => {
    expect(allowed(grant({ prefix: 'postgres/' }))).toEqual({
      backup: ['s3:GetBucketLocation', 's3:HeadBucket', ...LIST],
      'backup/postgres/*': READ,
    });
  });

  test('append to a prefix, and delete lock files of restic', () => {
    expect(allowed(grant({ prefix: 'postgres/', may: 'append' }))).toEqual({
      backup: ['s3:GetBucketLocation', 's3:HeadBucket', ...LIST],
      'backup/postgres/*': [...READ, ...WRITE],
      'backup/postgres/locks/*': ['s3:DeleteObject'],
      'backup/postgres/*/locks/*': ['s3:DeleteObject'],
      'backup/postgres/backup/*/latest': ['s3:DeleteObject'],
      'backup/postgres/*/backup/*/latest': ['s3:DeleteObject'],
    });
  });

  test('write to a bucket, and see its unfinished uploads', () => {
    expect(allowed(grant({ may: 'write' }))).toEqual({
      backup: ['s3:GetBucketLocation', 's3:HeadBucket', 's3:ListBucketMultipartUploads', ...LIST],
      'backup/*': [...READ, ...WRITE, 's3:DeleteObject', 's3:DeleteObjectTagging', 's3:PutObjectTagging'],
    });
  });

  test('set retention and legal hold where that is asked for', () => {
    expect(allowed(grant({ prefix: 'veeam/', may: 'append', objectLock: true }))).toMatchObject({
      backup: [
        's3:GetBucketLocation',
        's3:HeadBucket',
        's3:GetBucketObjectLockConfiguration',
        's3:GetBucketVersioning',
        ...LIST,
      ],
      'backup/veeam/*': [...READ, ...WRITE, 's3:PutObjectLegalHold', 's3:PutObjectRetention'],
    });
  });
});

test('what is listed of a bucket is confined to the prefix', () => {
  const [, list] = policyOf(grant({ prefix: 'postgres/' })).Statement;
  expect(list).toMatchObject({ Action: LIST, Condition: { StringLike: { 's3:prefix': ['postgres/*'] } } });
  const [, all] = policyOf(grant()).Statement;
  expect(all).not.toHaveProperty('Condition');
});

test.each(['read', 'append', 'write'] as const)('with %s, what MinIO only asks denials about is denied', (may) => {
  const denied = policyOf(grant({ may, objectLock: true })).Statement.filter(({ Effect }) => Effect === 'Deny');
  expect(denied).toEqual(
    expect.arrayContaining([
      {
        Effect: 'Deny',
        Action: ['s3:BypassGovernanceRetention', 's3:DeleteObjectVersion'],
        Resource: ['arn:aws:s3:::*'],
      },
      {
        Effect: 'Deny',
        Action: ['admin:CreateServiceAccount', 'admin:CreateUser', 'admin:GetUser', 'admin:ListServiceAccounts'],
      },
    ]),
  );
});

test('no action is a pattern, none is of replication, and none changes a bucket', () => {
  const everything = (['read', 'append', 'write'] as const).map((may) => grant({ may, objectLock: true }));
  const actions = policyOf(...everything).Statement.flatMap(({ Effect, Action }) => (Effect === 'Allow' ? Action : []));
  expect(
    actions.filter((action) =>
      /\*|Replicat|^s3:(?:Put|Delete|Create)(?!Object)|^s3:(?:Restore|Bypass|Force)|^admin:/.test(action),
    ),
  ).toEqual([]);
  expect(actions).not.toContain('s3:DeleteObjectVersion');
});

test('other master keys than those of the bucket are denied', () => {
  const header = 's3:x-amz-server-side-encryption-aws-kms-key-id';
  expect(policyOf(grant({ may: 'append', keys: ['archive-key'] })).Statement).toContainEqual({
    Effect: 'Deny',
    Action: ['s3:PutObject'],
    Resource: ['arn:aws:s3:::backup/*'],
    Condition: {
      Null: { [header]: [false] },
      StringNotEquals: { [header]: ['archive-key', 'arn:aws:kms:archive-key'] },
    },
  });
});

test('SSE-C is denied where the environment denies it', () => {
  const actions = clientPolicy({ grants: [grant()] }, { denySseC: true }).Statement.at(-1);
  expect(actions).toMatchObject({
    Effect: 'Deny',
    Condition: { Null: { 's3:x-amz-server-side-encryption-customer-algorithm': [false] } },
  });
});

test('everything is denied outside of the declared addresses', () => {
  const client = { grants: [grant()], sourceAddresses: ['192.0.2.0/24', '203.0.113.7/32'] };
  expect(clientPolicy(client, { denySseC: false }).Statement.at(-1)).toEqual({
    Effect: 'Deny',
    Action: ['s3:*'],
    Resource: ['arn:aws:s3:::*'],
    Condition: { NotIpAddress: { 'aws:SourceIp': ['192.0.2.0/24', '203.0.113.7/32'] } },
  });
});

test('a client may name the key of its bucket, and those that the environment names for clients', () => {
  const environment = parseEnvironment(
    JSON.stringify({
      name: 'test',
      minio: { keys: ['extra'] },
      buckets: [{ name: 'backup' }, { name: 'archive', encryption: { type: 'sse-kms', key: 'archive-key' } }],
      clients: [
        {
          name: 'one',
          access: [
            { bucket: 'backup', may: 'read' },
            { bucket: 'archive', prefix: 'a/', may: 'write' },
          ],
        },
        { name: 'two', access: [{ bucket: 'backup', may: 'read' }], expireDays: 30 },
      ],
    }),
    'test.yaml',
  );
  expect(declaredClients(environment)).toEqual([
    {
      name: 'one',
      grants: [
        { bucket: 'backup', may: 'read', objectLock: false, keys: ['backup-default', 'extra'] },
        { bucket: 'archive', prefix: 'a/', may: 'write', objectLock: false, keys: ['archive-key', 'extra'] },
      ],
    },
    {
      name: 'two',
      grants: [{ bucket: 'backup', may: 'read', objectLock: false, keys: ['backup-default', 'extra'] }],
      expireDays: 30,
    },
  ]);
});

test('the hash changes with the policies', () => {
  const clients = [{ name: 'one', grants: [grant()] }];
  const hash = policiesHash(clients, { denySseC: false });
  expect(hash).toMatch(/^[0-9a-f]{64}$/);
  expect(policiesHash(clients, { denySseC: false })).toBe(hash);
  expect(policiesHash(clients, { denySseC: true })).not.toBe(hash);
  expect(policiesHash([{ name: 'one', grants: [grant({ may: 'write' })] }], { denySseC: false })).not.toBe(hash);
});
