/** Objects that a MinIO without KMS wrote, on its drive under a MinIO that has one: found, and encrypted. */
import {
  CreateBucketCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  ListBucketsCommand,
  ListMultipartUploadsCommand,
  PutBucketEncryptionCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutObjectLockConfigurationCommand,
  type PutObjectCommandInput,
  type S3Client,
} from '@aws-sdk/client-s3';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { disabledIn } from '../../operations/backup/minio-settings';
import { objectsEncrypted } from '../../operations/checks/at-rest/objects-encrypted';
import type { CheckResult } from '../../operations/checks/runner';
import { Secret } from '../../operations/lib/secret';
import { changeIam, noChanges } from '../../operations/minio/clients/iam';
import { encryptConfiguration } from '../../operations/minio/objects/encrypt-configuration';
import {
  defaultRetention,
  type Encrypted,
  encryptBucket,
  WHOLE_BYTES,
} from '../../operations/minio/objects/encrypt-objects';
import { type ListedVersion, listedVersions } from '../../operations/minio/objects/listed-versions';
import { MinioAdmin } from '../../operations/minio/minio-admin';
import { bytesOf, s3Client } from '../../operations/minio/s3-client';
import { cacheLayout } from '../../operations/toolchain/cache';
import { buildProgram } from '../../operations/toolchain/go/go-build';
import { minio } from '../../operations/toolchain/go/programs';
import { OtherStorage } from '../helpers/e2e/servers/other-storage';
import { contextWith, loaded, resultOf } from '../operations/checks/fakes';

const FILE = 'docs/a b+c/ä&<1>.txt';
const MARKER = randomBytes(24).toString('hex');
const large = randomBytes(WHOLE_BYTES + 1_000_000);
const DESCRIBED = {
  Metadata: { owner: 'someone', 'second-name': 'x y' },
  ContentType: 'text/csv',
  CacheControl: 'max-age=60',
  ContentDisposition: 'attachment; filename="a.csv"',
  ContentLanguage: 'de',
  Tagging: 'class=old&who=a%20b',
} as const;
const ALICE = { accessKey: 'alice', secretKey: new Secret(randomBytes(16).toString('hex')) };
const TOMORROW = new Date(Date.now() + 86_400_000);

let folder: string;
let storage: OtherStorage;
let s3: S3Client;
/** The first version of the versioned object, and the one that was the current one when MinIO got its KMS. */
let versions: string[];

beforeAll(async () => {
  folder = mkdtempSync(path.join(process.env.EBS_E2E_FOLDER ?? tmpdir(), 'ebs-encrypt-'));
  await buildProgram(cacheLayout(), minio);
  const drive = path.join(folder, 'drive');
  versions = await fillPlainly(drive);
  const own = path.join(folder, 'with-kms');
  mkdirSync(own);
  storage = await OtherStorage.start(own, 'new', {
    drive,
    variables: {
      MINIO_KMS_SECRET_KEY: `default-key:${randomBytes(32).toString('base64')}`,
      MINIO_KMS_AUTO_ENCRYPTION: 'on',
    },
  });
  ({ s3 } = storage);
  const Rules = [{ ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } } as const];
  for (const Bucket of ['files', 'versions', 'locked']) {
    await s3.send(new PutBucketEncryptionCommand({ Bucket, ServerSideEncryptionConfiguration: { Rules } }));
  }
});
afterAll(async () => {
  await storage.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function fillPlainly(drive: string): Promise<string[]> {
  const own = path.join(folder, 'without-kms');
  mkdirSync(own);
  const plain = await OtherStorage.start(own, 'files', { drive });
  try {
    for (const Bucket of ['versions', 'suspended', 'race', 'race-in-parts', 'many'])
      await plain.s3.send(new CreateBucketCommand({ Bucket }));
    await plain.s3.send(new CreateBucketCommand({ Bucket: 'locked', ObjectLockEnabledForBucket: true }));
    const VersioningConfiguration = { Status: 'Enabled' } as const;
    await plain.s3.send(new PutBucketVersioningCommand({ Bucket: 'versions', VersioningConfiguration }));
    const put = async (Bucket: string, Key: string, Body: string | Buffer, more: Partial<PutObjectCommandInput> = {}) =>
      (await plain.s3.send(new PutObjectCommand({ Bucket, Key, Body, ...more }))).VersionId ?? 'null';
    const admin = new MinioAdmin(plain, 'us-east-1', plain.credentials);
    await admin.putUser(ALICE, 'readwrite');
    const secretKey = new Secret(randomBytes(16).toString('hex'));
    await changeIam(admin, {
      ...noChanges(),
      accessKeys: { 'disabled-key': { user: ALICE.accessKey, secretKey } },
    });
    await admin.disableAccessKey('disabled-key');
    admin.close();
    await put('files', FILE, MARKER, DESCRIBED);
    await put('files', 'large', large, DESCRIBED);
    await put('files', 'empty', Buffer.alloc(0));
    await put('files', 'folder/', Buffer.alloc(0));
    await put('race', 'object', 'before');
    await put('race-in-parts', 'large', large);
    await Promise.all(Array.from({ length: 120 }, async (_, index) => put('many', `${index % 7}/${index}`, 'many')));
    const both = [await put('versions', 'object', 'first'), await put('versions', 'object', 'second')];
    await put('suspended', 'object', 'oldest');
    for (const Status of ['Enabled', 'Suspended'] as const) {
      const setting = { Bucket: 'suspended', VersioningConfiguration: { Status } };
      await plain.s3.send(new PutBucketVersioningCommand(setting));
      if (Status === 'Suspended') continue;
      for (const Key of ['object', 'of one version']) await put('suspended', Key, 'newer');
    }
    await put('locked', 'held', 'held', { ObjectLockLegalHoldStatus: 'ON' });
    await put('locked', 'kept', 'kept', { ObjectLockMode: 'GOVERNANCE', ObjectLockRetainUntilDate: TOMORROW });
    await put('locked', 'free', 'free');
    return both;
  } finally {
    await plain.stop();
  }
}

const encrypt = async (bucket: string, client = s3, dryRun = false): Promise<Encrypted> =>
  encryptBucket(client, bucket, { dryRun, signal: new AbortController().signal, report: () => undefined });

async function list(bucket: string): Promise<ListedVersion[]> {
  const all: ListedVersion[] = [];
  for await (const page of listedVersions(s3, bucket, { pageSize: 3 })) all.push(...page.versions);
  return all;
}

const NONE = { count: 0, names: [] };

test('versions are listed with whether they are encrypted, whatever their names', async () => {
  const key = { SSECustomerAlgorithm: 'AES256', SSECustomerKey: randomBytes(32).toString('base64') };
  for (const [Key, more] of [
    ['sse-c', key],
    ['sse-kms', { ServerSideEncryption: 'aws:kms' }],
    ['sse-s3', { ServerSideEncryption: 'AES256' }],
  ] as const) {
    await s3.send(
      new PutObjectCommand({ Bucket: 'new', Key, Body: 'x', Metadata: { 'a&b': '</UserMetadata>' }, ...more }),
    );
  }
  expect((await list('new')).map((one) => [one.key, one.encrypted])).toEqual([
    ['sse-c', true],
    ['sse-kms', true],
    ['sse-s3', true],
  ]);
  expect((await list('files')).map((one) => [one.key, one.encrypted, one.size])).toEqual([
    [FILE, false, MARKER.length],
    ['empty', false, 0],
    ['folder/', false, 0],
    ['large', false, large.length],
  ]);
  expect((await list('locked')).map((one) => [one.key, one.locked])).toEqual([
    ['free', false],
    ['held', true],
    ['kept', true],
  ]);
});

describe('the check', () => {
  const look = async (yaml: string): Promise<CheckResult> => {
    const here = loaded(folder, yaml);
    const { accessKey, secretKey } = storage.credentials;
    const { minioObjects } = here.state.secret;
    mkdirSync(path.dirname(minioObjects), { recursive: true });
    writeFileSync(minioObjects, JSON.stringify({ accessKey, secretKey: secretKey.reveal() }), { mode: 0o600 });
    return resultOf([objectsEncrypted], 'objects-encrypted', {
      ...contextWith(here, () => undefined),
      s3Endpoint: storage,
      region: 'us-east-1',
    });
  };

  test('counts what is plain in every bucket, and says of which it saw a part', async () => {
    const { status, message, fix, evidence } = await look('name: test');
    expect({ status, message, evidence }).toMatchObject({
      status: 'failed',
      message: expect.stringContaining(
        `bucket files has versions that are not encrypted: 4 current; such as ${FILE}`,
      ) as unknown,
      evidence: { buckets: 8, sampledOnly: ['many'], sampledBuckets: 1 },
    });
    expect(fix).toMatch(/^`\.\/scripts\/encrypt test`/);
  });

  test('leaves buckets of clients alone where auto-encryption is off', async () => {
    const { status, message } = await look(
      'name: test\nminio: { autoEncryption: false }\nbuckets: [{ name: versions }, { name: new }]',
    );
    expect({ status, message }).toEqual({
      status: 'failed',
      message: 'bucket versions has versions that are not encrypted: 1 current, 1 older; such as object',
    });
  });
});

test('users and settings are encrypted, and a key that is disabled stays so', async () => {
  // GIVEN what the MinIO without KMS wrote
  const admin = new MinioAdmin(storage, 'us-east-1', storage.credentials);
  const sources = {
    admin,
    drives: [{ path: '/data', read: async (name: string) => Promise.resolve(packed(name)) }],
    exportFile: path.join(folder, 'iam-export.zip'),
  };
  try {
    const { left } = await encryptConfiguration(sources, true);
    expect(left).toEqual(
      expect.arrayContaining(
        ['config.json', 'iam/users/alice/identity.json'].map((file) => `.minio.sys/config/${file}/xl.meta`),
      ),
    );

    // WHEN
    expect(await encryptConfiguration(sources, false)).toEqual({ encrypted: left.length, left: [] });

    // THEN everybody is there and as before
    expect(await encryptConfiguration(sources, false)).toEqual({ encrypted: 0, left: [] });
    expect(disabledIn(await admin.exportIam())).toEqual({ groups: [], accessKeys: ['disabled-key'] });
    const alice = s3Client({ endpoint: storage, region: 'us-east-1', credentials: ALICE });
    expect((await alice.send(new ListBucketsCommand({}))).Buckets?.length).toBe(8);
    alice.destroy();
  } finally {
    admin.close();
  }
});

/** A folder of the drive, as Docker gives it. */
function packed(name: string): NodeJS.ReadableStream {
  const { stdout } = spawn('tar', ['-C', path.join(folder, 'drive', path.dirname(name)), '-c', path.basename(name)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return stdout;
}

describe('encrypting', () => {
  test('a dry run counts, and writes nothing', async () => {
    const { looked, encrypted, left } = await encrypt('files', s3, true);
    expect({ looked, encrypted, current: left.current.names }).toEqual({
      looked: 4,
      encrypted: 0,
      current: [FILE, 'empty', 'folder/', 'large'],
    });
    expect((await list('files')).filter((one) => one.encrypted)).toEqual([]);
  });

  test('keeps content and all that was said of an object, and leaves nothing plain', async () => {
    const all = { current: NONE, older: NONE, locked: NONE };
    expect(await encrypt('files')).toMatchObject({ bucket: 'files', looked: 4, encrypted: 4, left: all });
    expect((await list('files')).map((one) => one.encrypted)).toEqual([true, true, true, true]);
    const { Tagging, ...described } = DESCRIBED;
    for (const [Key, body] of [
      [FILE, Buffer.from(MARKER)],
      ['large', large],
    ] as const) {
      const answer = await s3.send(new GetObjectCommand({ Bucket: 'files', Key }));
      expect(answer).toMatchObject({ ...described, ServerSideEncryption: 'AES256' });
      expect((await bytesOf(answer)).equals(body)).toBe(true);
      const { TagSet = [] } = await s3.send(new GetObjectTaggingCommand({ Bucket: 'files', Key }));
      expect(new URLSearchParams(TagSet.map((tag) => [tag.Key ?? '', tag.Value ?? ''] as [string, string]))).toEqual(
        new URLSearchParams(Tagging),
      );
    }
    // once more finds nothing to do
    expect(await encrypt('files')).toMatchObject({ looked: 4, encrypted: 0, left: { current: NONE } });
  });

  test('what was plain stays as an older version where there are versions', async () => {
    const [first = '', second = ''] = versions;
    expect(await encrypt('versions')).toMatchObject({
      bucket: 'versions',
      looked: 2,
      encrypted: 1,
      left: {
        current: NONE,
        older: { count: 2, names: expect.arrayContaining(versions.map((id) => `object (version ${id})`)) as unknown },
        locked: NONE,
      },
    });
    expect((await list('versions')).map((one) => [one.versionId, one.encrypted])).toEqual([
      [expect.not.stringMatching(second), true],
      [second, false],
      [first, false],
    ]);
  });

  test('what is written while versioning is suspended takes the place of no older version', async () => {
    const { encrypted, left } = await encrypt('suspended');
    expect({
      encrypted,
      current: left.current.names.map((name) => name.replace(/version [\da-f-]+/, 'version ID')),
    }).toEqual({
      encrypted: 1,
      current: ['object (version ID): versioning is suspended: its older version null would be overwritten'],
    });
    const oldest = await s3.send(new GetObjectCommand({ Bucket: 'suspended', Key: 'object', VersionId: 'null' }));
    expect((await bytesOf(oldest)).toString()).toBe('oldest');
    expect((await list('suspended')).map((one) => [one.key, one.versionId === 'null', one.encrypted])).toEqual([
      ['object', false, false],
      ['object', true, false],
      ['of one version', true, true],
      ['of one version', false, false],
    ]);
  });

  test('for how long what is written again is locked is known of each bucket', async () => {
    const Rule = { DefaultRetention: { Mode: 'GOVERNANCE', Days: 3 } } as const;
    expect(await defaultRetention(s3, 'locked')).toBeUndefined();
    await s3.send(
      new PutObjectLockConfigurationCommand({
        Bucket: 'locked',
        ObjectLockConfiguration: { ObjectLockEnabled: 'Enabled', Rule },
      }),
    );
    expect(await defaultRetention(s3, 'locked')).toBe('3 days');
    expect(await defaultRetention(s3, 'files')).toBeUndefined();
  });

  test('what is locked is left, and named', async () => {
    const { encrypted, left } = await encrypt('locked');
    expect(encrypted).toBe(1);
    expect(left.locked.names.map((name) => name.replace(/ .*/, '')).sort()).toEqual(['held', 'kept']);
  });

  // "object" is put, "large" is copied in parts
  test.each([
    ['race', 'object', 'PutObjectCommand'],
    ['race-in-parts', 'large', 'CompleteMultipartUploadCommand'],
  ])('in bucket %s, what a client writes over %s meanwhile stays', async (bucket, Key, lastRequest) => {
    // GIVEN a client that writes just before the object is replaced
    const other = s3Client({ endpoint: storage, region: 'us-east-1', credentials: storage.credentials });
    let written = false;
    other.middlewareStack.add(
      (next, context) => async (args) => {
        if (context.commandName === lastRequest && !written) {
          written = true;
          await s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body: 'after' }));
        }
        return next(args);
      },
      { step: 'build', name: 'meanwhile' },
    );

    // WHEN
    const { encrypted, left } = await encrypt(bucket, other);
    other.destroy();

    // THEN
    expect(written).toBe(true);
    expect({ encrypted, left }).toMatchObject({ encrypted: 0, left: { current: NONE, older: NONE, locked: NONE } });
    expect(Buffer.from(await storage.read(bucket, Key)).toString()).toBe('after');
    expect((await s3.send(new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: Key }))).Uploads ?? []).toEqual([]);
  });

  test('after an interruption it goes on with what is left', async () => {
    const interruption = new AbortController();
    const report = (said: string): void => {
      if (Number(/(\d+) encrypted$/.exec(said)?.[1]) >= 20) interruption.abort(new Error('interrupted'));
    };
    const run = encryptBucket(s3, 'many', { dryRun: false, signal: interruption.signal, report });
    await expect(run).rejects.toThrow('interrupted');
    const before = (await list('many')).filter((one) => one.encrypted).length;
    expect(before).toBeGreaterThanOrEqual(20);
    expect(before).toBeLessThan(120);
    expect(await encrypt('many')).toMatchObject({ looked: 120, encrypted: 120 - before, left: { current: NONE } });
  });
});
