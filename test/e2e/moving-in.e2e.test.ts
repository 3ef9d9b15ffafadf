/** docs/moving-in.md: the objects, users and policies of a MinIO without KMS, moved into an environment and encrypted. */
import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { SERVICE_UID } from '../../config/docker/service-user';
import { s3Endpoint } from '../../config/state/endpoints';
import { Secret } from '../../operations/lib/secret';
import { NotYet, waitFor } from '../../operations/lib/wait';
import { MinioAdmin } from '../../operations/minio/minio-admin';
import { bytesOf, s3Client, type S3Credentials } from '../../operations/minio/s3-client';
import { builtMc } from '../../operations/toolchain/findings';
import { mustSucceed, output } from '../helpers/e2e/command';
import { measured } from '../helpers/e2e/clients/measured';
import { OtherStorage } from '../helpers/e2e/servers/other-storage';
import { TestEnvironment } from '../helpers/e2e/test-environment';

const OBJECTS = 1000;
/** Each object begins with it. */
const MARKER = `plain-${randomBytes(16).toString('hex')}`;
const SSE_S3 = { type: 'sse-s3' } as const;

const credentials = (accessKey: string): S3Credentials => ({
  accessKey,
  secretKey: new Secret(randomBytes(16).toString('hex')),
});
const [alice, bob] = [credentials('alice'), credentials('bob')];
const mine = (bucket: string) => ({
  Version: '2012-10-17',
  Statement: [
    {
      Effect: 'Allow',
      Action: ['s3:GetObject', 's3:ListBucket'],
      Resource: [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`],
    },
  ],
});

describe('moving in', () => {
  let environment: TestEnvironment;
  /** Of the storages without KMS. */
  let folder: string;
  let drive: string;

  beforeAll(async () => {
    environment = await TestEnvironment.create();
    folder = mkdtempSync(path.join(process.env.EBS_E2E_FOLDER ?? tmpdir(), 'ebs-moving-in-'));
    drive = path.join(environment.folder, 'disk1');
  });
  afterAll(async () => {
    await environment.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  /** A MinIO without KMS that has objects, a user and a policy. */
  async function plainStorage(bucket: string, user: S3Credentials, on?: string): Promise<OtherStorage> {
    const own = path.join(folder, bucket);
    mkdirSync(own);
    const storage = await OtherStorage.start(own, bucket, on === undefined ? {} : { drive: on });
    const numbers = Array.from({ length: OBJECTS }, (_, index) => index);
    const write = async (): Promise<void> => {
      for (let next = numbers.pop(); next !== undefined; next = numbers.pop()) {
        const Body = `${MARKER} ${next} ${'.'.repeat(next)}`;
        await storage.s3.send(new PutObjectCommand({ Bucket: bucket, Key: `${next % 10}/${next}`, Body }));
      }
    };
    await Promise.all(Array.from({ length: 8 }, write));
    const admin = new MinioAdmin(storage, 'us-east-1', storage.credentials);
    await admin.putPolicy(`read-${bucket}`, mine(bucket));
    await admin.putUser(user, `read-${bucket}`);
    admin.close();
    return storage;
  }

  /** Files of the drive that hold a text in the clear. */
  const filesWith = (text: string): string[] => {
    try {
      return execFileSync('grep', ['-rlF', text, drive], { encoding: 'utf8' }).trim().split('\n');
    } catch (error) {
      if ((error as { status?: number }).status === 1) return [];
      throw error;
    }
  };
  const plainIsGone = async (texts: readonly string[]): Promise<void> => {
    // MinIO empties its waste every five minutes: docs/moving-in.md
    await waitFor({ what: 'nothing plain to be on the drive', timeoutMs: 420_000, intervalMs: 2000 }, async () => {
      const [first] = texts.flatMap(filesWith);
      return Promise.resolve(first === undefined ? true : new NotYet(first));
    });
  };

  /** As the user, in the environment. */
  async function readAs(user: S3Credentials, bucket: string): Promise<string> {
    const { environment: settings, state } = environment.loaded;
    const s3 = s3Client({ endpoint: s3Endpoint(settings, state), region: settings.minio.region, credentials: user });
    try {
      const { KeyCount } = await s3.send(new ListObjectsV2Command({ Bucket: bucket }));
      expect(KeyCount).toBe(OBJECTS);
      return (await bytesOf(await s3.send(new GetObjectCommand({ Bucket: bucket, Key: '7/17' })))).toString();
    } finally {
      s3.destroy();
    }
  }
  const SEVENTEENTH = `${MARKER} 17 ${'.'.repeat(17)}`;
  const results = z.object({
    configuration: z.array(z.string()),
    buckets: z.array(
      z.object({
        bucket: z.string(),
        encrypted: z.number(),
        left: z.object({ current: z.object({ count: z.number() }) }),
      }),
    ),
  });

  test('a drive is adopted: all of it works at once, and the checks say what is plain', async () => {
    // GIVEN
    await (await plainStorage('theirs', alice, drive)).stop();
    execFileSync('chown', ['-R', `${SERVICE_UID}:${SERVICE_UID}`, drive]);
    expect(filesWith(MARKER)).toHaveLength(OBJECTS);
    expect(filesWith(alice.secretKey.reveal())).not.toEqual([]);
    environment.write({
      keyStore: { type: 'filesystem' },
      minio: { drives: [{ path: drive, adopt: true }] },
      buckets: [
        { name: 'theirs', encryption: SSE_S3 },
        { name: 'mirrored', encryption: SSE_S3 },
      ],
    });

    // WHEN
    const up = await environment.script('up');

    // THEN
    expect(up.code).toBe(1);
    expect(up.stderr).toMatch(/configuration-on-disk: \S+ is not encrypted/);
    expect(up.stderr).toMatch(/objects-encrypted: bucket theirs has versions that are not encrypted: \d+ current;/);
    expect(await readAs(alice, 'theirs')).toBe(SEVENTEENTH);
  });

  test('./scripts/encrypt counts, then encrypts, and nothing on the drive is plain', async () => {
    // WHEN
    const dry = await environment.script('encrypt', ['--dry-run', '--json']);

    // THEN
    expect(dry.code).toBe(1);
    const { configuration, buckets } = results.parse(JSON.parse(dry.stdout));
    expect(configuration).toContain('.minio.sys/config/iam/users/alice/identity.json/xl.meta');
    expect(buckets.find(({ bucket }) => bucket === 'theirs')).toMatchObject({
      encrypted: 0,
      left: { current: { count: OBJECTS } },
    });
    expect(dry.stderr).toMatch(
      /^error: not everything is encrypted: versions that are plain: 1000 current, \d+ files/m,
    );

    // WHEN
    const encrypted = mustSucceed(await environment.script('encrypt'));
    measured(`./scripts/encrypt of ${OBJECTS} objects`, encrypted.seconds);

    // THEN
    expect(encrypted.stdout).toMatch(/^Encrypted 1000 objects of e2e-\w+, looked at \d+ versions\.$/m);
    await plainIsGone([MARKER, alice.secretKey.reveal()]);
    expect(await readAs(alice, 'theirs')).toBe(SEVENTEENTH);
    mustSucceed(await environment.script('check'));
    mustSucceed(await environment.script('up'));
  });

  test('by mc mirror, with users and policies by an export', async () => {
    // GIVEN another one, and the trust of both
    const storage = await plainStorage('mirrored', bob);
    const both = path.join(folder, 'both-cas.crt');
    writeFileSync(both, [storage.caFile, environment.state.caCertificate].map((file) => readFileSync(file)).join('\n'));
    const alias = (url: string, { accessKey, secretKey }: S3Credentials): string =>
      url.replace('://', `://${accessKey}:${secretKey.reveal()}@`);
    const env = {
      MC_HOST_old: alias(storage.url, storage.credentials),
      MC_HOST_new: alias(environment.s3Url, environment.credentials),
      SSL_CERT_FILE: both,
    };
    const mc = async (...args: string[]): Promise<string> =>
      output(builtMc() ?? 'mc', ['--config-dir', path.join(folder, 'mc'), ...args], { env });
    try {
      // WHEN
      await mc('mirror', 'old/mirrored', 'new/mirrored');
      const iam = path.join(folder, 'iam.zip');
      await mc('admin', 'cluster', 'iam', 'export', 'old', '-o', iam);
      await mc('admin', 'cluster', 'iam', 'import', 'new', iam);
    } finally {
      await storage.stop();
    }

    // THEN
    expect(await readAs(bob, 'mirrored')).toBe(SEVENTEENTH);
    await plainIsGone([MARKER, bob.secretKey.reveal()]);
    expect(mustSucceed(await environment.script('encrypt')).stdout).toMatch(/^Encrypted 0 objects/m);
    mustSucceed(await environment.script('check'));
  });
});
