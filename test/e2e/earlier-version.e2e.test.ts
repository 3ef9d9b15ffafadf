/**
 * What an earlier commit of this project has deployed is upgraded: one from before versions were noted, several hosts, and
 * users of its own. It is taken from the history of the clone, and installs the packages of its own lock file.
 */
import { ListBucketsCommand, type S3Client } from '@aws-sdk/client-s3';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { newIdentity } from '../../operations/backup/age/age-keys';
import { projectRoot } from '../../operations/lib/project-root';
import { ROOT_ANNOUNCED } from '../../operations/minio/provision-identities';
import { openS3 } from '../../operations/minio/s3-client';
import { planReport } from '../../operations/terraform/plan/report';
import { ObjectSet } from '../helpers/e2e/clients/object-set';
import { mustSucceed, runCommand } from '../helpers/e2e/command';
import { type Settings, TestEnvironment } from '../helpers/e2e/test-environment';

const EARLIER = '4518cfa9b790dffda586233760fe7042e201e781';
const CHECKOUT = path.join(projectRoot, '.toolchain', 'earlier');
/** What the earlier version knew of, too: without a word on root. */
const SETTINGS: Settings = {
  minio: { defaultKey: 'backup-default', rootAccess: undefined, drives: 4 },
  buckets: [
    { name: 'backup', encryption: { type: 'sse-s3' } },
    { name: 'archive', encryption: { type: 'sse-kms', key: 'archive-key' }, versioning: true },
  ],
};
const MODES = ['backup', 'archive'].map((bucket) => ({ name: `of ${bucket}`, bucket, options: {} }));

const isKnown = spawnSync('git', ['cat-file', '-e', `${EARLIER}^{commit}`], { cwd: projectRoot }).status === 0;
// a clone without its history, and a part of one, cannot try it
const withHistory = isKnown ? describe : describe.skip;

withHistory('what an earlier commit has deployed', () => {
  let environment: TestEnvironment;
  let objects: ObjectSet;
  let open = (): S3Client => environment.s3();

  beforeAll(async () => {
    rmSync(CHECKOUT, { recursive: true, force: true });
    mkdirSync(CHECKOUT, { recursive: true });
    const archive = execFileSync('git', ['archive', EARLIER], { cwd: projectRoot, maxBuffer: 256 * 1024 * 1024 });
    execFileSync('tar', ['-x', '-C', CHECKOUT], { input: archive });
    environment = await TestEnvironment.create(SETTINGS);
    const { transcript, file } = environment;
    mustSucceed(await runCommand(path.join(CHECKOUT, 'scripts', 'up'), [file], { transcript }));
    objects = new ObjectSet(() => open());
    await objects.write(MODES, 40);
  });
  afterAll(async () => {
    await environment.remove();
    rmSync(CHECKOUT, { recursive: true, force: true });
  });

  const answerToRoot = async (): Promise<unknown> => {
    const s3 = environment.s3();
    try {
      return (await s3.send(new ListBucketsCommand({}))).$metadata.httpStatusCode;
    } catch (error) {
      return (error as Error).name;
    } finally {
      s3.destroy();
    }
  };

  test('its versions are not noted; a plan of the upgrade deletes neither keys nor objects', async () => {
    expect(existsSync(environment.state.versions)).toBe(false);
    const { outcome, stacks } = planReport.parse(JSON.parse((await environment.script('plan', ['--json'])).stdout));
    expect(outcome).toBe('changes');
    expect(stacks.flatMap(({ changes }) => changes).filter(({ destroysData }) => destroysData)).toEqual([]);
  });

  test('is backed up, and upgraded: root is told, and every object opens', async () => {
    const recipient = await newIdentity(path.join(environment.folder, 'identity.txt'));
    const file = path.join(environment.folder, 'backup.age');
    mustSucceed(await environment.script('backup', ['--to', file, '--recipient', recipient]));
    const { stdout } = mustSucceed(await environment.script('up'));
    expect(stdout).toContain(`note          ${ROOT_ANNOUNCED}`);
    expect(await answerToRoot()).toBe(200);
    expect(await objects.lost()).toEqual([]);
    expect(existsSync(environment.state.versions)).toBe(true);
  });

  test('is as a new one after the next deploy: root is refused, the checks pass, and nothing is left to deploy', async () => {
    const { stdout } = mustSucceed(await environment.script('up'));
    expect(stdout).not.toContain(ROOT_ANNOUNCED);
    expect(await answerToRoot()).toBe('InvalidAccessKeyId');
    open = () => openS3(environment.loaded, { as: 'minioObjects' });
    expect(await objects.lost()).toEqual([]);
    mustSucceed(await environment.script('check'));
    await environment.expectNothingToDeploy();
  });
});
