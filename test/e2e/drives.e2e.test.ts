/** Several drives on one host: refused where MinIO could not use them, deployed, searched, lost but for themselves, moved. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { SERVICE_UID } from '../../config/docker/service-user';
import { newIdentity } from '../../operations/backup/age/age-keys';
import { type DrillObject, openObjects, writeObjects } from '../../operations/backup/drill/objects';
import { NotYet, waitFor } from '../../operations/lib/wait';
import { shardInfo } from '../../operations/minio/drives/xl-meta';
import { builtMc } from '../../operations/toolchain/findings';
import { mc } from '../helpers/e2e/clients/clients';
import { type CommandResult, mustSucceed, output } from '../helpers/e2e/command';
import { measured } from '../helpers/e2e/clients/measured';
import { keepSigner } from '../helpers/e2e/clients/signer';
import { TestEnvironment } from '../helpers/e2e/test-environment';
import { Workbench } from '../helpers/e2e/workbench';

const BUCKETS = [{ name: 'backup', encryption: { type: 'sse-s3' } }] as const;

/** Folders as they would be mounted, below that of the environment. */
const foldersOf = (environment: TestEnvironment, count: number): string[] =>
  Array.from({ length: count }, (_, index) => path.join(environment.folder, `disk${index + 1}`));

/** As a hint says it. */
function install(folder: string): void {
  const user = String(SERVICE_UID);
  execFileSync('install', ['-d', '-o', user, '-g', user, '-m', '700', folder]);
}

const errorOf = ({ stderr }: CommandResult): string => /^error: ((?:.|\n)*?)^hint: /m.exec(stderr)?.[1]?.trim() ?? '';

/** Where MinIO keeps what is in a bucket, on each drive. */
const onDrives = (folders: readonly string[], bucket: string): number[] =>
  folders.map((folder) => (existsSync(path.join(folder, bucket)) ? readdirSync(path.join(folder, bucket)).length : 0));

describe('four folders of the host', () => {
  let environment: TestEnvironment;
  let folders: string[];
  let objects: readonly DrillObject[];

  beforeAll(async () => {
    environment = await TestEnvironment.create({ buckets: [...BUCKETS] });
    folders = foldersOf(environment, 4);
    environment.write({ buckets: [...BUCKETS], minio: { drives: folders } });
  });
  afterAll(() => environment.remove());

  test('are refused before anything is touched, with the command that makes each right', async () => {
    // GIVEN one that is missing, one of root, one with something else, and one that is right
    const [missing = '', ofRoot = '', other = '', right = ''] = folders;
    mkdirSync(ofRoot);
    for (const folder of [other, right]) install(folder);
    writeFileSync(path.join(other, 'photo'), '');

    // WHEN
    const [up, plan] = [await environment.script('up'), await environment.script('plan')];

    // THEN
    expect([up.code, plan.code]).toEqual([64, 64]);
    expect(errorOf(up).split('\n')).toEqual([
      `minio.drives[0]: ${missing} does not exist on the Docker host`,
      `minio.drives[1]: ${ofRoot} belongs to user 0, and MinIO runs as user ${SERVICE_UID}`,
      `minio.drives[2]: ${other} holds photo, which is not MinIO’s`,
    ]);
    expect(errorOf(plan)).toBe(errorOf(up));
    expect(up.stderr).toContain(`chown ${SERVICE_UID}:${SERVICE_UID} ${ofRoot}\n`);
    expect((await environment.dockerResources()).containers).toEqual([]);
    rmSync(path.join(other, 'photo'));
    install(missing);
    execFileSync('chown', [`${SERVICE_UID}:${SERVICE_UID}`, ofRoot]);
  });

  test('are deployed and proven as one set, and every deploy after that changes nothing', async () => {
    const up = mustSucceed(await environment.script('up'));
    measured('./scripts/up with four folders', up.seconds);
    expect(up.stderr).toContain(`WARNING: minio.drives: ${folders.join(', ')} are on one disk`);
    objects = await writeObjects(environment.loaded);
    const [first = 0, ...others] = onDrives(folders, 'ebs-drill');
    expect(first).toBeGreaterThan(0);
    expect(others).toEqual([first, first, first]);
    await environment.expectNothingToDeploy();
  });

  test('plaintext is found on them', async () => {
    const bench = new Workbench(environment.loaded);
    const only = ['--only', 'ciphertext-on-disk,configuration-on-disk'];
    try {
      await bench.runMinioWith({ MINIO_KMS_AUTO_ENCRYPTION: 'off' });
      const red = await environment.script('check', only);
      expect(red.code).toBe(1);
      // whole in the shard of one drive, cut over two, and in files
      for (const kind of ['inline/xl\\.meta', 'file/[0-9a-f-]+/part\\.1', 'multipart/[0-9a-f-]+/part\\.1']) {
        expect(red.stdout).toMatch(
          new RegExp(`plaintext is in /drives/[1-4]/ebs-check-[0-9a-f]+/auto-encryption-${kind} at byte \\d+`),
        );
      }
    } finally {
      await bench.mend();
    }
    await environment.untilHealthy('minio');
    mustSucceed(await environment.script('check', only));
  });

  test.each<[string, (folders: readonly string[]) => unknown, RegExp]>([
    [
      'in another order',
      ([first, second, ...others]) => [second, first, ...others],
      /^minio\.drives has the drives in another order than MinIO, which cannot change it$/,
    ],
    ['one less', ([first]) => [first], /, and MinIO cannot change the number of its drives, got: folder \S+disk1$/],
    ['one more', (all) => [...all, '/nowhere'], /, and MinIO cannot change the number of its drives, got: folders /],
    ['volumes', () => 4, /, and new volumes would be empty, got: volumes /],
  ])('%s: refused, and nothing is changed', async (_, drives, problem) => {
    const life = await environment.lifeOf('minio');
    const changed = environment.writeOther('changed.yaml', {
      buckets: [...BUCKETS],
      minio: { drives: drives(folders) },
    });
    const up = await environment.scriptWith('up', [changed]);
    expect(up.code).toBe(64);
    expect(errorOf(up)).toMatch(problem);
    expect(await environment.lifeOf('minio')).toBe(life);
  });

  test('everything but the drives is lost: a backup brings every object back, and down leaves the drives', async () => {
    // GIVEN
    const identity = path.join(environment.folder, 'identity.txt');
    const recipient = await newIdentity(identity);
    const file = path.join(environment.folder, 'backup.age');
    keepSigner(identity, mustSucceed(await environment.script('backup', ['--to', file, '--recipient', recipient])));
    const down = mustSucceed(await environment.script('down', ['--delete-data', '--confirm', environment.name]));
    expect(down.stdout).toContain(`find ${folders.join(' ')} -mindepth 1 -delete`);
    expect((await environment.dockerResources()).dataVolumes).toEqual([]);

    // WHEN
    const restore = mustSucceed(await environment.script('restore', ['--from', file, '--identity', identity]));

    // THEN
    measured('./scripts/restore with four folders', restore.seconds);
    await openObjects(environment.loaded, objects);
  });
});

describe('moves', () => {
  let environment: TestEnvironment;
  let objects: readonly DrillObject[];

  beforeAll(async () => {
    environment = await TestEnvironment.create({ buckets: [...BUCKETS] });
    mustSucceed(await environment.script('up'));
    objects = await writeObjects(environment.loaded);
  });
  afterAll(() => environment.remove());

  test('from a volume to a folder, by a copy while MinIO is stopped', async () => {
    // GIVEN an empty folder
    const [folder = ''] = foldersOf(environment, 1);
    const volume = environment.containerName('minio-data');
    install(folder);
    environment.write({ buckets: [...BUCKETS], minio: { drives: [folder] } });
    const early = await environment.script('up');
    expect(early.code).toBe(64);
    expect(errorOf(early)).toBe(
      `the folders of minio.drives are empty, and this environment has its objects on the volume ${volume}`,
    );

    // WHEN
    mustSucceed(await environment.script('down'));
    const { Mountpoint } = await environment.docker.getVolume(volume).inspect();
    execFileSync('cp', ['-a', `${Mountpoint}/.`, folder]);
    const plan = await environment.script('plan');
    const up = mustSucceed(await environment.script('up'));

    // THEN Terraform forgets the volume, and it stays until somebody removes it
    measured('./scripts/up after a copy into a folder', up.seconds);
    expect(plan.code).toBe(2);
    expect(plan.stdout).not.toMatch(/lost|destroy/i);
    await openObjects(environment.loaded, objects);
    await environment.docker.getVolume(volume).remove();
    await environment.expectNothingToDeploy();
    await openObjects(environment.loaded, objects);
  });

  test('from one drive to several with a parity of its own, by a mirror into another environment', async () => {
    // GIVEN
    const next = await TestEnvironment.create();
    const folders = foldersOf(next, 5);
    folders.forEach(install);
    next.write({ buckets: [...BUCKETS], minio: { drives: folders, parity: 1 } });
    try {
      mustSucceed(await next.script('up'));
      const readable = objects.filter(({ customerKey }) => customerKey === undefined);

      // WHEN
      const at = ({ s3Url, credentials: { accessKey, secretKey } }: TestEnvironment): string =>
        s3Url.replace('://', `://${accessKey}:${secretKey.reveal()}@`);
      const aliases = { MC_HOST_old: at(environment), MC_HOST_new: at(next) };
      const trusted = path.join(next.folder, 'both-cas.crt');
      writeFileSync(
        trusted,
        [environment, next].map(({ state }) => readFileSync(state.caCertificate, 'utf8')).join(''),
      );
      const env = { ...aliases, SSL_CERT_FILE: trusted };
      const program = builtMc() ?? '';
      const configuration = ['--config-dir', path.join(next.folder, 'mc')];
      for (const bucket of new Set(readable.map((object) => object.bucket))) {
        await output(program, [...configuration, 'mb', '--ignore-existing', `new/${bucket}`], { env });
        // only their client has the keys of SSE-C
        const mirror = ['mirror', '--exclude', 'SSE-C/*', `old/${bucket}`, `new/${bucket}`];
        await output(program, [...configuration, ...mirror], { env });
      }

      // THEN
      await openObjects(next.loaded, readable);
      const [folder = ''] = folders;
      const [name = ''] = readdirSync(path.join(folder, 'ebs-drill', 'SSE-S3'));
      const meta = readFileSync(path.join(folder, 'ebs-drill', 'SSE-S3', name, 'xl.meta'));
      expect(shardInfo(meta)).toMatchObject({ dataShards: 4 });
    } finally {
      await next.remove();
    }
  });

  test('from a MinIO of somebody else, when that is said', async () => {
    // GIVEN a MinIO that never had a KMS, with an object
    const next = await TestEnvironment.create();
    const [folder = ''] = foldersOf(next, 1);
    install(folder);
    const body = randomBytes(100_000);
    try {
      await plainMinio(next, folder, body);
      next.write({ minio: { drives: [folder] } });
      const refused = await next.script('up');
      expect(refused.code).toBe(64);
      expect(errorOf(refused)).toMatch(/ holds data of MinIO \S+, which is not that of this environment$/);

      // WHEN
      next.write({ minio: { drives: [{ path: folder, adopt: true }] } });
      const up = await next.script('up');

      // THEN the object is there, and the checks say what that MinIO wrote in the clear
      expect(up.code).toBe(1);
      expect(up.stderr).toMatch(/configuration-on-disk: \.minio\.sys\/config\/config\.json\/xl\.meta is not encrypted/);
      await mc(next, ['mirror', 'e2e/theirs', path.join(next.folder, 'theirs')]);
      expect(readFileSync(path.join(next.folder, 'theirs', 'object')).equals(body)).toBe(true);
    } finally {
      await next.remove();
    }
  });

  /** Runs one as the service user until it has an object. */
  async function plainMinio(next: TestEnvironment, folder: string, body: Buffer): Promise<void> {
    const { Image } = (await environment.docker.getContainer(environment.containerName('minio')).inspect()).Config;
    const password = randomBytes(16).toString('hex');
    writeFileSync(path.join(next.folder, 'object'), body);
    const container = await environment.docker.createContainer({
      Image,
      User: `${SERVICE_UID}:${SERVICE_UID}`,
      Cmd: ['minio', 'server', '--quiet', '/theirs'],
      Env: [
        'MINIO_ROOT_USER=tester',
        `MINIO_ROOT_PASSWORD=${password}`,
        `MC_HOST_here=http://tester:${password}@127.0.0.1:9000`,
      ],
      HostConfig: { NetworkMode: 'none', Binds: [`${folder}:/theirs`, `${next.folder}/object:/object:ro`] },
    });
    try {
      await container.start();
      const bench = new Workbench(next.loaded);
      const write =
        'mc --config-dir /tmp/mc mb --ignore-existing here/theirs && mc --config-dir /tmp/mc cp /object here/theirs/';
      await waitFor({ what: 'a MinIO without KMS to take an object', timeoutMs: 60_000 }, async () => {
        const { code, output: said } = await bench.execute(container, ['busybox', 'sh', '-c', write]);
        return code === 0 ? true : new NotYet(said);
      });
      await container.stop();
    } finally {
      await container.remove({ force: true, v: true });
    }
  }
});
