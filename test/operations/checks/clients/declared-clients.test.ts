import { clientPolicy, type DeclaredClient } from '../../../../config/minio/client-policies';
import { clientDifferences } from '../../../../operations/checks/clients/declared-clients';
import { Secret } from '../../../../operations/lib/secret';
import { canonicalPolicy, type Iam, type IamUser } from '../../../../operations/minio/clients/iam';

const CLIENT: DeclaredClient = {
  name: 'c',
  grants: [{ bucket: 'backup', prefix: 'a/', may: 'append', objectLock: false, keys: ['k'] }],
  expireDays: 90,
};
const NOW = new Date('2026-11-30T00:00:00Z');
const EXPIRES = '2027-01-30T00:00:00.000Z';
const KEYS = { c: { current: { accessKey: 'current', secretKey: new Secret('0123456789'), expires: EXPIRES } } };
const KEY = { secretKey: new Secret('0123456789'), enabled: true, hasOwnPolicy: false, expires: EXPIRES };
const USER: IamUser = { enabled: true, policies: ['ebs-client-c'], groups: [], accessKeys: { current: KEY } };
const IAM: Iam = {
  users: { 'ebs-client-c': USER },
  rootKeys: [],
  policies: { 'ebs-client-c': clientPolicy(CLIENT, { denySseC: false }) },
};

const found = (iam: Partial<Iam>, now = NOW) =>
  clientDifferences({ ...IAM, ...iam }, [CLIENT], KEYS, { denySseC: false, now });
const withUser = (change: Partial<IamUser>) => found({ users: { 'ebs-client-c': { ...USER, ...change } } });

test('nothing, where all is as declared, in whatever order MinIO has it', () => {
  expect(found({})).toEqual({ changed: [], foreign: [], late: [] });
  const reversed = clientPolicy(CLIENT, { denySseC: false });
  const policy = {
    ...reversed,
    Statement: [...reversed.Statement].reverse().map((one) => ({ ...one, Action: [...one.Action].reverse() })),
  };
  expect(canonicalPolicy(policy)).toEqual(canonicalPolicy(reversed));
  expect(found({ policies: { 'ebs-client-c': policy } }).changed).toEqual([]);
});

test.each([
  ['no user', found({ users: {} }), 'user ebs-client-c is not there'],
  ['a disabled user', withUser({ enabled: false }), 'user ebs-client-c is disabled'],
  [
    'more policies',
    withUser({ policies: ['ebs-client-c', 'readwrite'] }),
    'user ebs-client-c has the policies ebs-client-c, readwrite, declared ebs-client-c',
  ],
  [
    'no policy of the user',
    withUser({ policies: [] }),
    'user ebs-client-c has the policies none, declared ebs-client-c',
  ],
  ['a group', withUser({ groups: ['admins'] }), 'user ebs-client-c is in the groups admins'],
  ['no policy', found({ policies: {} }), 'policy ebs-client-c is not there'],
  [
    'another policy',
    found({ policies: { 'ebs-client-c': { Version: '2012-10-17', Statement: [] } } }),
    'policy ebs-client-c is not the declared one',
  ],
  ['no key', withUser({ accessKeys: {} }), 'access key current is not there'],
  [
    'a disabled key',
    withUser({ accessKeys: { current: { ...KEY, enabled: false } } }),
    'access key current is disabled',
  ],
  [
    'another secret',
    withUser({ accessKeys: { current: { ...KEY, secretKey: new Secret('other') } } }),
    'access key current has another secret key',
  ],
  [
    'a policy of the key',
    withUser({ accessKeys: { current: { ...KEY, hasOwnPolicy: true } } }),
    'access key current has a policy of its own',
  ],
  [
    'another end',
    withUser({ accessKeys: { current: { ...KEY, expires: '2030-01-01T00:00:00.000Z' } } }),
    `access key current ends 2030-01-01T00:00:00.000Z, expected ${EXPIRES}`,
  ],
  [
    'a second key',
    withUser({ accessKeys: { current: KEY, byhand: KEY } }),
    'access key byhand is none that a deploy made',
  ],
])('%s', (_, { changed }, problem) => {
  expect(changed).toEqual([`client c: ${problem}`]);
});

test('what somebody made by hand', () => {
  expect(found({ users: { ...IAM.users, nas: USER }, rootKeys: ['ofroot'] }).foreign).toEqual([
    'user nas',
    'access key ofroot of the root user',
  ]);
});

test('a key that no deploy renewed', () => {
  expect(found({}, new Date('2027-01-14T00:00:00Z')).late).toEqual([]);
  expect(found({}, new Date('2027-01-20T00:00:00Z')).late).toEqual([
    'the access key of client c ends in 10 days, and no deploy renewed it',
  ]);
});
