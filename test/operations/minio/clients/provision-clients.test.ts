import { existsSync, readdirSync, readFileSync, writeFileSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { clientPolicy, type DeclaredClient } from '../../../../config/minio/client-policies';
import type { OperationInput } from '../../../../config/operation-inputs';
import { readAccessKeys, writeAccessKeys } from '../../../../operations/minio/clients/access-keys';
import { provisionWith } from '../../../../operations/minio/clients/provision-clients';
import { Secret } from '../../../../operations/lib/secret';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';
import { rejectionOf } from '../../../helpers/thrown';
import { FakeIam } from './fake-iam';

const folder = useTemporaryFolder();
const NOW = new Date('2026-11-30T09:00:00.500Z');
const days = (count: number, from = NOW): Date => new Date(from.getTime() + count * 24 * 3600_000);

const client = (name: string, more: Partial<DeclaredClient> = {}): DeclaredClient => ({
  name,
  grants: [{ bucket: 'backup', prefix: `${name}/`, may: 'append', objectLock: false, keys: ['backup-default'] }],
  ...more,
});

const secrets = (): string => path.join(folder(), 'clients');
const fileOf = (name: string): string => path.join(secrets(), `${name}.json`);
const noteOf = (): { generation: number; renewAfter: string } =>
  JSON.parse(readFileSync(path.join(folder(), 'clients.json'), 'utf8')) as { generation: number; renewAfter: string };

const provision = async (iam: FakeIam, clients: DeclaredClient[], now = NOW): Promise<void> => {
  const input: OperationInput<'provision-clients'> = {
    endpoint: { url: 'https://127.0.0.1:9000' },
    region: 'us-east-1',
    iamFile: 'iam.json',
    clients,
    denySseC: false,
    folder: secrets(),
    renewalNote: path.join(folder(), 'clients.json'),
  };
  await provisionWith(iam, input, now);
};

beforeEach(() => {
  jest.spyOn(process.stderr, 'write').mockReturnValue(true);
});
afterEach(() => {
  jest.restoreAllMocks();
});

test('a client gets a user with its policy, and an access key of that user; nobody keeps the secret of the user', async () => {
  const iam = new FakeIam();
  await provision(iam, [client('postgres')]);
  const { current, previous } = readAccessKeys(fileOf('postgres')) ?? {};
  expect(previous).toBeUndefined();
  expect(current?.accessKey).toMatch(/^[0-9a-f]{20}$/);
  expect(current?.secretKey.reveal()).toMatch(/^[0-9a-f]{40}$/);
  expect(iam.users).toMatchObject({ 'ebs-client-postgres': { policies: ['ebs-client-postgres'], enabled: true } });
  expect(iam.policies['ebs-client-postgres']).toEqual(clientPolicy(client('postgres'), { denySseC: false }));
  expect(iam.keyOf(current?.accessKey)).toMatchObject({ parent: 'ebs-client-postgres', status: 'on' });
  expect(iam.keyOf(current?.accessKey)?.secretKey).toBe(current?.secretKey.reveal());
  expect(iam.secretsOfUsers['ebs-client-postgres']).toMatch(/^[0-9a-f]{40}$/);
  for (const name of readdirSync(folder(), { recursive: true, withFileTypes: true })) {
    if (!name.isFile()) continue;
    expect(readFileSync(path.join(name.parentPath, name.name), 'utf8')).not.toContain(
      iam.secretsOfUsers['ebs-client-postgres'],
    );
  }
});

test('a second run changes nothing', async () => {
  const iam = new FakeIam();
  await provision(iam, [client('postgres'), client('laptops', { expireDays: 90 })]);
  const before = readFileSync(fileOf('laptops'), 'utf8');
  iam.changes.length = 0;
  await provision(iam, [client('postgres'), client('laptops', { expireDays: 90 })]);
  expect(iam.changes).toEqual([]);
  expect(readFileSync(fileOf('laptops'), 'utf8')).toBe(before);
  expect(noteOf().generation).toBe(1);
});

test('a client that is no longer declared loses user, policy, keys and file; the folder stays', async () => {
  const iam = new FakeIam();
  await provision(iam, [client('postgres'), client('laptops')]);
  await provision(iam, [client('postgres')]);
  expect(Object.keys(iam.users)).toEqual(['ebs-client-postgres']);
  expect(Object.keys(iam.policies)).toEqual(['ebs-client-postgres']);
  expect(Object.keys(iam.keys)).toHaveLength(1);
  expect(existsSync(fileOf('laptops'))).toBe(false);
  await provision(iam, []);
  expect(iam.users).toEqual({});
  expect(readdirSync(secrets())).toEqual([]);
});

test('users of somebody else stay as they are', async () => {
  const iam = new FakeIam();
  await iam.putUser('by-hand', new Secret('0123456789'));
  await provision(iam, []);
  expect(Object.keys(iam.users)).toEqual(['by-hand']);
});

describe('what somebody changed by hand is set back:', () => {
  const deployed = async (): Promise<FakeIam> => {
    const iam = new FakeIam();
    await provision(iam, [client('postgres')]);
    return iam;
  };
  const asDeclared = (iam: FakeIam): unknown => [iam.users, iam.policies, Object.values(iam.keys)];

  test.each<[string, (iam: FakeIam) => unknown]>([
    ['a wider policy', async (iam) => iam.putPolicy('ebs-client-postgres', { Version: '2012-10-17', Statement: [] })],
    ['another policy', async (iam) => iam.setUserPolicy('ebs-client-postgres', 'readwrite')],
    ['a disabled user', (iam) => (iam.user('ebs-client-postgres').enabled = false)],
    ['a group', (iam) => iam.user('ebs-client-postgres').groups.push('admins')],
    ['another secret', (iam) => (iam.onlyKey().secretKey = 'changed-by-hand')],
    ['a disabled key', (iam) => (iam.onlyKey().status = 'off')],
    ['an end', (iam) => (iam.onlyKey().expiration = days(3).toISOString())],
    ['a policy of the key', (iam) => (iam.onlyKey().sessionPolicy = { Version: '2012-10-17' })],
    [
      'a second key',
      async (iam) =>
        iam.addAccessKey('ebs-client-postgres', { accessKey: 'byhand', secretKey: new Secret('0123456789') }),
    ],
    ['a deleted key', (iam) => (iam.keys = {})],
    ['a deleted user', async (iam) => iam.deleteUser('ebs-client-postgres')],
  ])('%s', async (_, change) => {
    const iam = await deployed();
    const before = structuredClone(asDeclared(iam));
    await change(iam);
    expect(asDeclared(iam)).not.toEqual(before);
    await provision(iam, [client('postgres')]);
    expect(asDeclared(iam)).toEqual(before);
  });
});

describe('an access key that ends', () => {
  const LAPTOPS = client('laptops', { expireDays: 90 });

  test('is renewed in the last third of its life, and works beside the new one until its end', async () => {
    const iam = new FakeIam();
    await provision(iam, [LAPTOPS]);
    const first = readAccessKeys(fileOf('laptops'))?.current;
    expect(first?.expires).toBe('2027-02-28T09:00:00.000Z');
    expect(noteOf()).toEqual({ generation: 1, renewAfter: '2027-01-29T09:00:00.000Z' });

    await provision(iam, [LAPTOPS], days(59));
    expect(readAccessKeys(fileOf('laptops'))?.current.accessKey).toBe(first?.accessKey);

    await provision(iam, [LAPTOPS], days(61));
    const { current, previous } = readAccessKeys(fileOf('laptops')) ?? {};
    expect(current?.accessKey).not.toBe(first?.accessKey);
    expect(previous?.accessKey).toBe(first?.accessKey);
    expect(Object.keys(iam.keys).sort()).toEqual([current?.accessKey, previous?.accessKey].sort());
    expect(noteOf().generation).toBe(2);

    // MinIO forgets it by itself
    Reflect.deleteProperty(iam.keys, String(previous?.accessKey));
    await provision(iam, [LAPTOPS], days(91));
    expect(readAccessKeys(fileOf('laptops'))?.previous).toBeUndefined();
    expect(Object.keys(iam.keys)).toEqual([current?.accessKey]);
  });

  test('and ended unnoticed is replaced', async () => {
    const iam = new FakeIam();
    await provision(iam, [LAPTOPS]);
    const first = readAccessKeys(fileOf('laptops'))?.current;
    iam.keys = {};
    await provision(iam, [LAPTOPS], days(100));
    const { current, previous } = readAccessKeys(fileOf('laptops')) ?? {};
    expect(current?.accessKey).not.toBe(first?.accessKey);
    expect(previous).toBeUndefined();
    expect(Object.keys(iam.keys)).toEqual([current?.accessKey]);
  });

  test.each([
    ['declared later', {}, { expireDays: 30 }, days(30)],
    ['shortened', { expireDays: 90 }, { expireDays: 30 }, days(30)],
    ['no longer declared', { expireDays: 30 }, {}, undefined],
  ])('%s: the same key gets the end', async (_, before, after, expires) => {
    const iam = new FakeIam();
    await provision(iam, [client('laptops', before)]);
    const first = readAccessKeys(fileOf('laptops'))?.current;
    await provision(iam, [client('laptops', after)]);
    const wanted =
      expires === undefined ? undefined : new Date(Math.floor(expires.getTime() / 1000) * 1000).toISOString();
    expect(readAccessKeys(fileOf('laptops'))?.current).toMatchObject({ accessKey: first?.accessKey });
    expect(readAccessKeys(fileOf('laptops'))?.current.expires).toBe(wanted);
    expect(iam.onlyKey().expiration).toBe(wanted ?? '0001-01-01T00:00:00Z');
  });
});

test('a file that was removed makes the operation run, and another key', async () => {
  const iam = new FakeIam();
  await provision(iam, [client('postgres')]);
  const first = readAccessKeys(fileOf('postgres'))?.current.accessKey;
  writeFileSync(fileOf('other'), '');
  const { rmSync } = await import('node:fs');
  rmSync(fileOf('other'));
  rmSync(fileOf('postgres'));
  await provision(iam, [client('postgres')]);
  expect(readAccessKeys(fileOf('postgres'))?.current.accessKey).not.toBe(first);
  expect(Object.keys(iam.keys)).toHaveLength(1);
  // as the plan computed it
  expect(noteOf().generation).toBe(2);
});

test('files that are not whole are all named, and nothing is touched', async () => {
  mkdirSync(secrets(), { recursive: true });
  writeFileSync(fileOf('a'), '{');
  writeFileSync(fileOf('b'), JSON.stringify({ current: { accessKey: 'abc', secretKey: 'short' } }));
  writeFileSync(fileOf('c'), JSON.stringify({ current: { accessKey: 'with space', secretKey: '0123456789' } }));
  writeAccessKeys(fileOf('d'), { current: { accessKey: 'abc', secretKey: new Secret('0123456789') } });
  const iam = new FakeIam();
  const error = await rejectionOf(provision(iam, [client('a')]));
  expect(error.message).toBe(
    [
      `${fileOf('a')}: is no JSON`,
      `${fileOf('b')}: current.secretKey must have 8 to 40 characters`,
      `${fileOf('c')}: current.accessKey must be 3 to 20 characters of 0-9, A-Z and a-z`,
    ].join('\n  '),
  );
  expect(error).toHaveProperty(
    'hint',
    'put the file back from a backup, or remove it: the next deploy then makes another key',
  );
  expect(iam.changes).toEqual([]);
});
