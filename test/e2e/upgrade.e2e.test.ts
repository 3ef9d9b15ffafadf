/**
 * What an earlier version of this project has deployed is upgraded: MinIO without the guard becomes MinIO with it, under the
 * load of a client, and goes back.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { imageReference, type Program } from '../../config/docker/image-source';
import { CHECKED_ROWS } from '../../config/guard-rules';
import { newIdentity } from '../../operations/backup/age/age-keys';
import { type DrillObject, openObjects, writeObjects } from '../../operations/backup/drill/objects';
import { readToolchain } from '../../operations/toolchain/findings';
import { buildImage } from '../../operations/toolchain/images/push-images';
import { shippedVersions } from '../../operations/toolchain/versions';
import { mustSucceed } from '../helpers/e2e/command';
import { measured } from '../helpers/e2e/clients/measured';
import { SteadyLoad } from '../helpers/e2e/clients/steady-load';
import { type Settings, TestEnvironment } from '../helpers/e2e/test-environment';
import { buildUnguardedImage } from '../helpers/e2e/unguarded-image';

/** How long an upgrade of MinIO on one host may leave clients without an answer. */
const SILENT_LIMIT_MS = 10_000;
const UNGUARDED = `encrypted-backup-storage/minio:${randomBytes(8).toString('hex')}`;

let environment: TestEnvironment;
/** The images that this version ships. */
let shipped: Readonly<Record<'vault' | 'kes' | 'minio', string>>;
let backups: string;
let recipient: string;
let objects: readonly DrillObject[];

/** As it was deployed by an earlier version. */
const earlier = (more: Settings = {}): Settings => ({
  images: { source: 'registry', ...shipped, minio: UNGUARDED },
  minio: { acceptedRisks: [...CHECKED_ROWS] },
  ...more,
});

const minioRuns = async (): Promise<string> =>
  (await environment.docker.getContainer(environment.containerName('minio')).inspect()).Config.Image;

beforeAll(async () => {
  environment = await TestEnvironment.create();
  const { docker } = environment;
  const { images } = readToolchain();
  if (images === undefined) throw new Error('./scripts/toolchain has built no images');
  const built = (program: Program & keyof typeof images) => {
    const context = images[program];
    if (context === undefined) throw new Error(`no image of ${program} was built`);
    return {
      ...context,
      tag: imageReference({ kind: 'build', repository: `encrypted-backup-storage/${program}`, ...context }),
    };
  };
  const [vault, kes, minio] = [built('vault'), built('kes'), built('minio')];
  for (const image of [vault, kes, minio]) await buildImage(docker, image.tag, image);
  shipped = { vault: vault.tag, kes: kes.tag, minio: minio.tag };
  await buildUnguardedImage(docker, UNGUARDED, minio.tag, '/usr/bin/minio');
  backups = environment.folderFor('backups');
  mkdirSync(backups, { recursive: true });
  recipient = await newIdentity(path.join(environment.folder, 'identity.txt'));
  environment.write(earlier());
  mustSucceed(await environment.script('up'));
  objects = await writeObjects(environment.loaded);
});

afterAll(async () => {
  await environment.remove();
  await environment.docker.getImage(UNGUARDED).remove({ noprune: true });
});

test('versions says what runs, and that no registry has what was built here', async () => {
  const { stdout, stderr } = mustSucceed(await environment.script('versions'));
  expect(stdout).toContain(`\n  MinIO    ${UNGUARDED}\n`);
  expect(stdout).toContain(` image ${UNGUARDED}: it was built here, and no registry has it\n`);
  expect(stderr).toContain(`warning: image ${UNGUARDED} cannot be had: it was built here, and no registry has it\n`);
});

test('an upgrade without a backup is refused, and nothing is deployed', async () => {
  environment.write({});
  const { code, stderr } = await environment.script('up');
  expect(code).toBe(64);
  expect(stderr).toContain(
    'error: an upgrade needs a backup of the last 24 hours with every master key, found: none\n',
  );
  expect(stderr).toContain(`or go on without: ./scripts/up ${environment.file} --without-backup. Nothing was deployed`);
  expect(await minioRuns()).toBe(UNGUARDED);
});

test('the upgrade is rehearsed on a copy, with the images that run first, and back', async () => {
  const { stdout, stderr } = mustSucceed(
    await environment.script('drill', ['--upgrade'], {
      env: { XDG_STATE_HOME: path.join(environment.folder, 'drill-state') },
      // three deploys
      timeoutMs: 1_150_000,
    }),
  );
  expect(stdout).toContain(`Upgrade of a copy of ${environment.name}: passed\n`);
  expect(stdout).toContain(`  MinIO: from ${UNGUARDED} to `);
  expect(stdout).toMatch(/ {2}objects {2}(\d+) written before the upgrade, \1 read after it and the same\n/);
  expect(stderr).toContain('✔ MinIO and KES go back');
  expect(await minioRuns()).toBe(UNGUARDED);
});

test('it is backed up, MinIO alone is replaced, clients that try again notice nothing, and every object opens', async () => {
  environment.write({ schedule: { backup: { to: backups, recipients: [recipient] } } });
  const others = await Promise.all(['vault', 'kes'].map((program) => environment.lifeOf(program)));
  const s3 = environment.s3(1);
  const load = new SteadyLoad({ s3, buckets: ['ebs-drill'], patient: true });
  await load.answered(20);
  const { stderr } = mustSucceed(await environment.script('up'));
  await load.answered(20);
  const { requests, retried, failures, silentMs } = await load.stop();
  s3.destroy();

  const to = (await shippedVersions(environment.loaded.environment, readToolchain())).programs.minio;
  expect(stderr).toContain(`MinIO: from ${UNGUARDED} to ${to?.version ?? ''} (${shipped.minio})\n`);
  expect(stderr).toContain('back to the version of before, MinIO: name the image of before in images');
  expect(stderr).not.toContain('Vault: from');
  expect(readdirSync(backups)).toHaveLength(1);
  expect(stderr).toContain(`Backup before the upgrade: ${path.join(backups, readdirSync(backups)[0] ?? '')}`);
  expect(await Promise.all(['vault', 'kes'].map((program) => environment.lifeOf(program)))).toEqual(others);
  expect(await minioRuns()).toBe(shipped.minio);
  measured(`MinIO upgraded under ${requests} requests, ${retried} sent again; none answered for`, silentMs / 1000);
  expect(failures).toEqual([]);
  expect(silentMs).toBeLessThan(SILENT_LIMIT_MS);
  await openObjects(environment.loaded, objects);
});

test('a second run upgrades nothing and makes no backup', async () => {
  const { stderr } = mustSucceed(await environment.script('up'));
  expect(stderr).toContain('Versions: nothing is upgraded');
  expect(readdirSync(backups)).toHaveLength(1);
});

test('MinIO goes back to the image of before, and every object opens', async () => {
  environment.write(earlier());
  // the backup of the upgrade is recent, and no key is younger
  const { stderr } = mustSucceed(await environment.script('up'));
  expect(stderr).toContain(`(${shipped.minio}) to ${UNGUARDED}\n`);
  expect(await minioRuns()).toBe(UNGUARDED);
  await openObjects(environment.loaded, objects);
});
