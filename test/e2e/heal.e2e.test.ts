/**
 * Four drives on one host, of which one is wiped, away, or lost, under the load of a client that never retries. What is on a
 * drive afterwards is seen by taking away as many others as MinIO needs that drive for.
 */
import { randomBytes } from 'node:crypto';
import { cpus } from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { messageOf } from '../../operations/lib/errors';
import { projectRoot } from '../../operations/lib/project-root';
import { NotYet, waitFor } from '../../operations/lib/wait';
import { readAwayDrives } from '../../operations/state/notes/away-drives';
import { type CommandResult, mustSucceed } from '../helpers/e2e/command';
import { drivePage, type FaultRow, writePage } from '../helpers/e2e/fault-page';
import { measured } from '../helpers/e2e/clients/measured';
import { getObject, type Mode, ObjectSet, putObject } from '../helpers/e2e/clients/object-set';
import { SteadyLoad } from '../helpers/e2e/clients/steady-load';
import { TestEnvironment } from '../helpers/e2e/test-environment';

const OBJECTS = 240;
const MISSED = 60;
const MODES: readonly Mode[] = [
  { name: 'no header', bucket: 'backup', options: {} },
  { name: 'SSE-KMS', bucket: 'backup', options: { ServerSideEncryption: 'aws:kms' } },
  { name: 'versions', bucket: 'archive', options: {} },
];

const report = z.object({ results: z.array(z.object({ id: z.string(), status: z.string() })) });

let environment: TestEnvironment;
let objects: ObjectSet;
const rows: FaultRow[] = [];
const startedAt = new Date();

beforeAll(async () => {
  environment = await TestEnvironment.create({
    minio: { drives: 4 },
    buckets: [
      { name: 'backup', encryption: { type: 'sse-s3' } },
      { name: 'archive', encryption: { type: 'sse-s3' }, versioning: true },
    ],
  });
  objects = new ObjectSet(() => environment.s3());
  mustSucceed(await environment.script('up'));
  await objects.write(MODES, OBJECTS);
});

afterAll(async () => {
  if (process.env.EBS_WRITE_DOCS === '1' && rows.length === 2) {
    const machine = `a machine with ${cpus().length} processors`;
    writePage(path.join(projectRoot, 'docs', 'reliability-drives.md'), drivePage(rows, { startedAt, machine }));
  }
  await environment.remove();
});

const volumeOf = (drive: number): string => environment.containerName(`minio-data-${drive}`);

/** Does something to the volume of a drive, as root of its host; the programs of the image of Vault do it. */
async function onDrive(drive: number, script: string): Promise<void> {
  const { Image } = await environment.docker.getContainer(environment.containerName('vault')).inspect();
  const helper = await environment.docker.createContainer({
    Image,
    Entrypoint: ['sh', '-c', script],
    User: '0:0',
    HostConfig: { Binds: [`${volumeOf(drive)}:/drive`], NetworkMode: 'none', AutoRemove: true },
  });
  const ended = helper.wait({ condition: 'next-exit' });
  await helper.start();
  expect(((await ended) as { StatusCode: number }).StatusCode).toBe(0);
}

/** An empty disk in its place. Nobody may write to it yet, or MinIO would have filled it before anybody looks. */
const replaceByEmpty = async (drive: number): Promise<void> =>
  onDrive(drive, 'chmod 000 /drive && rm -rf /drive/* /drive/.[!.]* && chmod 500 /drive');
const takeAway = async (drive: number): Promise<void> => onDrive(drive, 'chmod 000 /drive');
const giveBack = async (drive: number): Promise<void> => onDrive(drive, 'chmod 700 /drive');

/** Runs the checks until one run says of the drives what is expected. */
async function untilCheckSays(pattern: RegExp): Promise<CommandResult> {
  return waitFor({ what: `drives-online to say ${pattern.source}`, timeoutMs: 60_000 }, async () => {
    const result = await environment.script('check', ['--only', 'drives-online']);
    return pattern.test(result.stdout) ? result : new NotYet(result.stdout + result.stderr);
  });
}

/** The checks that did not pass, of all. */
async function redChecks(): Promise<string[]> {
  const { stdout } = await environment.script('check', ['--json']);
  const { results } = report.parse(JSON.parse(stdout));
  return results.filter(({ status }) => ['failed', 'could-not-check'].includes(status)).map(({ id }) => id);
}

async function heal(): Promise<{ healed: number; passes: number; failed: string[]; away: string[] }> {
  const result = mustSucceed(await environment.script('heal', ['--json']));
  return JSON.parse(result.stdout) as Awaited<ReturnType<typeof heal>>;
}

/** What a fault of a drive is called, what ends it, and what the check said of it. */
type Endured = Pick<FaultRow, 'fault' | 'mended' | 'said'>;

/**
 * A load of which no request may fail.
 *
 * @param act returns what it did, and since when the drive was there again
 */
async function underLoad(act: () => Promise<Endured & { readonly since: number }>): Promise<void> {
  const s3 = environment.s3(1);
  const load = new SteadyLoad({ s3, buckets: ['backup', 'archive'] });
  try {
    await load.answered(16);
    const { since, ...endured } = await act();
    const seconds = (performance.now() - since) / 1000;
    await load.answered(16);
    const { requests, failures, slowestMs } = await load.stop();
    measured(`${endured.fault}: healed`, seconds);
    measured(`… slowest of ${requests} requests`, slowestMs / 1000);
    expect(failures).toEqual([]);
    const client = `no failure; the slowest of ${requests} requests took ${(slowestMs / 1000).toFixed(1)} s`;
    rows.push({ ...endured, client, seconds, objects: 0 });
  } finally {
    await load.stop();
    s3.destroy();
  }
}

/** What the check said of a drive. */
function saying(stdout: string): string {
  const [said = ''] = /✘ drives-online: .*\n +fix: .*/.exec(stdout) ?? [];
  return `\`./scripts/check\`: ${said.replaceAll(environment.file, 'NAME').replaceAll(environment.name, 'NAME')}`;
}

/** Notes how many objects were read after the last fault. */
function counted(count: number): void {
  const last = rows.pop();
  if (last !== undefined) rows.push({ ...last, objects: count });
}

/** Whether what MinIO reads without two others, which needs this drive, is all that was written. */
async function expectWholeWithout(others: readonly [number, number], read: () => Promise<string[]>): Promise<void> {
  for (const other of others) await takeAway(other);
  try {
    await waitFor({ what: 'MinIO to miss two drives', timeoutMs: 30_000 }, async () => {
      const { stdout } = await environment.script('check', ['--only', 'drives-online']);
      return stdout.includes('MinIO writes no more: 2 of 4 drives are there') ? true : new NotYet(stdout);
    });
    expect(await read()).toEqual([]);
  } finally {
    for (const other of others) await giveBack(other);
  }
  await untilCheckSays(/✔ drives-online/);
}

test('a drive that is wiped under load: no request fails, the check names it, and heal ends when all is on it again', async () => {
  await underLoad(async () => {
    await replaceByEmpty(3);
    const { stdout, code } = await untilCheckSays(/✘ drives-online/);
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /drive \/drives\/3 \(volume ebs-\S+-minio-data-3\) is \S+; MinIO goes on, until another one goes/,
    );
    expect(await redChecks()).toEqual(['drives-online']);
    await giveBack(3);
    const since = performance.now();
    expect(await heal()).toMatchObject({ failed: [], away: [] });
    return { since, fault: 'A drive is replaced by an empty one', said: saying(stdout), mended: '`./scripts/heal`' };
  });
  mustSucceed(await environment.script('check', ['--only', 'drives-online']));
  await expectWholeWithout([1, 2], async () => objects.lost());
  counted(objects.size);
});

test('while a drive is away no request fails; when it is back, a check has what it missed healed', async () => {
  const missed: { mode: Mode; key: string; sha256: string }[] = [];
  await underLoad(async () => {
    await takeAway(2);
    const { stdout } = await untilCheckSays(
      /drive \/drives\/2 \(.*\) is permission-denied; MinIO goes on, until another one goes/,
    );
    expect(await redChecks()).toEqual(['drives-online']);
    const s3 = environment.s3();
    for (let index = 0; index < MISSED; index += 1) {
      const mode = MODES[index % MODES.length];
      if (mode === undefined) throw new Error('there are no modes');
      missed.push({ mode, ...(await putObject(s3, mode, `missed/${index}`, randomBytes(4096))) });
    }
    s3.destroy();
    await giveBack(2);
    const since = performance.now();
    await untilCheckSays(/✔ drives-online/);
    const fault = `A drive is away, and ${MISSED} objects are written meanwhile`;
    return { since, fault, said: saying(stdout), mended: 'the heal that `./scripts/check` starts' };
  });
  expect(readAwayDrives(environment.state)).toEqual({});
  for (const { mode, ...object } of missed) objects.add(mode, object);
  await expectWholeWithout([3, 4], async () => {
    const s3 = environment.s3();
    const lost: string[] = [];
    for (const { mode, key, sha256 } of missed) {
      const read = await getObject(s3, mode, key).catch(messageOf);
      if (read !== sha256) lost.push(`${key}: ${read}`);
    }
    s3.destroy();
    return lost;
  });
  counted(missed.length);
});

test('with two drives away everything that needs MinIO follows from that, and nothing else is said', async () => {
  await takeAway(1);
  await takeAway(4);
  try {
    const { stdout } = await environment.script('check', ['--only', 'drives-online,kms-ready,sse-s3-round-trip']);
    expect(stdout).toMatch(/✘ drives-online: MinIO writes no more: 2 of 4 drives are there, and it needs 3; /);
    expect(stdout.match(/follows from drives-online/g)).toHaveLength(2);
  } finally {
    await giveBack(1);
    await giveBack(4);
  }
  expect(await heal()).toMatchObject({ failed: [], away: [] });
  expect(await objects.lost()).toEqual([]);
});

test('a volume that is lost: a deploy makes an empty one, and heal ends when all is on it again', async () => {
  await environment.docker.getContainer(environment.containerName('minio')).remove({ force: true });
  await environment.docker.getVolume(volumeOf(4)).remove();
  // the checks of the deploy may find it before MinIO has filled it, and say so
  const up = await environment.script('up');
  if (up.code !== 0) expect(up.stderr).toContain('drives-online: drive /drives/4');
  expect(await heal()).toMatchObject({ failed: [], away: [] });
  mustSucceed(await environment.script('check', ['--only', 'drives-online']));
  await expectWholeWithout([2, 3], async () => objects.lost());
});
