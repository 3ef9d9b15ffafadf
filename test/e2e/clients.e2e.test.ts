/**
 * Clients of the S3 API against a MinIO of its own on the loopback: their identities are made as a deploy makes them, and an
 * attacker has their access keys.
 */
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectVersionsCommand,
  PutBucketEncryptionCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
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
import { provisionBuckets } from '../../operations/minio/objects/provision-buckets';
import { clientDifferences } from '../../operations/checks/clients/declared-clients';
import { type Cleaner, fromOutside, probesFor, tryProbes } from '../../operations/checks/clients/probes';
import { HttpClient } from '../../operations/lib/net/http';
import { NotYet, waitFor } from '../../operations/lib/wait';
import {
  type AccessKey,
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
import { measured } from '../helpers/e2e/measured';
import { OtherStorage } from '../helpers/e2e/other-storage';

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

async function start(name: string, program = minio) {
  const own = path.join(folder, name);
  mkdirSync(own);
  const started = await OtherStorage.start(own, 'plain', {
    program,
    variables: {
      MINIO_KMS_SECRET_KEY: `default-key:${randomBytes(32).toString('base64')}`,
      MINIO_KMS_AUTO_ENCRYPTION: 'on',
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

test('an attacker with the key of an appending client destroys nothing', async () => {
  const s3 = s3Client({ endpoint: storage, region: 'us-east-1', credentials: keysOf('appender').current });
  const object = { Bucket: 'versions', Key: 'laptops/backup' };
  await s3.send(new PutObjectCommand({ ...object, Body: 'precious' }));
  const { Versions = [] } = await s3.send(new ListObjectVersionsCommand({ Bucket: 'versions', Prefix: 'laptops/' }));
  const version = { VersionId: Versions[0]?.VersionId ?? '' };
  await s3.send(new PutObjectCommand({ ...object, Body: 'ransom' }));
  await expect(s3.send(new DeleteObjectCommand(object))).rejects.toMatchObject({ name: 'AccessDenied' });
  await expect(s3.send(new DeleteObjectCommand({ ...object, ...version }))).rejects.toMatchObject({
    name: 'AccessDenied',
  });
  const before = await s3.send(new GetObjectCommand({ ...object, ...version }));
  expect(await before.Body?.transformToString()).toBe('precious');
  s3.destroy();
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

test('200 clients', async () => {
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
