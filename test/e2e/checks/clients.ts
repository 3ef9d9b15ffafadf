/**
 * Clients that take an ETag for an MD5, or put the bucket into the name of the host, as docs/clients.md has it; and
 * versioning, which belongs to the clients.
 */
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, get } from 'node:https';
import type { LookupFunction } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { LoadedEnvironment } from '../../../operations/state/load';
import { s3CaFile, s3Endpoint } from '../../../config/state/endpoints';
import { s3Url } from '../../../config/minio/s3-endpoint';
import { provisionBuckets } from '../../../operations/minio/objects/provision-buckets';
import { readCredentials } from '../../../operations/minio/s3-client';
import { summaryText } from '../../../scripts/lib/pages/summary';
import { findClient, NO_AWS_SETTINGS } from '../../helpers/e2e/clients/client-programs';
import { runCommand } from '../../helpers/e2e/command';
import { rootS3 } from '../../helpers/e2e/clients/root-s3';

/** One part, and three. */
const SIZES = { small: 100_000, large: 12 * 1024 * 1024 };

export function describeClients(deployment: () => LoadedEnvironment): void {
  describe('a backup client', () => {
    let folder: string;
    let variables: Record<string, string | undefined>;
    beforeAll(async () => {
      folder = mkdtempSync(path.join(tmpdir(), 'ebs-clients-'));
      for (const [name, size] of Object.entries(SIZES)) writeFileSync(path.join(folder, name), randomBytes(size));
      const { environment, state } = deployment();
      const { accessKey, secretKey } = readCredentials(state.secret.minioRoot);
      const ca = s3CaFile(environment, state) ?? '';
      const configuration = path.join(folder, '.s3cfg');
      const host = new URL(s3Endpoint(environment, state).url).host;
      writeFileSync(
        configuration,
        `[default]\naccess_key = ${accessKey}\nsecret_key = ${secretKey.reveal()}\nhost_base = ${host}\nhost_bucket = ${host}\nca_certs_file = ${ca}\n`,
        { mode: 0o600 },
      );
      variables = {
        ...NO_AWS_SETTINGS,
        // of whoever runs the tests, and not of a user
        ...{
          SSL_CERT_FILE: undefined,
          SSL_CERT_DIR: undefined,
          AWS_CA_BUNDLE: undefined,
          REQUESTS_CA_BUNDLE: undefined,
        },
        HOME: folder,
        PATH: `${path.dirname(findClient('rclone') ?? '')}:${path.dirname(findClient('s3cmd') ?? '')}:${process.env.PATH ?? ''}`,
        ...{ AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey.reveal(), CA: ca, FILE: folder },
        ...{ RCLONE_S3_UPLOAD_CUTOFF: '5M', RCLONE_S3_CHUNK_SIZE: '5M', RCLONE_RETRIES: '1', RCLONE_EXCLUDE: '.*' },
      };
      const s3 = rootS3(deployment());
      await s3.send(new CreateBucketCommand({ Bucket: OWN }));
      s3.destroy();
    });
    afterAll(() => {
      rmSync(folder, { recursive: true });
    });

    const OWN = `of-a-client-${randomBytes(4).toString('hex')}`;
    const shell = async (line: string) => runCommand('sh', ['-c', line], { env: variables });

    /** The line of ./scripts/up for a bucket. */
    const printed = (bucket: string): string => {
      const { environment, state } = deployment();
      const text = summaryText({ ...deployment(), mc: undefined, report: undefined, home: undefined });
      const line = text
        .split('\n')
        .find((candidate) => candidate.includes('rclone ') && candidate.includes(`:${bucket}/`));
      if (line === undefined) throw new Error(`nothing is printed for ${bucket}: ${text}`);
      // the name that is printed is known to no resolver here
      return line.replace(/^ *(?:rclone {3})?/, '').replace(s3Url(environment), s3Endpoint(environment, state).url);
    };

    test.each([
      ['backup', 'AES256', undefined],
      ['archive', 'aws:kms', 'arn:aws:kms:archive-key'],
    ])('rclone copies one part and many into %s by the line that is printed', async (bucket, encryption, key) => {
      const line = printed(bucket).replace(/"$/, 'rclone/"').replace('copy FILE', 'copy "$FILE"');
      expect(await shell(line)).toMatchObject({ code: 0 });
      expect(await shell(line.replace(' copy ', ' check '))).toMatchObject({
        code: 0,
        stderr: expect.stringContaining('2 matching files') as string,
      });
      const s3 = rootS3(deployment());
      for (const name of Object.keys(SIZES)) {
        const head = await s3.send(new HeadObjectCommand({ Bucket: bucket, Key: `rclone/${name}` }));
        expect([head.ServerSideEncryption, head.SSEKMSKeyId]).toEqual([encryption, key]);
      }
      s3.destroy();
    });

    test('rclone copies into a bucket that it made when it is told of SSE-KMS, and calls it corrupted when not', async () => {
      const told = printed('archive').replace(',sse_kms_key_id=archive-key', '').replace(':archive/', `:${OWN}/told`);
      const untold = printed('backup').replace(':backup/', `:${OWN}/untold`);
      const copy = async (line: string) => shell(line.replace('copy FILE', 'copy "$FILE"'));
      expect(await copy(told)).toMatchObject({ code: 0 });
      const refused = await copy(untold);
      expect(refused.code).not.toBe(0);
      expect(refused.stderr).toContain('corrupted on transfer');
    });

    test.each([
      ['backup', '', false],
      ['archive', '', true],
      ['archive', '--no-check-md5', false],
      [OWN, '--no-check-md5', false],
    ])('s3cmd sync into %s %s: the second one sends again: %s', async (bucket, option, again) => {
      const sync = `s3cmd --config "$FILE/.s3cfg" --no-progress --exclude '.*' ${option} sync "$FILE/" s3://${bucket}/${OWN}${option}/`;
      const first = await shell(sync);
      expect(first).toMatchObject({ code: 0, stdout: expect.stringContaining('upload: ') as string });
      const second = await shell(sync);
      expect(second.code).toBe(0);
      expect(second.stdout.includes('upload: ')).toBe(again);
    });
  });

  describe('host-style addresses', () => {
    /** A client that knows the names of the deployment, and notes what it asks for. */
    const hostStyle = () => {
      const { environment, state } = deployment();
      const { accessKey, secretKey } = readCredentials(state.secret.minioRoot);
      const names: string[] = [];
      const knowing: LookupFunction = (name, { all }, found) => {
        names.push(name);
        if (all === true) found(null, [{ address: '127.0.0.1', family: 4 }]);
        else found(null, '127.0.0.1', 4);
      };
      const agent = new Agent({ ca: readFileSync(s3CaFile(environment, state) ?? ''), lookup: knowing });
      const s3 = new S3Client({
        endpoint: s3Url(environment),
        region: environment.minio.region,
        credentials: { accessKeyId: accessKey, secretAccessKey: secretKey.reveal() },
        requestHandler: { httpsAgent: agent },
      });
      return { s3, names, agent, domain: environment.minio.domain ?? '', port: environment.minio.port };
    };

    test.each([
      ['archive', 'archive.'],
      // more labels than the wildcard of a certificate stands for, so that clients put it into the path
      [`host.style.${randomBytes(4).toString('hex')}`, ''],
    ])('an object goes into %s and comes back by the name %sDOMAIN', async (Bucket, label) => {
      const { s3, names, domain } = hostStyle();
      if (label === '') await s3.send(new CreateBucketCommand({ Bucket }));
      await s3.send(new PutObjectCommand({ Bucket, Key: 'host-style', Body: 'as it was' }));
      const answer = await s3.send(new GetObjectCommand({ Bucket, Key: 'host-style' }));
      expect(await answer.Body?.transformToString()).toBe('as it was');
      expect(new Set(names)).toEqual(new Set([`${label}${domain}`]));
      s3.destroy();
    });

    test('the certificate covers the name of a bucket, and of none with a dot', async () => {
      const { agent, domain, port } = hostStyle();
      const ask = async (bucket: string): Promise<unknown> =>
        new Promise((resolve) => {
          get(`https://${bucket}.${domain}:${port}/`, { agent }, ({ statusCode }) => {
            resolve(statusCode);
          }).on('error', ({ message }) => {
            resolve(message);
          });
        });
      expect(await ask('archive')).toBe(403);
      expect(await ask('host.style')).toMatch(/^Hostname\/IP does not match certificate's altnames/);
      agent.destroy();
    });
  });

  describe('versioning', () => {
    test('that nobody declared is none: a delete leaves nothing; what a client switched on stays, what is declared comes back', async () => {
      const { environment, state } = deployment();
      const s3 = rootS3(deployment());
      const Bucket = `versions.${randomBytes(4).toString('hex')}`;
      const provision = async (versioning?: boolean) =>
        provisionBuckets({
          endpoint: s3Endpoint(environment, state),
          region: environment.minio.region,
          operationsFile: state.secret.minioRoot,
          iamFile: state.secret.minioRoot,
          buckets: [{ name: Bucket, encryption: { type: 'sse-s3' }, versioning, objectLock: false }],
          denySseC: false,
        });
      const status = async () => (await s3.send(new GetBucketVersioningCommand({ Bucket }))).Status;
      const set = async (Status: 'Enabled' | 'Suspended') =>
        s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status } }));

      // GIVEN a new bucket
      await provision();
      await provision(false);
      expect(await status()).toBeUndefined();
      await s3.send(new PutObjectCommand({ Bucket, Key: 'pruned', Body: 'x' }));
      await s3.send(new DeleteObjectCommand({ Bucket, Key: 'pruned' }));
      const { Versions = [], DeleteMarkers = [] } = await s3.send(new ListObjectVersionsCommand({ Bucket }));
      expect([...Versions, ...DeleteMarkers]).toEqual([]);
      // WHEN a client switches it on
      await set('Enabled');
      await provision();
      expect(await status()).toBe('Enabled');
      // THEN it is the client's to suspend, too, unless it is declared
      await set('Suspended');
      await provision();
      expect(await status()).toBe('Suspended');
      await provision(false);
      await provision(true);
      expect(await status()).toBe('Enabled');
      await expect(provision(false)).rejects.toThrow(/has versioning on, but is declared with versioning: false/);
      expect(await status()).toBe('Enabled');
      s3.destroy();
    });
  });
}
