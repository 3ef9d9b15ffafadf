/** A cluster that is full: three hosts become two pools of three, with the same keys and objects. */
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectVersionsCommand,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { chownSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { SERVICE_UID } from '../../config/docker/service-user';
import { newIdentity } from '../../operations/backup/age/age-keys';
import { thisMachine } from '../../operations/lib/machine';
import { NotYet, waitFor } from '../../operations/lib/wait';
import { readableDrives } from '../../operations/minio/drives/drives';
import { s3Client } from '../../operations/minio/s3-client';
import { readToolchain } from '../../operations/toolchain/findings';
import { measured } from '../helpers/e2e/clients/measured';
import { type Mode, ObjectSet, putObject } from '../helpers/e2e/clients/object-set';
import { type LoadResult, SteadyLoad } from '../helpers/e2e/clients/steady-load';
import { type CommandResult, mustSucceed } from '../helpers/e2e/command';
import { DockerHosts } from '../helpers/e2e/servers/docker-hosts';
import { type Settings, TestEnvironment } from '../helpers/e2e/test-environment';

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f'] as const;
const DISKS = ['/mnt/disk1', '/mnt/disk2'];
const PLAIN: Mode = { name: 'no header', bucket: 'backup', options: {} };
const MODES: Mode[] = [
  PLAIN,
  { name: 'SSE-KMS', bucket: 'backup', options: { ServerSideEncryption: 'aws:kms' } },
  { name: 'versions', bucket: 'archive', options: {} },
];
/** Whoever waits as long as restic and mc do is not refused while all nodes start again. */
const PATIENCE_MS = 300_000;

let hosts: DockerHosts;
let environment: TestEnvironment;

function settings(count: number, pools?: readonly number[]): Settings {
  return {
    hosts: NAMES.slice(0, count).map((name, index) => {
      const { host: docker, certPath: certificates } = hosts.tls(index + 1);
      return { name, address: hosts.address(index + 1), docker, certificates };
    }),
    minio: { drives: DISKS, memoryMb: 512, ...(pools === undefined ? {} : { pools }) },
    buckets: [
      { name: 'backup', encryption: { type: 'sse-s3' } },
      { name: 'archive', encryption: { type: 'sse-s3' }, versioning: true },
    ],
  };
}

/** Where what is on the disks of a host lies on this machine. */
const disksOf = (host: number): string => path.join(path.dirname(hosts.certPath), `h${host}`, 'disks');

/** Each host has disks of its own at the same paths, which are there again after it lost its power. */
async function giveDisks(host: number): Promise<void> {
  const disks = disksOf(host);
  for (const disk of DISKS) {
    const folder = path.join(disks, path.basename(disk));
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    chownSync(folder, SERVICE_UID, SERVICE_UID);
  }
  hosts.atBoot(host, [`mount --bind ${disks} /mnt`]);
  await hosts.powerOff(host);
  await hosts.powerOn(host);
}

function emptyDisks(host: number): void {
  for (const disk of DISKS) {
    const folder = path.join(disksOf(host), path.basename(disk));
    for (const entry of readdirSync(folder)) rmSync(path.join(folder, entry), { recursive: true });
  }
}

function s3Of(host: number, attempts?: number): S3Client {
  const { environment: settled, state } = environment.loaded;
  return s3Client({
    endpoint: { url: `https://${hosts.address(host)}:${settled.minio.port}`, caFile: state.caCertificate },
    region: settled.minio.region,
    credentials: environment.credentials,
    ...(attempts === undefined ? {} : { attempts }),
  });
}

/** How many objects, of a name that begins so, are on the first drive of a host. */
async function objectsOn(host: (typeof NAMES)[number], bucket: string, prefix: string): Promise<number> {
  const drive = readableDrives(environment.loaded).find((one) => one.path.startsWith(`${host}:`));
  if (drive === undefined) throw new Error(`host ${host} has no drive`);
  const chunks: Buffer[] = [];
  for await (const chunk of await drive.read(bucket)) chunks.push(Buffer.from(chunk));
  const text = Buffer.concat(chunks).toString('latin1');
  return text.split(`\0${bucket}/${prefix}`).filter((entry) => /^[^\0]*\/xl\.meta\0/.test(entry)).length;
}

async function underLoad(host: number, act: () => Promise<void>): Promise<LoadResult> {
  const s3 = s3Of(host, 1);
  const buckets = ['backup', 'archive'];
  const load = new SteadyLoad({ s3, buckets, patient: true, patienceMs: PATIENCE_MS, perSecond: 4 });
  let result: LoadResult;
  try {
    await load.answered(20);
    await act();
    await load.answered(40);
  } finally {
    result = await load.stop();
    s3.destroy();
  }
  return result;
}

async function untilCheckPasses(): Promise<CommandResult> {
  return waitFor({ what: 'the checks to pass', timeoutMs: 180_000 }, async () => {
    const result = await environment.script('check');
    return result.code === 0 ? result : new NotYet(result.stdout + result.stderr);
  });
}

// said in the report of the run, where the kernel lets nobody make namespaces
(thisMachine().root ? describe : describe.skip)('a second pool', () => {
  let objects: ObjectSet;

  beforeAll(async () => {
    environment = await TestEnvironment.create();
    const { images } = readToolchain();
    const template = images === undefined ? undefined : await DockerHosts.template(environment.folder, images);
    hosts = await DockerHosts.start(NAMES.length, environment.folder, template);
    for (const index of NAMES.keys()) await giveDisks(index + 1);
    environment.write(settings(3));
    mustSucceed(await environment.script('up'));
    objects = new ObjectSet(() => s3Of(2));
    await objects.write(MODES, 300);
  });

  afterAll(async () => {
    await hosts.remove();
    rmSync(environment.folder, { recursive: true, force: true });
  });

  test('a fourth host in the pool that there is is refused, and nothing is deployed', async () => {
    environment.write(settings(4));
    const { code, stderr } = await environment.script('up');
    expect(code).toBe(64);
    expect(stderr).toContain('was deployed on a, b, c, and neither the order of hosts nor their pools can change');
  });

  test('it needs each of its hosts', async () => {
    environment.write(settings(6, [3, 3]));
    await hosts.powerOff(6);
    const { code, stderr } = await environment.script('up');
    expect(code).toBeGreaterThan(0);
    expect(stderr).toMatch(/host f does not answer .*, and a new pool needs every host/);
    await hosts.powerOn(6);
    expect(await objects.lost()).toEqual([]);
  });

  test('it is deployed under load: clients that try again are never refused, and every check passes', async () => {
    const { failures, silentMs } = await underLoad(1, async () => {
      const { seconds } = mustSucceed(await environment.script('up'));
      measured('./scripts/up with a second pool', seconds);
    });
    measured('… no request is answered', silentMs / 1000);
    expect(failures).toEqual([]);
    expect(await objects.lost()).toEqual([]);
  });

  test('new objects are in either pool, and read through every host', async () => {
    await objects.write(MODES, 300);
    for (const host of ['a', 'f'] as const) expect(await objectsOn(host, 'backup', 'set/')).toBeGreaterThan(20);
    for (const host of [1, 6]) {
      const through = new ObjectSet(() => s3Of(host));
      const s3 = s3Of(7 - host);
      through.add(PLAIN, await putObject(s3, PLAIN, `by-${7 - host}`, Buffer.from('x')));
      s3.destroy();
      expect(await through.lost()).toEqual([]);
    }
    expect(await objects.lost()).toEqual([]);
  });

  test('an object that is written over in the other pool is what was written last, and deleted it is gone', async () => {
    const s3 = s3Of(1);
    const object = { Bucket: 'backup', Key: 'over' };
    for (let round = 0; round < 20; round++) {
      await s3.send(new PutObjectCommand({ ...object, Body: `round ${round}` }));
      expect(await (await s3.send(new GetObjectCommand(object))).Body?.transformToString()).toBe(`round ${round}`);
    }
    await s3.send(new DeleteObjectCommand(object));
    await expect(s3.send(new GetObjectCommand(object))).rejects.toThrow('The specified key does not exist');
    for (const host of ['a', 'f'] as const) expect(await objectsOn(host, 'backup', 'over')).toBe(0);
    s3.destroy();
  });

  test('versions are in either pool: each is read and deleted by its id', async () => {
    const s3 = s3Of(1);
    const object = { Bucket: 'archive', Key: 'versions' };
    const ids: (string | undefined)[] = [];
    for (let round = 0; round < 20; round++) {
      ids.push((await s3.send(new PutObjectCommand({ ...object, Body: `round ${round}` }))).VersionId);
    }
    for (const host of ['a', 'f'] as const) expect(await objectsOn(host, 'archive', 'versions')).toBe(1);
    const { Versions = [] } = await s3.send(new ListObjectVersionsCommand({ Bucket: 'archive', Prefix: 'versions' }));
    expect(Versions.map(({ VersionId }) => VersionId)).toEqual(ids.toReversed());
    for (const [round, VersionId] of ids.entries()) {
      const { Body } = await s3.send(new GetObjectCommand({ ...object, VersionId }));
      expect(await Body?.transformToString()).toBe(`round ${round}`);
      await s3.send(new DeleteObjectCommand({ ...object, VersionId }));
      await expect(s3.send(new GetObjectCommand({ ...object, VersionId }))).rejects.toThrow();
    }
    s3.destroy();
  });

  test('up again changes nothing, and a heal looks at both pools', async () => {
    const { stderr, seconds } = mustSucceed(await environment.script('up'));
    measured('./scripts/up on two pools, nothing to do', seconds);
    expect(stderr).not.toMatch(/\d+ (?:added|changed|destroyed)/);
    mustSucceed(await environment.script('heal'));
  });

  test('a host of each pool loses its power: nothing is lost, and what they missed is healed', async () => {
    const { failures, troubledMs } = await underLoad(1, async () => {
      await Promise.all([hosts.powerOff(3), hosts.powerOff(6)]);
    });
    measured('a host of each pool loses its power: trouble', troubledMs / 1000);
    expect(failures).toEqual([]);
    expect(await objects.lost()).toEqual([]);
    await Promise.all([hosts.powerOn(3), hosts.powerOn(6)]);
    await untilCheckPasses();
    mustSucceed(await environment.script('heal'));
    await Promise.all([hosts.powerOff(1), hosts.powerOff(4)]);
    expect(await objects.lost()).toEqual([]);
    await Promise.all([hosts.powerOn(1), hosts.powerOn(4)]);
    await untilCheckPasses();
    mustSucceed(await environment.script('heal'));
  });

  test('it cannot be taken away', async () => {
    environment.write(settings(3));
    const { code, stderr } = await environment.script('up');
    expect(code).toBe(64);
    expect(stderr).toContain('was deployed on a, b, c and d, e, f');
    environment.write(settings(6, [3, 3]));
  });

  test('it is backed up', async () => {
    const recipient = await newIdentity(path.join(environment.folder, 'identity.txt'));
    const file = path.join(environment.folder, 'backup.age');
    mustSucceed(await environment.script('backup', ['--to', file, '--recipient', recipient]));
  });

  test.each([['secret-id'], ['master-key', 'backup-default']])('rotate %s', async (...what) => {
    const { failures } = await underLoad(1, async () => {
      const { seconds } = mustSucceed(await environment.rotate(what));
      measured(`./scripts/rotate ${what.join(' ')} on two pools`, seconds);
    });
    expect(failures).toEqual([]);
    expect(await objects.lost()).toEqual([]);
  });

  test('up after down brings both back', async () => {
    mustSucceed(await environment.script('down'));
    mustSucceed(await environment.script('up'));
    expect(await objects.lost()).toEqual([]);
  });

  test('a first deploy makes both', async () => {
    mustSucceed(await environment.script('down', ['--delete-data', '--confirm', environment.name]));
    for (const index of NAMES.keys()) emptyDisks(index + 1);
    const { seconds } = mustSucceed(await environment.script('up'));
    measured('a first ./scripts/up on two pools', seconds);
    const anew = new ObjectSet(() => s3Of(6));
    await anew.write(MODES, 100);
    for (const host of ['a', 'f'] as const) expect(await objectsOn(host, 'backup', 'set/')).toBeGreaterThan(5);
    expect(await anew.lost()).toEqual([]);
  });
});
