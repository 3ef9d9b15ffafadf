/** The identity that reads MinIO's metrics. */
import { createHmac } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { metricsToken, provisionMetricsReader } from '../../../operations/minio/metrics-reader';
import { readCredentials, type S3Credentials } from '../../../operations/minio/s3-client';
import { Secret } from '../../../operations/lib/secret';
import { useTemporaryFolder } from '../../helpers/temporary-folder';

const folder = useTemporaryFolder();
const NOW = new Date('2026-01-01T00:00:00.000Z');
const files = () => ({
  userFile: path.join(folder(), 'user.json'),
  tokenFile: path.join(folder(), 'token'),
  renewalNote: path.join(folder(), 'note.json'),
});

/** A MinIO that remembers what it was told. */
function fakeMinio() {
  const policies: Record<string, object> = {};
  const users: { user: S3Credentials; policy: string }[] = [];
  return {
    policies,
    users,
    putPolicy: async (name: string, document: object) => Promise.resolve(void (policies[name] = document)),
    putUser: async (user: S3Credentials, policy: string) => Promise.resolve(void users.push({ user, policy })),
  };
}

test('the token is a JWT of the user that MinIO verifies with its secret key, and it ends', () => {
  const user = { accessKey: 'ebs-metrics', secretKey: new Secret('the secret key') };
  const [header = '', claims = '', signature] = metricsToken(user, NOW).reveal().split('.');
  const decoded = (part: string): unknown => JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
  expect(decoded(header)).toEqual({ alg: 'HS512', typ: 'JWT' });
  expect(decoded(claims)).toEqual({ iss: 'prometheus', sub: 'ebs-metrics', exp: NOW.getTime() / 1000 });
  expect(signature).toBe(createHmac('sha512', 'the secret key').update(`${header}.${claims}`).digest('base64url'));
});

test('the user may read metrics, and is denied what every user may do for itself', async () => {
  const minio = fakeMinio();
  await provisionMetricsReader(minio, files(), NOW);
  const actions = ['CreateUser', 'CreateServiceAccount', 'UpdateServiceAccount', 'RemoveServiceAccount'];
  expect(minio.policies).toEqual({
    'ebs-metrics': {
      Version: '2012-10-17',
      Statement: [
        { Effect: 'Allow', Action: ['admin:Prometheus'] },
        { Effect: 'Deny', Action: [...actions, 'ListServiceAccounts'].map((action) => `admin:${action}`) },
      ],
    },
  });
  expect(minio.users.map(({ user, policy }) => [user.accessKey, policy])).toEqual([['ebs-metrics', 'ebs-metrics']]);
  expect(statSync(files().userFile).mode & 0o777).toBe(0o600);
  expect(statSync(files().tokenFile).mode & 0o777).toBe(0o600);
  expect(JSON.parse(readFileSync(files().renewalNote, 'utf8'))).toEqual({
    generation: 1,
    renewAfter: '2026-09-01T08:00:00.000Z',
    expires: '2027-01-01T00:00:00.000Z',
  });
});

test('a later run keeps the secret key, so that tokens that are in use go on', async () => {
  await provisionMetricsReader(fakeMinio(), files(), NOW);
  const { secretKey } = readCredentials(files().userFile);
  const minio = fakeMinio();
  await provisionMetricsReader(minio, files(), NOW);
  expect(minio.users[0]?.user.secretKey.reveal()).toBe(secretKey.reveal());
});

test('where MinIO does not take the user, no file says that there is one', async () => {
  const minio = { ...fakeMinio(), putUser: async () => Promise.reject(new Error('no')) };
  await expect(provisionMetricsReader(minio, files(), NOW)).rejects.toThrow('no');
  expect(existsSync(files().tokenFile)).toBe(false);
});
