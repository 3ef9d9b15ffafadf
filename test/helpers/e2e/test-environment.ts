/** One environment of the end-to-end tests: random name, free ports, a state folder of its own. */
import type { S3Client } from '@aws-sdk/client-s3';
import type Docker from 'dockerode';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { stringify } from 'yaml';
import type { EnvironmentInput } from '../../../config/environment';
import { type LoadedEnvironment, loadEnvironment } from '../../../operations/state/load';
import { s3Endpoint } from '../../../config/state/endpoints';
import { stacksIn } from '../../../operations/terraform/stack-names';
import type { StateLayout } from '../../../config/state/layout';
import { projectRoot } from '../../../operations/lib/project-root';
import { ENVIRONMENT_LABEL } from '../../../config/deployment-names';
import { dockerEngine, waitUntilHealthy } from '../../../operations/docker/docker';
import { planReport } from '../../../operations/terraform/plan/report';
import { readCredentials, s3Client } from '../../../operations/minio/s3-client';
import { type DockerResources, dockerResourcesOf } from '../../../operations/docker/tear-down';
import { NotYet, waitFor } from '../../../operations/lib/wait';
import { type CommandOptions, type CommandResult, runCommand } from './command';
import { testPorts } from './test-ports';

/** The stacks of an embedded Vault, in their order. */
export const STACKS = ['foundation', 'vault', 'keystore', 'kes', 'minio', 'checks'] as const;

/** Folder that ./scripts/test cleans up even when a test run was killed. */
const TEST_FOLDER = process.env.EBS_E2E_FOLDER ?? tmpdir();

/** Longer, and something did not stop when it was asked to. */
const SLOW_DOWN_SECONDS = 15;

type Script =
  | 'encrypt'
  | 'schedule'
  | 'start'
  | 'up'
  | 'check'
  | 'down'
  | 'ca'
  | 'plan'
  | 'policy'
  | 'backup'
  | 'restore'
  | 'drill'
  | 'images'
  | 'rotate'
  | 'heal'
  | 'report'
  | 'versions';

export type Settings = Omit<EnvironmentInput, 'name' | 'vault' | 'kes' | 'minio'> & {
  readonly vault?: Record<string, unknown>;
  readonly kes?: Record<string, unknown>;
  readonly minio?: Record<string, unknown>;
};

export class TestEnvironment {
  readonly name = `e2e-${randomBytes(4).toString('hex')}`;
  /** Everything of this environment: its file, state, transcripts and what the tests write. */
  readonly folder = mkdtempSync(path.join(TEST_FOLDER, 'ebs-e2e-'));
  readonly file = path.join(this.folder, 'environment.yaml');
  readonly transcript = path.join(this.folder, 'transcript.txt');
  /** The `terraform` that knows this project's providers. */
  readonly terraformProgram = path.join(projectRoot, 'node_modules', '.bin', 'terraform');
  readonly docker: Docker = dockerEngine();
  readonly owner = { name: ENVIRONMENT_LABEL, value: this.name };
  private ports: readonly [number, number, number] = [0, 0, 0];

  static async create(settings: Settings = {}): Promise<TestEnvironment> {
    const environment = new TestEnvironment();
    const [first = 0, second = 0, third = 0] = await testPorts(3);
    environment.ports = [first, second, third];
    environment.write(settings);
    return environment;
  }

  /** Writes the environment file anew; name, ports and state folder stay. */
  write(settings: Settings): void {
    this.writeOther(path.basename(this.file), settings);
  }

  /** The same in another file of the folder, such as the environment as it shall become. */
  writeOther(name: string, { vault, kes, minio, ...settings }: Settings): string {
    const [vaultPort, kesPort, minioPort] = this.ports;
    const inVault = (settings.keyStore?.type ?? 'vault') === 'vault';
    const content = {
      name: this.name,
      ...(!inVault
        ? {}
        : { vault: vault?.mode === 'external' ? vault : { mode: 'embedded', port: vaultPort, ...vault } }),
      kes: { port: kesPort, ...kes },
      // most tests look and plant as root
      minio: { port: minioPort, rootAccess: true, ...minio },
      state: { backend: 'local', directory: path.join(this.folder, 'state') },
      ...settings,
    };
    const file = path.join(this.folder, name);
    writeFileSync(file, stringify(content));
    return file;
  }

  get loaded(): LoadedEnvironment {
    return loadEnvironment(this.file);
  }

  get state(): StateLayout {
    return this.loaded.state;
  }

  /** Where the plain `cdktf` runs of the tests synthesize to. */
  get cdktfOut(): string {
    return path.join(this.folder, 'cdktf.out');
  }

  /** What backup clients read and write. */
  get clientFolder(): string {
    return path.join(this.folder, 'clients');
  }

  /** A folder for one client. */
  folderFor(client: string): string {
    const folder = path.join(this.clientFolder, client);
    mkdirSync(folder, { recursive: true });
    return folder;
  }

  async script(name: Script, args: readonly string[] = [], options: CommandOptions = {}): Promise<CommandResult> {
    return this.scriptWith(name, [this.file, ...args], options);
  }

  /** The same without naming this environment. */
  async scriptWith(name: Script, args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    const program = path.join(projectRoot, 'scripts', name);
    const result = await runCommand(program, args, { transcript: this.transcript, ...options });
    if (name === 'down' && result.seconds > SLOW_DOWN_SECONDS) {
      process.stderr.write(`    slow ./scripts/down (${result.seconds.toFixed(1)} s):\n${result.stderr}\n`);
    }
    return result;
  }

  /** Stops whatever works on this environment where it is; only {@link killWorkers} ends it then. */
  stopWorkers(): void {
    for (const pid of processesOf(this.folder)) process.kill(pid, 'SIGSTOP');
  }

  /** Ends with SIGKILL whatever works on this environment: what a power cut does to a deploy. */
  async killWorkers(): Promise<void> {
    await waitFor({ what: `the processes of ${this.name} to be gone`, timeoutMs: 180_000 }, async () => {
      const workers = processesOf(this.folder);
      for (const pid of workers) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // it ended by itself meanwhile
        }
      }
      return Promise.resolve(workers.length === 0 ? true : new NotYet(`processes ${workers.join(', ')}`));
    });
  }

  /** `./scripts/rotate` of this environment. */
  async rotate(what: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    return runCommand(path.join(projectRoot, 'scripts', 'rotate'), [...what, this.file], {
      transcript: this.transcript,
      // several deploys, one after the other
      timeoutMs: 900_000,
      ...options,
    });
  }

  /** Plain `npx cdktf`, as its documentation has it. */
  async cdktf(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    return runCommand('npx', ['cdktf', ...args, '--output', this.cdktfOut], {
      cwd: projectRoot,
      transcript: this.transcript,
      ...options,
      env: { EBS_ENVIRONMENT: this.file, CI: '1', FORCE_COLOR: '0', ...options.env },
    });
  }

  /** Terraform in one synthesized stack. */
  async terraform(stack: string, args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    return this.terraformIn(this.stackFolder(stack), args, options);
  }

  async terraformIn(folder: string, args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    return runCommand(this.terraformProgram, [`-chdir=${folder}`, ...args], {
      transcript: this.transcript,
      ...options,
    });
  }

  stackFolder(stack: string): string {
    return path.join(this.cdktfOut, 'stacks', `${this.name}-${stack}`);
  }

  /**
   * What a deploy did in each stack: `no change`, or what was changed. `./scripts/up` says it in a line per stack; plain
   * cdktf names a stack in front of the first of its lines.
   */
  changes({ stdout, stderr }: CommandResult): Record<string, string> {
    const changes: Record<string, string> = {};
    let stack = '';
    for (const line of `${stdout}\n${stderr}`.replaceAll(/\x1b\[[0-9;]*[A-Za-z]/g, '').split('\n')) {
      const named = new RegExp(`^(?:✔ | +✔ )?${this.name}-([a-z]+)(?: {2}|: )`).exec(line)?.[1];
      if (named !== undefined) stack = named;
      const said = /✔ \S+: (no change|\d.*) \([^(]*\)$/.exec(line)?.[1];
      const counts = /Apply complete! Resources: (\d+ added), (\d+ changed), (\d+ destroyed)/.exec(line)?.slice(1);
      const changed = counts?.filter((count) => !count.startsWith('0 ')).join(', ');
      if (named !== undefined && said !== undefined) changes[named] = said;
      if (changed !== undefined) changes[stack] = changed === '' ? 'no change' : changed;
    }
    return changes;
  }

  /** What a deploy would do says that there is nothing to do; cheaper than to have one say it. */
  async expectNothingToDeploy(options: CommandOptions = {}): Promise<void> {
    const { code, stdout } = await this.script('plan', ['--json'], options);
    const { stacks } = planReport.parse(JSON.parse(stdout));
    const outcomes = Object.fromEntries(stacks.map(({ stack, outcome }) => [stack, outcome]));
    const declared = stacksIn(this.loaded.environment).map((stack) => [`${this.name}-${stack}`, 'no-change']);
    expect({ code, outcomes }).toEqual({ code: 0, outcomes: Object.fromEntries(declared) as unknown });
  }

  async dockerResources(): Promise<DockerResources> {
    return dockerResourcesOf(this.docker, this.owner);
  }

  /**
   * A disaster: containers and network are gone, and what was mounted from file volumes.
   *
   * @param volumes names of the data volumes that are gone, too. Default: none
   */
  async lose(volumes?: RegExp): Promise<void> {
    const { containers, dataVolumes, fileVolumes, networks } = await this.dockerResources();
    await Promise.all(containers.map(({ id }) => this.docker.getContainer(id).remove({ force: true })));
    for (const name of [...fileVolumes, ...dataVolumes.filter((volume) => volumes?.test(volume))]) {
      await this.docker.getVolume(name).remove();
    }
    for (const { id } of networks) await this.docker.getNetwork(id).remove();
  }

  containerName(program: string): string {
    return `ebs-${this.name}-${program}`;
  }

  /** When a container was made and last started; another value means that it was touched. */
  async lifeOf(program: string): Promise<string> {
    const { Id, State } = await this.docker.getContainer(this.containerName(program)).inspect();
    return `${Id} ${State.StartedAt}`;
  }

  async untilHealthy(program: string): Promise<void> {
    const name = this.containerName(program);
    await waitUntilHealthy(this.docker.getContainer(name), name);
  }

  get credentials(): ReturnType<typeof readCredentials> {
    return readCredentials(this.state.secret.minioRoot);
  }

  get s3Url(): string {
    return `https://127.0.0.1:${this.loaded.environment.minio.port}`;
  }

  s3(attempts?: number): S3Client {
    return s3Client({
      endpoint: s3Endpoint(this.loaded.environment, this.state),
      region: this.loaded.environment.minio.region,
      credentials: this.credentials,
      ...(attempts === undefined ? {} : { attempts }),
    });
  }

  /** Takes away everything, whatever state it is in. */
  async remove(options: CommandOptions = {}): Promise<void> {
    const { code, stderr } = await this.script('down', ['--delete-data', '--confirm', this.name], options);
    if (code !== 0) throw new Error(`${this.name} could not be removed; see ${this.folder}:\n${stderr}`);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Processes that have a folder in their command line, or work in it; not this one. */
function processesOf(folder: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        return command !== '' && (command.includes(folder) || readlinkSync(`/proc/${pid}/cwd`).startsWith(folder));
      } catch {
        return false;
      }
    })
    .map(Number);
}
