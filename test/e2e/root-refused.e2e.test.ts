/** A deployment that refuses MinIO's root user from its first deploy on: every command does its part, and root stays refused. */
import { CreateBucketCommand, ListBucketsCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parse, stringify } from 'yaml';
import { z } from 'zod';
import { s3Endpoint } from '../../config/state/endpoints';
import { clientFile } from '../../config/state/layout';
import { newIdentity } from '../../operations/backup/age/age-keys';
import { type DrillObject, openObjects, writeObjects } from '../../operations/backup/drill/objects';
import { projectRoot } from '../../operations/lib/project-root';
import { readAccessKeys } from '../../operations/minio/clients/access-keys';
import { MinioAdmin, openAdmin, RefusedByMinio } from '../../operations/minio/minio-admin';
import { setRootAccess } from '../../operations/minio/provision-identities';
import { openS3, readCredentials, s3Client, type S3Credentials } from '../../operations/minio/s3-client';
import { type CommandResult, mustSucceed, runCommand } from '../helpers/e2e/command';
import { measured } from '../helpers/e2e/clients/measured';
import { collectSecrets, dockerHaystacks, fileHaystacks, searchFor } from '../helpers/e2e/secrets';
import { keepSigner } from '../helpers/e2e/clients/signer';
import { type Settings, TestEnvironment } from '../helpers/e2e/test-environment';
import { openingNothing, Workbench } from '../helpers/e2e/workbench';

const CLIENT = 'laptop';
const SETTINGS: Settings = {
  // the default
  minio: { defaultKey: 'backup-default', rootAccess: undefined, drives: 4 },
  buckets: [
    { name: 'backup', encryption: { type: 'sse-s3' } },
    { name: 'archive', encryption: { type: 'sse-kms', key: 'archive-key' }, versioning: true },
  ],
  clients: [{ name: CLIENT, access: [{ bucket: 'backup', may: 'write' }] }],
  monitoring: {},
};

describe('an environment that refuses root', () => {
  let environment: TestEnvironment;
  let identity: string;
  let recipient: string;
  let objects: readonly DrillObject[];

  beforeAll(async () => {
    environment = await TestEnvironment.create(SETTINGS);
    identity = path.join(environment.folder, 'identity.txt');
    recipient = await newIdentity(identity);
  });
  afterAll(async () => {
    await environment.remove();
  });

  /** What S3 and administration answer to somebody. */
  async function answersTo(credentials: S3Credentials): Promise<Record<'s3' | 'administration', number>> {
    const { environment: declared, state } = environment.loaded;
    const endpoint = s3Endpoint(declared, state);
    const { region } = declared.minio;
    const s3 = s3Client({ endpoint, region, credentials });
    const admin = new MinioAdmin(endpoint, region, credentials);
    const refused = (error: unknown): number => {
      if (error instanceof RefusedByMinio) return error.status;
      return (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode ?? 0;
    };
    try {
      return {
        s3: await s3.send(new ListBucketsCommand({})).then(() => 200, refused),
        administration: await admin.drives().then(() => 200, refused),
      };
    } finally {
      s3.destroy();
      admin.close();
    }
  }

  const answers = async () => ({
    root: await answersTo(environment.credentials),
    operations: await answersTo(readCredentials(environment.state.secret.minioOperations)),
  });
  const [letIn, refused] = [200, 403].map((status) => ({ s3: status, administration: status }));

  /** Rotations have edited the file. */
  function writeRootAccess(rootAccess: boolean | undefined): void {
    const settings = parse(readFileSync(environment.file, 'utf8')) as { minio: object };
    writeFileSync(environment.file, stringify({ ...settings, minio: { ...settings.minio, rootAccess } }));
  }

  async function client(...args: string[]): Promise<CommandResult> {
    const [what = '', ...more] = args;
    return runCommand(path.join(projectRoot, 'scripts', 'client'), [what, ...more, environment.file], {
      transcript: environment.transcript,
    });
  }

  test('up deploys it, names its clients and not the root credentials, and a second one changes nothing', async () => {
    const first = mustSucceed(await environment.script('up'));
    expect(first.stdout).toContain(`\n  clients       ${CLIENT}\n`);
    expect(first.stdout).toContain(`\n  ./scripts/client show ${CLIENT} ${environment.file} --for env `);
    expect(first.stdout).not.toContain(environment.state.secret.minioConfigEnv);
    expect(await answers()).toEqual({ root: refused, operations: letIn });
    await environment.expectNothingToDeploy();
    objects = await writeObjects(environment.loaded);
  });

  test('every check is green, and none is skipped for want of rights', async () => {
    const { stdout } = mustSucceed(await environment.script('check', ['--disruptive', '--json']));
    const { results } = z
      .object({ results: z.array(z.object({ id: z.string(), status: z.string() })) })
      .parse(JSON.parse(stdout));
    const statusOf = Object.fromEntries(results.map(({ id, status }) => [id, status]));
    expect(statusOf).toMatchObject({
      ...{ 'root-refused': 'passed', 'objects-encrypted': 'passed', 'clients-declared': 'passed' },
      ...{ 'clients-confined': 'passed', 'metrics-readers-confined': 'passed', 'unreadable-without-kes': 'passed' },
    });
    expect(await answers()).toEqual({ root: refused, operations: letIn });
  });

  test('a setting is changed while KES opens nothing: root stays refused, and the change waits for KES', async () => {
    const bench = new Workbench(environment.loaded);
    const operations = openAdmin(environment.loaded);
    const root = async () => (await answers()).root;
    try {
      await bench.configureKes(openingNothing);
      const changed = setRootAccess(operations, false).then(() => 'changed');
      // with the settings by default MinIO would let it in
      for (let look = 0; look < 20; look++) {
        expect(await root()).toEqual(refused);
        await delay(300);
      }
      await bench.mend();
      expect(await changed).toBe('changed');
      expect(await root()).toEqual(refused);
    } finally {
      await bench.mend();
      operations.close();
    }
  });

  test('objects from before are found by the check, and encrypted', async () => {
    const bench = new Workbench(environment.loaded);
    const only = ['--only', 'objects-encrypted'];
    try {
      await bench.runMinioWith({ MINIO_KMS_AUTO_ENCRYPTION: 'off' });
      const s3 = openS3(environment.loaded, { as: 'minioObjects' });
      const operations = openS3(environment.loaded);
      await operations.send(new CreateBucketCommand({ Bucket: 'from-before' }));
      await s3.send(new PutObjectCommand({ Bucket: 'from-before', Key: 'plain', Body: 'plain' }));
      s3.destroy();
      operations.destroy();
    } finally {
      await bench.mend();
    }
    const red = await environment.script('check', only);
    expect(red.stdout).toContain('bucket from-before has versions that are not encrypted: 1 current; such as plain');
    const { stdout } = mustSucceed(await environment.script('encrypt'));
    expect(stdout).toMatch(/^Encrypted 1 objects of /);
    mustSucceed(await environment.script('check', only));
    expect(await answers()).toEqual({ root: refused, operations: letIn });
  });

  test('clients are listed and shown, and one is given another key', async () => {
    const key = (): string =>
      readAccessKeys(clientFile(environment.state.secret.clients, CLIENT))?.current.accessKey ?? '';
    expect(mustSucceed(await client('list')).stdout).toContain(CLIENT);
    expect(mustSucceed(await client('show', CLIENT)).stdout).toContain(CLIENT);
    const before = key();
    mustSucceed(await environment.rotate(['client', CLIENT]));
    mustSucceed(await environment.rotate(['client', CLIENT, '--finish']));
    expect(key()).not.toBe(before);
    mustSucceed(await client('mend'));
  });

  test.each([
    [['secret-id']],
    [['root-credentials']],
    [['master-key', 'backup-default']],
    [['inventory']],
    [['client-identity']],
    [['certificates']],
    [['master-key', 'archive-key']],
  ])('./scripts/rotate %j', async (what) => {
    const result = mustSucceed(await environment.rotate(what));
    measured(`./scripts/rotate ${what.join(' ')}, root refused`, result.seconds);
    expect(await answers()).toEqual({ root: refused, operations: letIn });
    await openObjects(environment.loaded, objects);
  });

  test('heal looks at every object', async () => {
    mustSucceed(await environment.script('heal'));
    expect(await answers()).toEqual({ root: refused, operations: letIn });
  });

  test('a drill proves a copy', async () => {
    const env = { XDG_STATE_HOME: path.join(environment.folder, 'drill-state') };
    mustSucceed(await environment.script('drill', [], { env }));
    expect(await answers()).toEqual({ root: refused, operations: letIn });
  });

  test('a backup is restored where nothing is left: users are back, root is refused, and the client has its key', async () => {
    const file = path.join(environment.folder, 'backup.age');
    keepSigner(identity, mustSucceed(await environment.script('backup', ['--to', file, '--recipient', recipient])));
    const secretsBefore = collectSecrets(environment.state);
    await environment.lose(/./);
    rmSync(environment.state.root, { recursive: true });

    const restored = mustSucceed(await environment.script('restore', ['--from', file, '--identity', identity]));
    measured('./scripts/restore of everything, root refused', restored.seconds);
    expect(restored.stderr).not.toContain('NOT restored');
    expect(await answers()).toEqual({ root: refused, operations: letIn });
    const { current } = readAccessKeys(clientFile(environment.state.secret.clients, CLIENT)) ?? {};
    if (current === undefined) throw new Error('the client has no key');
    const { environment: declared, state } = environment.loaded;
    const s3 = s3Client({
      endpoint: s3Endpoint(declared, state),
      region: declared.minio.region,
      credentials: current,
    });
    await s3.send(new PutObjectCommand({ Bucket: 'backup', Key: 'after the restore', Body: 'x' }));
    s3.destroy();
    mustSucceed(await environment.script('check'));
    const all = [...secretsBefore, ...collectSecrets(environment.state)];
    expect(searchFor(all, [...fileHaystacks(environment), ...(await dockerHaystacks(environment))])).toEqual([]);
  });

  test('rootAccess: true lets root in for a recovery, and it makes lost identities again', async () => {
    rmSync(environment.state.secret.minioIam);
    const { code, stderr } = await environment.script('up');
    expect(code).not.toBe(0);
    expect(stderr).toContain(`MinIO refuses the identity in ${environment.state.secret.minioIam}, and root as well: `);
    expect(await answers()).toEqual({ root: refused, operations: letIn });
    writeRootAccess(true);
    mustSucceed(await environment.script('up'));
    expect(await answers()).toEqual({ root: letIn, operations: letIn });
  });

  test('a deployment of an earlier version is told by one deploy, and the next one has root refused', async () => {
    // GIVEN one that lets root in, and knows no users of the project
    const { identitiesNote, secret } = environment.state;
    const admin = openAdmin(environment.loaded);
    await setRootAccess(admin, true);
    admin.close();
    for (const file of [identitiesNote, secret.minioOperations, secret.minioIam, secret.minioObjects]) rmSync(file);
    writeRootAccess(undefined);
    const { stdout } = mustSucceed(await environment.script('up'));
    expect(stdout).toContain('  note          the next deploy has MinIO refuse its root user: ');
    expect(await answers()).toEqual({ root: letIn, operations: letIn });
    expect(mustSucceed(await environment.script('check', ['--only', 'root-refused'])).stdout).toContain(
      'the next deploy has MinIO refuse its root user',
    );
    expect((await environment.script('plan')).code).toBe(2);

    mustSucceed(await environment.script('up'));
    expect(await answers()).toEqual({ root: refused, operations: letIn });
    mustSucceed(await environment.script('check', ['--only', 'root-refused,identities-declared']));
    await environment.expectNothingToDeploy();
  });
});
