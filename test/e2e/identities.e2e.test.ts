/**
 * The identities by which the project acts, against a MinIO of its own on the loopback: what the project does it may do,
 * and nothing else; root is refused, and comes back.
 */
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListBucketsCommand,
  PutBucketPolicyCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { INSPECTOR_USER } from '../../config/deployment-names';
import type { BucketSettings } from '../../config/environment';
import { inspectorPolicy } from '../../config/minio/own-identities';
import { catalogue } from '../../operations/checks/catalogue';
import type { OutsideCheck } from '../../operations/checks/check';
import { withS3Run } from '../../operations/checks/objects/s3-run';
import { bindOutside, runAll } from '../../operations/checks/runner';
import { restoreSettings, settingsNotSaved } from '../../operations/backup/minio-settings';
import { newAccessKey } from '../../operations/minio/clients/access-keys';
import { MinioAdmin } from '../../operations/minio/minio-admin';
import { provisionClients } from '../../operations/minio/clients/provision-clients';
import { provisionBuckets } from '../../operations/minio/objects/provision-buckets';
import { provisionIdentities, setRootAccess } from '../../operations/minio/provision-identities';
import { readCredentials, s3Client, type S3Credentials } from '../../operations/minio/s3-client';
import { cacheLayout } from '../../operations/toolchain/cache';
import { buildProgram } from '../../operations/toolchain/go/go-build';
import { minio } from '../../operations/toolchain/go/programs';
import { Secret } from '../../operations/lib/secret';
import { GiveUp, NotYet, waitFor } from '../../operations/lib/wait';
import { OtherStorage } from '../helpers/e2e/servers/other-storage';

let folder: string;
let storage: OtherStorage;
const opened: { close: () => void }[] = [];

const file = (name: string): string => path.join(folder, `${name}.json`);
const endpoint = () => ({ url: storage.url, caFile: storage.caFile });
const region = 'us-east-1';

beforeAll(async () => {
  folder = mkdtempSync(path.join(process.env.EBS_E2E_FOLDER ?? tmpdir(), 'ebs-identities-'));
  await buildProgram(cacheLayout(), minio);
  storage = await OtherStorage.start(folder, 'plain', {
    // files of drives are read below a folder of this name
    drive: path.join(folder, 'data'),
    variables: {
      MINIO_KMS_SECRET_KEY: `default-key:${randomBytes(32).toString('base64')}`,
      MINIO_KMS_AUTO_ENCRYPTION: 'on',
    },
  });
  const { accessKey, secretKey } = storage.credentials;
  writeFileSync(file('root'), JSON.stringify({ accessKey, secretKey: secretKey.reveal() }), { mode: 0o600 });
  await provision(false);
});
afterAll(async () => {
  for (const one of opened) one.close();
  await storage.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function provision(rootAccess: boolean): Promise<void> {
  await provisionIdentities({
    ...{ endpoint: endpoint(), region, rootAccess },
    ...{ rootFile: file('root'), renewalNote: file('note'), earlierObjects: file('none') },
    files: { 'ebs-operations': file('operations'), 'ebs-iam': file('iam'), 'ebs-objects': file('objects') },
  });
}

function adminAs(name: string): MinioAdmin {
  const admin = new MinioAdmin(endpoint(), region, readCredentials(file(name)));
  opened.push(admin);
  return admin;
}

function s3As(name: string) {
  const s3 = s3Client({ endpoint: endpoint(), region, credentials: readCredentials(file(name)) });
  opened.push({
    close: () => {
      s3.destroy();
    },
  });
  return s3;
}

const refused = /403|AccessDenied|Access Denied/;

async function expectRefused(...requests: readonly (() => Promise<unknown>)[]): Promise<void> {
  for (const request of requests) await expect(request()).rejects.toThrow(refused);
}

test('root is refused on S3 and for administration, and comes back when it is let in', async () => {
  await expect(s3As('root').send(new ListBucketsCommand({}))).rejects.toThrow('account is disabled');
  await expect(adminAs('root').drives()).rejects.toThrow(/HTTP 403/);
  await provision(true);
  expect(await adminAs('root').drives()).toHaveLength(1);
  await provision(false);
  await expect(adminAs('root').drives()).rejects.toThrow(/HTTP 403/);
});

test('buckets and clients are provisioned without root', async () => {
  const ruled: BucketSettings = {
    name: 'ruled',
    encryption: { type: 'sse-s3' },
    versioning: true,
    objectLock: true,
    retention: { mode: 'governance', days: 1 },
    lifecycle: [{ prefix: 'tmp/', expireDays: 30, expireNoncurrentDays: 60 }],
    quotaGiB: 1,
    tags: { team: 'backup' },
  };
  const buckets = [ruled, { ...ruled, name: 'again', objectLock: false, retention: undefined }];
  const credentials = { operationsFile: file('operations'), iamFile: file('iam') };
  const input = { endpoint: endpoint(), region, buckets, denySseC: true, ...credentials };
  const metrics = { userFile: file('metrics'), tokenFile: file('token'), renewalNote: file('metrics-note') };
  for (const _ of ['made', 'kept']) await provisionBuckets({ ...input, metrics });
  const keys = ['default-key'];
  const declared = [{ name: 'one', grants: [{ bucket: 'ruled', may: 'write' as const, objectLock: false, keys }] }];
  const clients = { endpoint: endpoint(), region, iamFile: file('iam'), denySseC: true, renewalNote: file('clients') };
  for (const some of [declared, []]) {
    await provisionClients({ ...clients, clients: some, folder: path.join(folder, 'clients') });
  }
});

test('every check that looks from outside is green as the operations', async () => {
  const checks = catalogue.filter((check): check is OutsideCheck => check.from === 'outside');
  const target = {
    ...{ endpoint: endpoint(), region, credentialsFile: file('operations'), credentialsName: 'the operations' },
    ...{ declaredBuckets: [], needsTrust: true, hints: { noAnswer: '', credentials: '' } },
    expected: { defaultKey: 'default-key', masterKeys: ['default-key'], autoEncryption: true },
  };
  const results = await withS3Run(target, undefined, async ({ firstBucket, watchdog: _, ...run }) =>
    runAll(
      checks.map((check) => bindOutside(check, { ...run, bucket: firstBucket() })),
      {},
    ),
  );
  const other = results.filter(({ status }) => status !== 'passed');
  expect(other.map(({ id, status, message }) => [id, status, message])).toEqual([]);
  const { Buckets = [] } = await s3As('operations').send(new ListBucketsCommand({}));
  expect(Buckets.filter(({ Name = '' }) => Name.startsWith('ebs-check-'))).toEqual([]);
});

test('the drives are the operations’, a batch job is of ebs-objects, files of the drives are an inspector’s', async () => {
  const admin = adminAs('objects');
  const Key = 'ebs-check-object';
  await s3As('operations').send(new PutObjectCommand({ Bucket: 'plain', Key, Body: 'x' }));
  // what auto-encryption encrypts is SSE-KMS
  const job = await admin.startKeyRotation('plain', '', { type: 'sse-kms', key: 'default-key' });
  await waitFor({ what: 'the job', timeoutMs: 60_000 }, async () => {
    const { complete, failed } = await admin.keyRotation(job);
    if (failed) throw new GiveUp(new Error(`job ${job} failed`));
    return complete || new NotYet('under way');
  });
  expect(await adminAs('operations').drives()).toHaveLength(1);
  const iam = adminAs('iam');
  const user = { accessKey: INSPECTOR_USER, secretKey: new Secret(randomBytes(20).toString('hex')) };
  await iam.putPolicy(INSPECTOR_USER, inspectorPolicy);
  await iam.putUser(user, INSPECTOR_USER);
  const inspector = new MinioAdmin(endpoint(), region, user);
  opened.push(inspector);
  const rawFiles = async (as: MinioAdmin): Promise<string[]> => {
    const found: string[] = [];
    for await (const { path: name } of as.rawFiles('plain', '**/xl.meta')) found.push(name);
    return found;
  };
  expect(await rawFiles(inspector)).toContain(`${Key}/xl.meta`);
  for (const other of ['operations', 'iam', 'objects']) {
    await expect(rawFiles(adminAs(other))).rejects.toThrow(refused);
  }
  await expect(inspector.exportIam()).rejects.toThrow(refused);
  await expect(inspector.exportSettings()).rejects.toThrow(refused);
  await expect(inspector.putUser(user, 'consoleAdmin')).rejects.toThrow(refused);
  await iam.deleteUser(INSPECTOR_USER);
  await iam.deletePolicy(INSPECTOR_USER);
});

test('a backup is taken, and comes back, without root', async () => {
  const admin = adminAs('iam');
  expect(await settingsNotSaved(admin, [])).toEqual([]);
  const saved = {
    ...{ iam: await admin.exportIam(), buckets: await admin.exportBuckets() },
    settings: `${await admin.exportSettings()}\n`,
  };
  expect(await restoreSettings(admin, saved, async () => Promise.resolve())).toEqual([]);
  await provision(false);
  await expect(adminAs('root').drives()).rejects.toThrow(/HTTP 403/);
});

describe('what nobody declared', () => {
  const readingPlain = { Bucket: 'plain', Key: 'of-a-client' };

  test('the operations read and write no object of a client, and do nothing about identities', async () => {
    const s3 = s3As('operations');
    const admin = adminAs('operations');
    const own = readCredentials(file('operations'));
    await expectRefused(
      async () => s3.send(new PutObjectCommand({ ...readingPlain, Body: 'x' })),
      async () => s3.send(new GetObjectCommand(readingPlain)),
      async () => admin.exportIam(),
      async () => admin.exportBuckets(),
      async () => admin.putPolicy('widened', {}),
      async () => admin.putUser(newAccessKey(undefined), 'consoleAdmin'),
      async () => admin.putUser(own, 'consoleAdmin'),
      async () => admin.deleteUser('ebs-iam'),
      async () => admin.startKeyRotation('plain', '', { type: 'sse-s3' }),
      async () => s3.send(new DeleteObjectCommand(readingPlain)),
      async () => s3.send(new DeleteBucketCommand({ Bucket: 'again' })),
      async () => s3.send(new PutBucketPolicyCommand({ Bucket: 'plain', Policy: '{}' })),
    );
  });

  test('ebs-objects reads and writes every object, deletes none, and does nothing about buckets and identities', async () => {
    const s3 = s3As('objects');
    const admin = adminAs('objects');
    await s3.send(new PutObjectCommand({ ...readingPlain, Body: 'x' }));
    await s3.send(new GetObjectCommand(readingPlain));
    await expectRefused(
      async () => s3.send(new DeleteObjectCommand(readingPlain)),
      async () => s3.send(new CreateBucketCommand({ Bucket: 'of-objects' })),
      async () => s3.send(new DeleteBucketCommand({ Bucket: 'again' })),
      async () => admin.exportIam(),
      async () => admin.putUser(newAccessKey(undefined), 'consoleAdmin'),
      async () => admin.drives(),
      async () => setRootAccess(admin, true),
    );
  });

  test('ebs-iam reads and writes no object, and sees no drive', async () => {
    const s3 = s3As('iam');
    const admin = adminAs('iam');
    await expectRefused(
      async () => s3.send(new CreateBucketCommand({ Bucket: 'of-iam' })),
      async () => s3.send(new GetObjectCommand(readingPlain)),
      async () => admin.drives(),
      async () => admin.setQuota('plain', 0),
    );
    // what it may
    const made = newAccessKey(undefined);
    await admin.putUser(made, 'ebs-iam');
    await admin.deleteUser(made.accessKey);
  });

  test('a widened policy is set back by the next deploy', async () => {
    const open = {
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Action: ['s3:*'], Resource: ['arn:aws:s3:::*'] }],
    };
    await adminAs('iam').putPolicy('ebs-operations', open);
    await s3As('operations').send(new PutObjectCommand({ ...readingPlain, Body: 'x' }));
    await provision(false);
    await expect(s3As('operations').send(new GetObjectCommand(readingPlain))).rejects.toThrow(refused);
  });
});

test('identities that MinIO has lost are made by root, once it is let in', async () => {
  const lost: S3Credentials = readCredentials(file('iam'));
  const text = readFileSync(file('iam'), 'utf8');
  writeFileSync(file('iam'), text.replace(lost.secretKey.reveal(), 'x'.repeat(40)));
  await expect(provision(false)).rejects.toThrow(/^MinIO refuses the identity in .*, and root as well: /);
  const operations = adminAs('operations');
  await setRootAccess(operations, true);
  await provision(false);
  await adminAs('iam').exportIam();
});
