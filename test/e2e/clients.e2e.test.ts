/**
 * Clients of the S3 API against a MinIO of its own on the loopback: their identities are made as a deploy makes them, and an
 * attacker has their access keys.
 */
import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  ListObjectVersionsCommand,
  PutBucketEncryptionCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketNotificationConfigurationCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutObjectRetentionCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { clientUser } from '../../config/deployment-names';
import { clientPolicy, type DeclaredClient } from '../../config/minio/client-policies';
import type { OperationInput } from '../../config/operation-inputs';
import type { BucketSettings } from '../../config/environment';
import { declaredRules, rulesOf } from '../../operations/checks/drift/bucket-rules';
import { Secret } from '../../operations/lib/secret';
import { readEventRules } from '../../operations/minio/webhooks/event-webhooks';
import { provisionBuckets } from '../../operations/minio/objects/provision-buckets';
import { clientDifferences } from '../../operations/checks/clients/declared-clients';
import { type Cleaner, fromOutside, probesFor, tryProbes } from '../../operations/checks/clients/probes';
import { HttpClient } from '../../operations/lib/net/http';
import { NotYet, waitFor } from '../../operations/lib/wait';
import {
  type AccessKey,
  inDays,
  newAccessKey,
  readAccessKeys,
  writeAccessKeys,
} from '../../operations/minio/clients/access-keys';
import { changeIam, type IamChanges, noChanges, readIam } from '../../operations/minio/clients/iam';
import { provisionClients } from '../../operations/minio/clients/provision-clients';
import { MinioAdmin } from '../../operations/minio/minio-admin';
import { RawS3 } from '../../operations/minio/objects/raw-s3';
import { s3Client, type S3Credentials } from '../../operations/minio/s3-client';
import { cacheLayout } from '../../operations/toolchain/cache';
import { buildProgram } from '../../operations/toolchain/go/go-build';
import { mc as mcProgram, minio, unguardedMinio } from '../../operations/toolchain/go/programs';
import { mc } from './guard/servers';
import { ThrowawayCa } from '../helpers/certificates';
import { EventReceiver } from '../helpers/e2e/servers/event-receiver';
import { measured } from '../helpers/e2e/clients/measured';
import { OtherStorage } from '../helpers/e2e/servers/other-storage';

const grant = { objectLock: false, keys: ['default-key'] };
const CLIENTS: DeclaredClient[] = [
  { name: 'reader', grants: [{ ...grant, bucket: 'plain', prefix: 'reader/', may: 'read', keys: ['default-key'] }] },
  {
    name: 'appender',
    grants: [{ ...grant, bucket: 'versions', prefix: 'laptops/', may: 'append', keys: ['default-key'] }],
  },
  {
    name: 'writer',
    grants: [{ ...grant, bucket: 'versions', prefix: 'postgres/', may: 'write', keys: ['default-key'] }],
  },
  { name: 'whole', grants: [{ ...grant, bucket: 'plain', may: 'write', keys: ['default-key'] }] },
  {
    name: 'veeam',
    grants: [{ bucket: 'locked', may: 'append', objectLock: true, keys: ['default-key'] }],
    expireDays: 90,
  },
  {
    name: 'here',
    grants: [{ ...grant, bucket: 'plain', prefix: 'here/', may: 'write' }],
    sourceAddresses: ['127.0.0.0/8'],
  },
];
/** Its access key works at other addresses than that of this machine. */
const ELSEWHERE: DeclaredClient = {
  name: 'elsewhere',
  grants: [{ ...grant, bucket: 'plain', prefix: 'elsewhere/', may: 'write' }],
  sourceAddresses: ['203.0.113.0/24', '198.51.100.7/32'],
};

let folder: string;
let storage: OtherStorage;
let admin: MinioAdmin;
let http: HttpClient;
let cleaner: Cleaner;

beforeAll(async () => {
  folder = mkdtempSync(path.join(process.env.EBS_E2E_FOLDER ?? tmpdir(), 'ebs-clients-'));
  for (const program of [minio, unguardedMinio, mcProgram]) await buildProgram(cacheLayout(), program);
  ({ storage, admin, http, cleaner } = await start('guarded'));
  await provision(CLIENTS);
});
afterAll(async () => {
  await stop({ storage, admin, http });
  rmSync(folder, { recursive: true, force: true });
});

async function start(name: string, program = minio, variables: Readonly<Record<string, string>> = {}) {
  const own = path.join(folder, name);
  mkdirSync(own);
  const started = await OtherStorage.start(own, 'plain', {
    program,
    variables: {
      MINIO_KMS_SECRET_KEY: `default-key:${randomBytes(32).toString('base64')}`,
      MINIO_KMS_AUTO_ENCRYPTION: 'on',
      ...variables,
    },
  });
  const { s3 } = started;
  for (const Bucket of ['versions', 'other']) await s3.send(new CreateBucketCommand({ Bucket }));
  await s3.send(new CreateBucketCommand({ Bucket: 'locked', ObjectLockEnabledForBucket: true }));
  await s3.send(new PutBucketVersioningCommand({ Bucket: 'versions', VersioningConfiguration: { Status: 'Enabled' } }));
  const Rules = [{ ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'AES256' } } as const];
  for (const Bucket of ['plain', 'versions', 'locked']) {
    await s3.send(new PutBucketEncryptionCommand({ Bucket, ServerSideEncryptionConfiguration: { Rules } }));
  }
  const root: Cleaner = {
    deleteVersion: async (Bucket, Key, VersionId) => s3.send(new DeleteObjectCommand({ Bucket, Key, VersionId })),
    deleteBucket: async (Bucket) => s3.send(new DeleteBucketCommand({ Bucket })),
  };
  return {
    storage: started,
    admin: new MinioAdmin(started, 'us-east-1', started.credentials),
    http: new HttpClient(started),
    cleaner: root,
  };
}

async function stop(server: { storage: OtherStorage; admin: MinioAdmin; http: HttpClient }): Promise<void> {
  server.http.close();
  server.admin.close();
  await server.storage.stop();
}

const secrets = (): string => path.join(folder, 'clients');

async function provision(clients: DeclaredClient[], { url, caFile, credentials } = storage): Promise<void> {
  const rootFile = path.join(folder, 'root.json');
  writeFileSync(
    rootFile,
    JSON.stringify({ accessKey: credentials.accessKey, secretKey: credentials.secretKey.reveal() }),
    { mode: 0o600 },
  );
  const input: OperationInput<'provision-clients'> = {
    endpoint: { url, caFile },
    region: 'us-east-1',
    iamFile: rootFile,
    clients,
    denySseC: false,
    folder: secrets(),
    renewalNote: path.join(folder, 'clients.json'),
  };
  await provisionClients(input);
}

const keysOf = (name: string) => {
  const keys = readAccessKeys(path.join(secrets(), `${name}.json`));
  if (keys === undefined) throw new Error(`${name} has no keys`);
  return keys;
};
const rawAs = (credentials: S3Credentials): RawS3 => new RawS3({ http, url: storage.url, credentials });

const placesOf = ({ name }: DeclaredClient) => ({
  otherBucket: 'other',
  newBucket: 'ebs-made-by-a-client',
  lockedBuckets: ['locked'],
  run: 'ebs-check-run',
  user: clientUser(name),
});

async function problemsOf(client: DeclaredClient) {
  return tryProbes(probesFor(client, placesOf(client)), rawAs(keysOf(client.name).current), cleaner);
}

async function change(changes: Partial<IamChanges>): Promise<void> {
  await changeIam(admin, { ...noChanges(), ...changes });
}

async function differences(clients = CLIENTS) {
  const keys = Object.fromEntries(clients.map(({ name }) => [name, keysOf(name)]));
  return clientDifferences(await readIam(admin), clients, keys, { denySseC: false });
}

const named = (name: string): DeclaredClient => {
  const client = CLIENTS.find((one) => one.name === name);
  if (client === undefined) throw new Error(`there is no client ${name}`);
  return client;
};

test.each(CLIENTS)('$name: everything declared works, everything else is refused', async (client) => {
  const { problems, allowed, refused } = await problemsOf(client);
  expect(problems).toEqual([]);
  expect(allowed).toBeGreaterThanOrEqual(3);
  expect(refused).toBeGreaterThanOrEqual(20);
});

test('nothing is left by what was tried', async () => {
  for (const Bucket of ['plain', 'versions', 'locked']) {
    const { Versions = [], DeleteMarkers = [] } = await storage.s3.send(new ListObjectVersionsCommand({ Bucket }));
    expect([...Versions, ...DeleteMarkers]).toEqual([]);
  }
});

test('MinIO knows what is declared, and a second run changes nothing', async () => {
  expect(await differences()).toEqual({ changed: [], foreign: [], late: [] });
  const before = keysOf('veeam');
  await provision(CLIENTS);
  expect(keysOf('veeam').current.accessKey).toBe(before.current.accessKey);
  expect(await differences()).toEqual({ changed: [], foreign: [], late: [] });
});

describe('somebody widens by hand', () => {
  const everything = {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Action: ['s3:*'], Resource: ['arn:aws:s3:::*'] }],
  };
  afterEach(async () => {
    await provision(CLIENTS);
    expect(await differences()).toEqual({ changed: [], foreign: [], late: [] });
    expect((await problemsOf(named('appender'))).problems).toEqual([]);
  });

  test('a policy: both checks see it, and a run sets it back', async () => {
    await admin.putPolicy('ebs-client-appender', everything);
    expect((await differences()).changed).toEqual([
      'client appender: policy ebs-client-appender is not the declared one',
    ]);
    const { problems } = await problemsOf(named('appender'));
    expect(problems).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^may delete an older version below laptops\/ in bucket versions \(HTTP 204\)$/),
        expect.stringMatching(/^may delete every version by force below laptops\/ in bucket versions/),
        expect.stringMatching(/^may change policy of bucket versions \(HTTP 400/),
        expect.stringMatching(/^may list all of bucket versions \(HTTP 200\)$/),
        expect.stringMatching(/^may read outside of its prefixes in bucket versions \(HTTP 404/),
        expect.stringMatching(/^may write outside of its prefixes/),
        expect.stringMatching(/^may list another bucket/),
        expect.stringMatching(/^may make a bucket/),
      ]),
    );
  });

  test('a second policy', async () => {
    await change({ policyOf: { 'ebs-client-appender': 'ebs-client-appender,readwrite' } });
    expect((await differences()).changed).toEqual([
      'client appender: user ebs-client-appender has the policies ebs-client-appender, readwrite, declared ebs-client-appender',
    ]);
    // what is denied stays denied
    const { problems } = await problemsOf(named('appender'));
    expect(problems).toContainEqual(expect.stringMatching(/^may list another bucket/));
    expect(problems.join()).not.toContain('older version');
  });

  test('an access key', async () => {
    await change({
      accessKeys: { byhand: { user: 'ebs-client-appender', secretKey: keysOf('writer').current.secretKey } },
    });
    expect((await differences()).changed).toEqual(['client appender: access key byhand is none that a deploy made']);
  });

  test('a secret key', async () => {
    const { current } = keysOf('appender');
    const { secretKey } = keysOf('writer').current;
    await change({ accessKeys: { [current.accessKey]: { user: 'ebs-client-appender', secretKey } } });
    expect((await differences()).changed).toEqual([
      `client appender: access key ${current.accessKey} has another secret key`,
    ]);
    expect((await problemsOf(named('appender'))).problems).toEqual(['is not let in: HTTP 403 SignatureDoesNotMatch']);
  });
});

test('a user that somebody made is not declared', async () => {
  await change({ users: { 'by-hand': keysOf('writer').current.secretKey } });
  expect((await differences()).foreign).toEqual(['user by-hand']);
  await admin.deleteUser('by-hand');
});

test('a user could mint credentials, and an access key of it cannot', async () => {
  const secretKey = keysOf('writer').current.secretKey;
  const mint = probesFor(named('writer'), placesOf(named('writer'))).find(
    ({ what }) => what === 'mint temporary credentials',
  );
  await change({ users: { 'a-user': secretKey }, policyOf: { 'a-user': 'ebs-client-writer' } });
  if (mint === undefined) throw new Error('nothing is tried');
  expect((await rawAs({ accessKey: 'a-user', secretKey }).send(mint.request)).status).toBe(200);
  expect((await rawAs(keysOf('writer').current).send(mint.request)).status).toBe(403);
  await admin.deleteUser('a-user');
});

test('a client cannot make an access key for itself, or change the secret of its user', async () => {
  const { current } = keysOf('writer');
  const own = { url: storage.url, caFile: storage.caFile, credentials: current };
  const secret = 'a-secret-of-its-own';
  await expect(mc(own, ['admin', 'user', 'svcacct', 'add', 'guard', 'ebs-client-writer'])).rejects.toThrow(
    /Access Denied/,
  );
  await expect(mc(own, ['admin', 'user', 'svcacct', 'add', 'guard', current.accessKey])).rejects.toThrow(
    /Access Denied/,
  );
  await expect(mc(own, ['admin', 'user', 'add', 'guard', 'ebs-client-writer', secret])).rejects.toThrow(
    /not allowed|Denied/,
  );
  await expect(mc(own, ['admin', 'user', 'add', 'guard', current.accessKey, secret])).rejects.toThrow(
    /not allowed|Denied/,
  );
  const other = keysOf('appender').current.accessKey;
  await expect(mc(own, ['admin', 'user', 'svcacct', 'rm', 'guard', other])).rejects.toThrow(
    /not found|Denied|invalid/i,
  );
  expect(await differences()).toEqual({ changed: [], foreign: [], late: [] });
});

test('a client is refused everything outside of its addresses, whatever a header claims; only they refuse it', async () => {
  await provision([...CLIENTS, ELSEWHERE]);
  const tried = async () =>
    tryProbes(
      fromOutside(probesFor(ELSEWHERE, placesOf(ELSEWHERE)), ELSEWHERE.sourceAddresses ?? []),
      rawAs(keysOf('elsewhere').current),
      cleaner,
    );
  expect(await tried()).toMatchObject({ problems: [], allowed: 0 });
  await change({
    policies: { 'ebs-client-elsewhere': clientPolicy({ grants: ELSEWHERE.grants }, { denySseC: false }) },
  });
  expect((await tried()).problems).toContainEqual(
    expect.stringMatching(/^may list below elsewhere\/ in bucket plain from outside of its addresses \(HTTP 200\)$/),
  );
  await provision(CLIENTS);
});

/** What docs/ransomware.md says of a stolen access key. */
describe('an attacker with the access key', () => {
  const denied = { name: 'AccessDenied' };
  let s3: S3Client;
  afterEach(() => {
    s3.destroy();
  });
  const steal = (name: string): void => {
    s3 = s3Client({ endpoint: storage, region: 'us-east-1', credentials: keysOf(name).current });
  };
  /** @returns the version of a backup that is worth a ransom */
  async function backup(Bucket: string, Key: string): Promise<{ Bucket: string; Key: string; VersionId?: string }> {
    const { VersionId } = await s3.send(new PutObjectCommand({ Bucket, Key, Body: 'precious' }));
    return { Bucket, Key, ...(VersionId === undefined ? {} : { VersionId }) };
  }
  const contentOf = async (version: { Bucket: string; Key: string; VersionId?: string }) =>
    (await s3.send(new GetObjectCommand(version))).Body?.transformToString();
  const changes = (Bucket: string) => [
    new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Suspended' } }),
    new PutBucketLifecycleConfigurationCommand({
      Bucket,
      LifecycleConfiguration: {
        Rules: [{ ID: 'all', Status: 'Enabled', Filter: { Prefix: '' }, Expiration: { Days: 1 } }],
      },
    }),
    new DeleteBucketCommand({ Bucket }),
  ];
  const mint = async (name: string) => {
    const probe = probesFor(named(name), placesOf(named(name))).find(
      ({ what }) => what === 'mint temporary credentials',
    );
    if (probe === undefined) throw new Error('nothing is tried');
    return (await rawAs(keysOf(name).current).send(probe.request)).status;
  };

  test('of a client that appends: what it overwrites stays as an older version, and it deletes nothing', async () => {
    steal('appender');
    const { VersionId, ...object } = await backup('versions', 'laptops/backup');
    const version = { ...object, ...(VersionId === undefined ? {} : { VersionId }) };
    await s3.send(new PutObjectCommand({ ...object, Body: 'ransom' }));
    await expect(s3.send(new DeleteObjectCommand(object))).rejects.toMatchObject(denied);
    await expect(s3.send(new DeleteObjectCommand(version))).rejects.toMatchObject(denied);
    await expect(
      s3.send(new CopyObjectCommand({ ...object, CopySource: 'versions/postgres/backup' })),
    ).rejects.toMatchObject(denied);
    for (const change of changes('versions')) await expect(s3.send(change as never)).rejects.toMatchObject(denied);
    expect(await mint('appender')).toBe(403);
    expect(await contentOf(version)).toBe('precious');
  });

  test('of a client that appends, in a folder locks/: a delete leaves the version', async () => {
    steal('appender');
    const { VersionId, ...object } = await backup('versions', 'laptops/locks/backup');
    await s3.send(new DeleteObjectCommand(object));
    expect(VersionId).toBeDefined();
    expect(await contentOf({ ...object, VersionId: VersionId ?? '' })).toBe('precious');
  });

  test('of a client that writes: in a bucket with versions they stay', async () => {
    steal('writer');
    const { VersionId, ...object } = await backup('versions', 'postgres/backup');
    const version = { ...object, VersionId: VersionId ?? '' };
    await s3.send(new DeleteObjectCommand(object));
    await expect(s3.send(new DeleteObjectCommand(version))).rejects.toMatchObject(denied);
    const { Errors = [] } = await s3.send(
      new DeleteObjectsCommand({
        Bucket: object.Bucket,
        Delete: { Objects: [{ Key: object.Key, VersionId: version.VersionId }] },
      }),
    );
    expect(Errors.map(({ Code }) => Code)).toEqual(['AccessDenied']);
    for (const change of changes('versions')) await expect(s3.send(change as never)).rejects.toMatchObject(denied);
    expect(await contentOf(version)).toBe('precious');
  });

  test('of a client that writes: in a bucket without versions a backup is gone', async () => {
    steal('whole');
    const object = await backup('plain', 'backup');
    await s3.send(new DeleteObjectCommand(object));
    await expect(contentOf(object)).rejects.toMatchObject({ name: 'NoSuchKey' });
  });

  test('of a client that sets retention: it can neither shorten nor bypass what it has set', async () => {
    steal('veeam');
    const inAnHour = new Date(Date.now() + 3_600_000);
    const soon = new Date(Date.now() + 60_000);
    for (const Mode of ['GOVERNANCE', 'COMPLIANCE'] as const) {
      const object = { Bucket: 'locked', Key: `backup-${Mode}` };
      const { VersionId = '' } = await s3.send(
        new PutObjectCommand({
          ...object,
          Body: 'precious',
          ObjectLockMode: Mode,
          ObjectLockRetainUntilDate: inAnHour,
        }),
      );
      const version = { ...object, VersionId };
      for (const bypass of [false, true]) {
        const BypassGovernanceRetention = bypass;
        await expect(
          s3.send(
            new PutObjectRetentionCommand({
              ...version,
              Retention: { Mode: 'GOVERNANCE', RetainUntilDate: soon },
              BypassGovernanceRetention,
            }),
          ),
        ).rejects.toThrow();
        await expect(s3.send(new DeleteObjectCommand({ ...version, BypassGovernanceRetention }))).rejects.toMatchObject(
          denied,
        );
      }
      expect(await contentOf(version)).toBe('precious');
    }
  });

  test('of the root user: governance is bypassed, compliance is not', async () => {
    s3 = s3Client({ endpoint: storage, region: 'us-east-1', credentials: storage.credentials });
    const { Versions = [] } = await s3.send(new ListObjectVersionsCommand({ Bucket: 'locked', Prefix: 'backup-' }));
    const remove = async (Key: string) => {
      const VersionId = Versions.find((version) => version.Key === Key)?.VersionId ?? '';
      return s3.send(new DeleteObjectCommand({ Bucket: 'locked', Key, VersionId, BypassGovernanceRetention: true }));
    };
    await remove('backup-GOVERNANCE');
    await expect(remove('backup-COMPLIANCE')).rejects.toThrow(/WORM|locked|protected/i);
    const forced = await rawAs(storage.credentials).send({
      method: 'DELETE',
      path: '/locked',
      headers: { 'x-minio-force-delete': 'true' },
    });
    expect(forced.status).toBeGreaterThanOrEqual(400);
    expect(
      (await s3.send(new ListObjectVersionsCommand({ Bucket: 'locked', Prefix: 'backup-' }))).Versions,
    ).toHaveLength(1);
  });
});

test('a key in the last third of its life is replaced by the next run, and works until its end', async () => {
  const old = keysOf('veeam').current;
  const list = async (key: AccessKey) =>
    (await rawAs(key).send({ method: 'GET', path: '/locked', query: { 'max-keys': '1' } })).status;
  // GIVEN 29 of its 90 days left, in MinIO, too
  const ending = { ...old, expires: inDays(29) };
  await admin.deleteAccessKey(old.accessKey);
  await change({
    accessKeys: { [old.accessKey]: { user: 'ebs-client-veeam', secretKey: old.secretKey, expires: ending.expires } },
  });
  writeAccessKeys(path.join(secrets(), 'veeam.json'), { current: ending });
  await provision(CLIENTS);
  const { current, previous } = keysOf('veeam');
  expect(previous).toEqual(ending);
  expect(current.accessKey).not.toBe(old.accessKey);
  expect(Date.parse(current.expires ?? '')).toBeGreaterThan(Date.parse(inDays(89)));
  expect([await list(current), await list(old)]).toEqual([200, 200]);
  expect(await differences()).toEqual({ changed: [], foreign: [], late: [] });
});

test('what a backup holds of clients lets them into an empty MinIO with their keys, confined as before', async () => {
  const other = await start('restored');
  try {
    expect(await other.admin.importIam(await admin.exportIam())).toEqual([]);
    const client = named('writer');
    const as = new RawS3({ http: other.http, url: other.storage.url, credentials: keysOf('writer').current });
    const { problems, allowed } = await tryProbes(probesFor(client, placesOf(client)), as, other.cleaner);
    expect(problems).toEqual([]);
    expect(allowed).toBeGreaterThanOrEqual(5);
  } finally {
    await stop(other);
  }
});

test('a client that is no longer declared is let in no more', async () => {
  const { current } = keysOf('reader');
  await provision(CLIENTS.filter(({ name }) => name !== 'reader'));
  const answer = await rawAs(current).send({ method: 'GET', path: '/plain', query: { prefix: 'reader/' } });
  expect(answer.status).toBe(403);
  expect(answer.text).toContain('InvalidAccessKeyId');
  await provision(CLIENTS);
});

test('rotating a key under load: no request fails, and the old one ends', async () => {
  const file = path.join(secrets(), 'writer.json');
  const old = keysOf('writer').current;
  const keys = [old];
  const over = new AbortController();
  const failed: string[] = [];
  const answered: string[] = [];
  const load = (async () => {
    while (!over.signal.aborted) {
      const key = keys.at(-1) ?? old;
      const { status } = await rawAs(key).send({ method: 'GET', path: '/versions', query: { prefix: 'postgres/' } });
      answered.push(key.accessKey);
      if (status !== 200) failed.push(`${key.accessKey}: HTTP ${status}`);
    }
  })();
  // A fast machine rotates within few requests of the load: each phase is held until requests were sent in it.
  const threeMoreAs = async (key: AccessKey): Promise<void> => {
    const before = answered.length;
    await waitFor({ what: 'three requests of the load', timeoutMs: 30_000, intervalMs: 20 }, () => {
      const used = answered.slice(before).filter((accessKey) => accessKey === key.accessKey).length;
      return Promise.resolve(used >= 3 ? true : new NotYet(`${used} were answered with ${key.accessKey}`));
    });
  };
  await threeMoreAs(old);
  writeAccessKeys(file, { current: newAccessKey(undefined), previous: old });
  await provision(CLIENTS);
  await threeMoreAs(old);
  keys.push(keysOf('writer').current);
  await threeMoreAs(keysOf('writer').current);
  writeAccessKeys(file, { current: keysOf('writer').current });
  await provision(CLIENTS);
  await threeMoreAs(keysOf('writer').current);
  over.abort();
  await load;
  expect(failed).toEqual([]);
  expect((await rawAs(old).send({ method: 'GET', path: '/versions', query: { prefix: 'postgres/' } })).status).toBe(
    403,
  );
});

describe('rules of buckets', () => {
  const bucket = {
    name: 'ruled',
    encryption: { type: 'sse-s3' },
    versioning: true,
    objectLock: true,
    retention: { mode: 'compliance', days: 1, confirm: 'ruled' },
    lifecycle: [{ prefix: 'tmp/', expireDays: 30, expireNoncurrentDays: 60 }],
    quotaGiB: 1,
    tags: { team: 'backup' },
  } as const;
  const provisioned = async (declared: BucketSettings): Promise<void> => {
    await provisionBuckets({
      endpoint: { url: storage.url, caFile: storage.caFile },
      region: 'us-east-1',
      operationsFile: path.join(folder, 'root.json'),
      iamFile: path.join(folder, 'root.json'),
      buckets: [declared],
      denySseC: false,
    });
  };
  const settings: BucketSettings = { ...bucket, lifecycle: [...bucket.lifecycle] };

  test('are put, kept, and left alone where they are not declared', async () => {
    await provisioned(settings);
    expect(await rulesOf(storage.s3, admin, settings)).toEqual(declaredRules(settings, 'us-east-1'));
    await provisioned({ name: 'ruled', encryption: { type: 'sse-s3' }, versioning: true, objectLock: true });
    expect(await rulesOf(storage.s3, admin, settings)).toEqual(declaredRules(settings, 'us-east-1'));
  });

  test('compliance keeps a version from root, with bypass and by force', async () => {
    const { VersionId = '' } = await storage.s3.send(
      new PutObjectCommand({ Bucket: 'ruled', Key: 'precious', Body: 'x' }),
    );
    const version = { Bucket: 'ruled', Key: 'precious', VersionId };
    await expect(
      storage.s3.send(new DeleteObjectCommand({ ...version, BypassGovernanceRetention: true })),
    ).rejects.toThrow(/WORM|locked|protected/i);
    const forced = await rawAs(storage.credentials).send({
      method: 'DELETE',
      path: '/ruled/precious',
      headers: { 'x-minio-force-delete': 'true' },
    });
    expect(forced.status).toBe(400);
    expect((await storage.s3.send(new GetObjectCommand(version))).VersionId).toBe(VersionId);
  });
});

describe('events of a bucket', () => {
  const TOKEN = 'a-token-of-the-webhook';
  let own: string;
  let server: Awaited<ReturnType<typeof start>>;
  let receiver: EventReceiver;
  let restarts = 0;
  const uploads: BucketSettings = {
    name: 'plain',
    encryption: { type: 'sse-s3' },
    objectLock: false,
    events: [{ webhook: 'inbox', on: ['created'], prefix: 'uploads/' }],
  };

  beforeAll(async () => {
    own = path.join(folder, 'receiver');
    mkdirSync(own);
    const ca = await ThrowawayCa.create(own, 'receiver-ca');
    receiver = await EventReceiver.start(ca);
    writeFileSync(path.join(own, 'token'), `${TOKEN}\n`, { mode: 0o600 });
    server = await start('events', minio, { SSL_CERT_FILE: ca.file, MINIO_REGION: 'us-east-1' });
  });
  afterAll(async () => {
    await stop(server);
    await receiver.stop();
  });

  /** @returns whether MinIO was started again */
  async function provisioned(bucket: BucketSettings, names: readonly string[], url = receiver.url): Promise<boolean> {
    const before = restarts;
    const { storage: place } = server;
    const rootFile = path.join(own, 'root.json');
    const { accessKey, secretKey } = place.credentials;
    writeFileSync(rootFile, JSON.stringify({ accessKey, secretKey: secretKey.reveal() }), { mode: 0o600 });
    await provisionBuckets(
      {
        endpoint: { url: place.url, caFile: place.caFile },
        region: 'us-east-1',
        operationsFile: rootFile,
        iamFile: rootFile,
        buckets: [bucket],
        denySseC: false,
        webhooks: {
          container: 'none',
          queueFolder: path.join(own, 'queue'),
          declared: names.map((name) => ({
            name,
            endpoint: url,
            tokenFile: path.join(own, 'token'),
            queueSize: 1000,
          })),
        },
      },
      async () => {
        restarts += 1;
        await place.restart();
      },
    );
    return restarts > before;
  }
  const put = async (Key: string) => server.storage.s3.send(new PutObjectCommand({ Bucket: 'plain', Key, Body: 'x' }));
  const drift = async () => {
    const [found, wanted] = [
      await rulesOf(server.storage.s3, server.admin, uploads),
      declaredRules(uploads, 'us-east-1'),
    ];
    return found.events === wanted.events ? 'none' : `${found.events ?? ''}, declared ${wanted.events ?? ''}`;
  };

  test('reach the webhook with its token, those that are declared and no others', async () => {
    expect(await provisioned(uploads, ['inbox'])).toBe(true);
    await put('other/x');
    await put('uploads/x');
    expect(await receiver.eventOf('plain/uploads/x')).toEqual({
      event: 's3:ObjectCreated:Put',
      object: 'plain/uploads/x',
      authorization: `Bearer ${TOKEN}`,
    });
    expect(receiver.received.map(({ object }) => object)).not.toContain('plain/other/x');
    expect(await drift()).toBe('none');
    // unchanged: MinIO is not started again
    expect(await provisioned(uploads, ['inbox'])).toBe(false);
  });

  test('wait while the webhook is away', async () => {
    await receiver.stop();
    await put('uploads/while-away');
    await receiver.listen();
    await receiver.eventOf('plain/uploads/while-away');
  });

  test('a rule that was removed or changed by hand is found and comes back; one for another webhook stays', async () => {
    await server.admin.putSetting(new Secret(`notify_webhook:hand enable=on endpoint="${receiver.url}"`));
    await server.storage.restart();
    const hand = {
      Id: 'hand',
      QueueArn: 'arn:minio:sqs:us-east-1:hand:webhook',
      Events: ['s3:ObjectRemoved:*' as const],
    };
    const set = async (...QueueConfigurations: (typeof hand)[]) =>
      server.storage.s3.send(
        new PutBucketNotificationConfigurationCommand({
          Bucket: 'plain',
          NotificationConfiguration: { QueueConfigurations },
        }),
      );
    await waitFor({ what: 'the webhook by hand', timeoutMs: 60_000 }, async () => set(hand));
    expect(await drift()).toBe(
      'none, declared s3:ObjectCreated:* prefix uploads/ to arn:minio:sqs:us-east-1:ebs-inbox:webhook',
    );
    expect(await provisioned(uploads, ['inbox'])).toBe(false);
    expect(await drift()).toBe('none');
    expect((await readEventRules(server.storage.s3, 'plain')).map(({ Id }) => Id).sort()).toEqual(['hand', 'rule-1']);
    await provisioned({ ...uploads, events: [] }, ['inbox']);
    expect((await readEventRules(server.storage.s3, 'plain')).map(({ Id }) => Id)).toEqual(['hand']);
  });

  test('a webhook that is no longer declared goes with its token; another one stays', async () => {
    await provisioned(uploads, ['inbox']);
    const { events: _, ...undeclared } = uploads;
    expect(await provisioned(undeclared, [])).toBe(true);
    expect(await server.admin.exportSettings()).not.toContain(TOKEN);
    expect(await server.admin.eventTargets()).toEqual(['arn:minio:sqs:us-east-1:hand:webhook']);
    await put('uploads/y');
    expect((await readEventRules(server.storage.s3, 'plain')).map(({ Id }) => Id)).toEqual(['hand']);
  });

  test('a webhook at whose address nobody listens is refused', async () => {
    await expect(provisioned(uploads, ['inbox'], 'https://127.0.0.1:9/')).rejects.toThrow(
      /^webhook inbox was not taken: /,
    );
    expect(await server.admin.eventTargets()).toEqual(['arn:minio:sqs:us-east-1:hand:webhook']);
  });
});

test('200 clients and 200 buckets', async () => {
  const many = Array.from({ length: 200 }, (_, number): DeclaredClient => ({
    name: `client-${number}`,
    grants: [{ ...grant, bucket: 'versions', prefix: `client-${number}/`, may: 'append', keys: ['default-key'] }],
  }));
  const seconds = async (act: () => Promise<unknown>): Promise<number> => {
    const started = performance.now();
    await act();
    return (performance.now() - started) / 1000;
  };
  measured('identities of 200 clients made', await seconds(async () => provision(many)));
  measured('… and found to be as declared', await seconds(async () => provision(many)));
  expect(await differences(many)).toEqual({ changed: [], foreign: [], late: [] });
  await provision(CLIENTS);
  const buckets = Array.from({ length: 200 }, (_, number): BucketSettings => ({
    name: `bucket-${number}`,
    encryption: { type: 'sse-s3' },
    versioning: true,
    objectLock: false,
    quotaGiB: 10,
    lifecycle: [{ expireNoncurrentDays: 30 }],
  }));
  const input = {
    endpoint: { url: storage.url, caFile: storage.caFile },
    region: 'us-east-1',
    operationsFile: path.join(folder, 'root.json'),
    iamFile: path.join(folder, 'root.json'),
    buckets,
    denySseC: false,
  };
  measured('200 buckets made', await seconds(async () => provisionBuckets(input)));
  measured('… and put again as declared', await seconds(async () => provisionBuckets(input)));
});

test('without the guard, a header opens the whole bucket or claims an address, and force destroys every version', async () => {
  const unguarded = await start('unguarded', unguardedMinio);
  try {
    rmSync(secrets(), { recursive: true });
    await provision([...CLIENTS, ELSEWHERE], unguarded.storage);
    const client = named('writer');
    const as = new RawS3({ http: unguarded.http, url: unguarded.storage.url, credentials: keysOf('writer').current });
    const { problems } = await tryProbes(probesFor(client, placesOf(client)), as, unguarded.cleaner);
    expect(problems).toEqual([
      'may delete every version by force below postgres/ in bucket versions (HTTP 204)',
      'may list all of bucket versions with a header that names its prefix (HTTP 200)',
      'may list all of bucket versions with a second parameter that names its prefix (HTTP 200)',
    ]);
    const elsewhere = await tryProbes(
      fromOutside(probesFor(ELSEWHERE, placesOf(ELSEWHERE)), ELSEWHERE.sourceAddresses ?? []),
      new RawS3({ http: unguarded.http, url: unguarded.storage.url, credentials: keysOf('elsewhere').current }),
      unguarded.cleaner,
    );
    expect(elsewhere.problems).toContainEqual(expect.stringMatching(/^may list below elsewhere\/ in bucket plain/));
  } finally {
    await stop(unguarded);
  }
});
