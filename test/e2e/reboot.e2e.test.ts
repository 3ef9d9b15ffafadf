/** A host that is switched on before its address, its disks or its engine are there: what a scheduled start brings back. */
import { chownSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { SERVICE_UID } from '../../config/docker/service-user';
import { type DrillObject, openObjects, writeObjects } from '../../operations/backup/drill/objects';
import { dockerEngine } from '../../operations/docker/docker';
import { NotYet, waitFor } from '../../operations/lib/wait';
import { type CommandResult, mustSucceed } from '../helpers/e2e/command';
import { DockerHosts } from '../helpers/e2e/servers/docker-hosts';
import { measured } from '../helpers/e2e/clients/measured';
import { TestEnvironment } from '../helpers/e2e/test-environment';

/** From the moment at which the host has everything. */
const BACK_WITHIN_SECONDS = 120;
const PROGRAMS = ['vault', 'vault-unsealer', 'kes', 'minio'] as const;
type Program = (typeof PROGRAMS)[number];

let environment: TestEnvironment;
let hosts: DockerHosts;
let objects: readonly DrillObject[];
/** Each with the folder on which it is mounted. */
let disks: readonly (readonly [disk: string, folder: string])[];

const mount = ([disk, folder]: readonly [string, string]): string[] => ['mount', '--bind', disk, folder];
const addAddress = (): string[] => ['ip', 'addr', 'add', `${address()}/24`, 'dev', 'eth0'];
/** Beside the one of its engine. */
const address = (): string => hosts.address(1).replace(/\.\d+$/, '.100');
const variables = () => ({ env: hosts.tlsVariables(1) });
const container = (program: Program) => dockerEngine(hosts.tls(1)).getContainer(environment.containerName(program));

beforeAll(async () => {
  environment = await TestEnvironment.create();
  hosts = await DockerHosts.start(1, environment.folder);
  disks = [1, 2, 3, 4].map((number) => {
    const made = [
      path.join(environment.folder, `disk${number}`),
      path.join(environment.folder, `mnt${number}`),
    ] as const;
    for (const folder of made) mkdirSync(folder, { mode: 0o755 });
    // the folder stays root's: MinIO cannot write where no disk is
    chownSync(made[0], SERVICE_UID, SERVICE_UID);
    return made;
  });
  for (const command of [addAddress(), ...disks.map(mount)]) await hosts.run(1, command);
  const publishAddress = address();
  environment.write({
    docker: { publishAddress, subnet: '10.79.253.0/24' },
    kes: { publishAddress },
    vault: { publishAddress },
    minio: { drives: disks.map(([, folder]) => folder) },
  });
  mustSucceed(await environment.script('up', [], variables()));
  objects = await writeObjects(environment.loaded);
});

afterAll(async () => {
  await hosts.remove();
  rmSync(environment.folder, { recursive: true, force: true });
});

/** Waits until Docker has tried to start everything, and given up. */
async function untilGivenUp(programs: readonly Program[]): Promise<void> {
  for (const program of programs) {
    await waitFor({ what: `Docker to give ${program} up`, timeoutMs: 120_000 }, async () => {
      const { State } = await container(program).inspect();
      return (!State.Running && State.Error !== '') || new NotYet(`${State.Status} ${State.Error}`);
    });
  }
}

/**
 * Takes the power from the host and gives it back, with a start that was scheduled for that boot.
 *
 * @param early what the host has before its engine starts
 * @param begins waits until what is missing is felt
 * @param late what comes then
 */
async function reboot(
  early: readonly (readonly string[])[],
  begins: () => Promise<void>,
  late: readonly (readonly string[])[],
): Promise<CommandResult> {
  await hosts.powerOff(1);
  hosts.atBoot(
    1,
    early.map((words) => words.join(' ')),
  );
  const start = environment.scriptWith('schedule', ['run', 'start', environment.file], variables());
  await hosts.powerOn(1);
  await begins();
  for (const words of late) await hosts.run(1, words);
  const since = performance.now();
  const result = mustSucceed(await start);
  const seconds = (performance.now() - since) / 1000;
  measured('back after the host had everything', seconds);
  expect(seconds).toBeLessThan(BACK_WITHIN_SECONDS);
  await openObjects(environment.loaded, objects);
  return result;
}

test('the engine is late, and the published address later: each container starts that Docker gave up', async () => {
  const { stderr } = await reboot(disks.map(mount), async () => untilGivenUp(['vault', 'kes', 'minio']), [
    addAddress(),
  ]);
  for (const program of ['vault', 'kes', 'minio'] as const) {
    expect(stderr).toContain(`started ${environment.containerName(program)}, which Docker could not: `);
  }
});

test('one of four disks is late: MinIO goes on without it, writes nothing beneath it, and is restarted for it', async () => {
  const [last, ...others] = disks.toReversed();
  if (last === undefined) throw new Error('there are four');
  const { stderr } = await reboot(
    [addAddress(), ...others.map(mount)],
    async () => {
      await waitFor({ what: 'MinIO to be healthy', timeoutMs: 180_000 }, async () => {
        const { State } = await container('minio').inspect();
        return State.Health?.Status === 'healthy' || new NotYet(State.Health?.Status ?? State.Status);
      });
      await openObjects(environment.loaded, objects);
    },
    [mount(last)],
  );
  expect(stderr).toContain(`restarted MinIO: ${last[1]} was mounted after it started`);
  expect(readdirSync(last[1])).toEqual([]);
  const { stdout } = mustSucceed(await environment.script('check', ['--only', 'drives-online'], variables()));
  expect(stdout).toContain('✔ drives-online');
});

test('every disk is late', async () => {
  await reboot(
    [addAddress()],
    async () => {
      await waitFor({ what: 'MinIO to see no disk', timeoutMs: 180_000 }, async () => {
        const { State, RestartCount } = await container('minio').inspect();
        return State.Running || RestartCount > 0 || new NotYet(State.Status);
      });
    },
    disks.map(mount),
  );
  for (const [, folder] of disks) expect(readdirSync(folder)).toEqual([]);
});

test('with nothing missing it ends at once, and starts nothing', async () => {
  const lives = async (): Promise<string[]> =>
    Promise.all(PROGRAMS.map(async (program) => (await container(program).inspect()).State.StartedAt));
  const before = await lives();
  mustSucceed(await environment.script('start', [], variables()));
  expect(await lives()).toEqual(before);
});
