import { HttpClient } from '../../../../operations/lib/net/http';
import type { CheckContext } from '../../../../operations/checks/check';
import { anonymousReadRefused } from '../../../../operations/checks/refusals/anonymous';
import type { CheckResult } from '../../../../operations/checks/runner';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';
import { contextWith, type FakeDeployment, fakeDeployment, resultOf } from '../fakes';

const folder = useTemporaryFolder();
let minio: FakeDeployment;

beforeEach(async () => {
  jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  // nobody gets anything without credentials
  minio = await fakeDeployment(folder(), (_, response) =>
    response.writeHead(403).end('<Error><Code>AccessDenied</Code></Error>'),
  );
});
afterEach(async () => {
  jest.restoreAllMocks();
  await minio.close();
});

/** What the check says of a bucket whose policy has these statements. */
async function look(statements: readonly object[]): Promise<CheckResult> {
  const answers: Record<string, unknown> = {
    PutObjectCommand: { ETag: '"1"', ServerSideEncryption: 'AES256' },
    ListBucketsCommand: { Buckets: [{ Name: 'backup' }] },
    GetBucketPolicyCommand: { Policy: JSON.stringify({ Version: '2012-10-17', Statement: statements }) },
  };
  const client = new HttpClient({
    url: `https://127.0.0.1:${minio.port}`,
    caFile: minio.loaded.state.caCertificate,
  });
  const context: CheckContext = { ...contextWith(minio.loaded, (command) => answers[command] ?? {}), minio: client };
  try {
    return await resultOf([anonymousReadRefused], 'anonymous-read-refused', context);
  } finally {
    client.close();
  }
}

const allow = (more: object): object => ({
  Effect: 'Allow',
  Principal: { AWS: ['*'] },
  Action: ['s3:GetObject'],
  ...more,
});

test.each<[string, object]>([
  ['denies everybody something', { ...allow({}), Effect: 'Deny' }],
  ['allows a user something', allow({ Principal: { AWS: ['arn:aws:iam::1:user/a'] } })],
  ['asks for the name of a user', allow({ Condition: { StringEquals: { 'aws:username': 'restic' } } })],
  [
    'asks for an organisation',
    allow({ Condition: { 'ForAnyValue:StringLike': { 'aws:PrincipalOrgPaths': ['o-1/*'] } } }),
  ],
  [
    'asks for an identity from an address',
    allow({ Condition: { IpAddress: { 'aws:SourceIp': '10.0.0.0/8' }, StringLike: { 'jwt:sub': ['backup-*'] } } }),
  ],
])('a policy that %s passes', async (_, statement) => {
  const { status, message } = await look([statement]);
  expect([status, message]).toEqual(['passed', undefined]);
});

test.each<[string, object, condition: string]>([
  ['says nothing more', {}, ''],
  ['names who is not meant', { Principal: undefined, NotPrincipal: { AWS: ['arn:aws:iam::1:user/a'] } }, ''],
  ['has an empty condition', { Condition: {} }, '{}'],
  ...(
    [
      ['asks for an address', { IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } }],
      ['asks for TLS', { Bool: { 'aws:SecureTransport': 'true' } }],
      ['asks for a prefix', { StringLike: { 's3:prefix': ['public/*'] } }],
      ['asks for any name', { StringLike: { 'aws:username': '*' } }],
      ['asks for a name where there is one', { StringEqualsIfExists: { 'aws:username': 'restic' } }],
      ['asks for all names, of which there may be none', { 'ForAllValues:StringEquals': { 'aws:username': 'restic' } }],
      ['asks for another name', { StringNotEquals: { 'aws:username': 'restic' } }],
    ] as const
  ).map(([what, Condition]): [string, object, string] => [what, { Condition }, JSON.stringify(Condition)]),
])('a policy for everybody that %s fails', async (_, more, condition) => {
  const { status, message } = await look([allow(more)]);
  const under = condition === '' ? '' : `, under the condition ${condition}`;
  expect([status, message]).toEqual([
    'failed',
    `a policy allows everybody to do something, in 1 of its statements${under} (bucket backup)`,
  ]);
});
