/** Docker hosts on this machine, each as if it were another one: reached by TLS and by ssh. Needs root. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Toolchain } from '../../../../config/toolchain';
import { dockerEngine } from '../../../../operations/docker/docker';
import { projectRoot } from '../../../../operations/lib/project-root';
import { thisMachine } from '../../../../operations/lib/machine';
import { buildImage } from '../../../../operations/toolchain/images/push-images';
import { install, type Missing } from '../../../../operations/toolchain/prerequisites';
import { endServer } from '../command';

const PROGRAM = path.join(projectRoot, 'test', 'helpers', 'e2e', 'servers', 'docker-hosts.sh');

const needed: readonly (Missing & { readonly file: string })[] = [
  {
    file: '/usr/sbin/sshd',
    what: 'sshd, by which Docker hosts of the tests are reached',
    aptPackages: ['openssh-server'],
    elsewhere: 'install the OpenSSH server; it need not be started',
  },
];

export class DockerHosts {
  /** Certificates of all hosts' engines, and of their client, as DOCKER_CERT_PATH wants them. */
  readonly certPath: string;
  private readonly folder: string;
  private readonly net: string;
  private readonly process: ChildProcess;
  private readonly answers: AsyncIterator<string>;
  private readonly closing: (() => void)[] = [];
  /** The program takes one command at a time. */
  private turn: Promise<unknown> = Promise.resolve();

  private constructor(count: number, within: string, template: string | undefined) {
    this.folder = mkdtempSync(path.join(within, 'hosts-'));
    this.certPath = path.join(this.folder, 'tls');
    const [random = 0] = randomBytes(1);
    // two runs of the tests on one machine must not meet; the last ranges are for networks of Docker
    this.net = `10.79.${random % 240}`;
    const variables = {
      HOSTS_DIR: this.folder,
      HOSTS_NET: this.net,
      HOSTS_PREFIX: `ebs${randomBytes(2).toString('hex')}`,
      ...(template === undefined ? {} : { HOSTS_TEMPLATE: template }),
    };
    const program = spawn(PROGRAM, [String(count)], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, ...variables },
    });
    this.process = program;
    this.answers = createInterface({ input: program.stdout })[Symbol.asyncIterator]();
  }

  /**
   * @param within where their data goes: some hundred megabytes each
   * @param template what each engine begins with, see {@link template}. Default: nothing
   */
  static async start(count: number, within: string, template?: string): Promise<DockerHosts> {
    if (!thisMachine().root) throw new Error('Docker hosts of the tests need root, for namespaces of the kernel');
    const missing = needed.filter(({ file }) => !existsSync(file));
    const context = { signal: new AbortController().signal, report: () => undefined, announce: () => undefined };
    await install(missing, thisMachine(), context);
    const hosts = new DockerHosts(count, within, template);
    await hosts.answer(`${count} hosts`);
    return hosts;
  }

  /**
   * What an engine has that built the images, for {@link start}: a host that begins with it builds them again in no time.
   *
   * @returns a folder below `within`
   */
  static async template(within: string, images: NonNullable<Toolchain['images']>): Promise<string> {
    const template = path.join(within, 'template');
    const builder = await DockerHosts.start(1, within);
    try {
      const engine = dockerEngine(builder.tls(1));
      for (const image of Object.values(images)) {
        if (image !== undefined) await buildImage(engine, `template:${image.hash.slice(0, 16)}`, image);
      }
      await builder.powerOff(1);
      renameSync(path.join(builder.folder, 'h1', 'docker'), template);
    } finally {
      await builder.remove();
    }
    // or all of them were one engine
    rmSync(path.join(template, 'engine-id'), { force: true });
    return template;
  }

  /** Takes the power from a host: its connections are not closed, and its programs write nothing more. */
  async powerOff(host: number): Promise<void> {
    await this.command(`kill ${host}`);
  }

  /** What a host does when it is switched on, before its engine starts. @param commands of sh, a line each */
  atBoot(host: number, commands: readonly string[]): void {
    writeFileSync(path.join(this.folder, `h${host}`, 'boot'), `${commands.join('\n')}\n`);
  }

  /** Runs a command on a host. @param words without spaces */
  async run(host: number, words: readonly string[]): Promise<void> {
    await this.command(`run ${host} ${words.join(' ')}`);
  }

  /** Switches a host on again, and waits for its engine. */
  async powerOn(host: number): Promise<void> {
    await this.command(`start ${host}`);
  }

  /** Puts a new machine in the place of a host that is off. */
  async replace(host: number): Promise<void> {
    await this.command(`empty ${host}`);
    await this.command(`start ${host}`);
  }

  /** Lets no packet pass between two hosts; both still reach everybody else. */
  async cut(one: number, other: number): Promise<void> {
    await this.command(`cut ${one} ${other}`);
  }

  async join(one: number, other: number): Promise<void> {
    await this.command(`join ${one} ${other}`);
  }

  private async command(line: string): Promise<void> {
    const done = this.turn.then(async () => {
      this.process.stdin?.write(`${line}\n`);
      await this.answer(line);
    });
    this.turn = done.catch(() => undefined);
    await done;
  }

  private async answer(line: string): Promise<void> {
    const { value = 'ended' } = (await this.answers.next()) as { readonly value?: string };
    if (value !== 'ok') throw new Error(`docker-hosts.sh: ${line}: ${value}`);
  }

  /** Kills all of them, with what they run and hold. */
  async remove(): Promise<void> {
    for (const close of this.closing) close();
    const ended = once(this.process, 'exit');
    this.process.stdin?.end();
    await ended;
  }

  address(host: number): string {
    return `${this.net}.${10 + host}`;
  }

  /** Where the hosts and their containers reach this machine. */
  get machine(): string {
    return `${this.net}.1`;
  }

  /** A client that speaks TLS to one of them. */
  tls(host: number): { readonly host: string; readonly certPath: string } {
    return { host: `tcp://${this.address(host)}:2376`, certPath: this.certPath };
  }

  /** The variables for the same. */
  tlsVariables(host: number): Record<string, string> {
    return { DOCKER_HOST: this.tls(host).host, DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: this.certPath };
  }

  /**
   * PATH with an `ssh` that reads a configuration of the tests, because `~/.ssh/config` is the one of whoever runs them.
   *
   * @param names how each host is called. Each has the key file of all; its host key is known, or that of another one is
   */
  sshPath(names: Readonly<Record<string, { readonly host: number; readonly keyOf?: number }>>): string {
    const bin = path.join(this.folder, 'bin');
    mkdirSync(bin, { recursive: true });
    const blocks = Object.entries(names).map(([name, { host, keyOf = host }]) => {
      const known = path.join(this.folder, `known-${name}`);
      const [kind = '', key = ''] = readFileSync(path.join(this.folder, `h${keyOf}`, 'ssh', 'key.pub'), 'utf8').split(
        ' ',
      );
      writeFileSync(known, `${this.address(host)} ${kind} ${key}\n`);
      return `Host ${name}\n  HostName ${this.address(host)}\n  UserKnownHostsFile ${known}\n`;
    });
    const common = `Host *\n  User root\n  IdentitiesOnly yes\n  IdentityFile ${path.join(this.folder, 'ssh', 'id')}\n`;
    const config = path.join(this.folder, 'ssh-config');
    writeFileSync(config, `${blocks.join('')}${common}`);
    writeFileSync(path.join(bin, 'ssh'), `#!/bin/sh\nexec /usr/bin/ssh -F '${config}' "$@"\n`, { mode: 0o755 });
    return `${bin}:${process.env.PATH ?? ''}`;
  }

  /** A folder for DOCKER_CONFIG in which `docker context use` has chosen a host. */
  contextOf(host: number): string {
    const config = path.join(this.folder, 'docker-config');
    const id = createHash('sha256').update('nas').digest('hex');
    const tls = path.join(config, 'contexts', 'tls', id, 'docker');
    const meta = path.join(config, 'contexts', 'meta', id);
    for (const folder of [tls, meta]) mkdirSync(folder, { recursive: true });
    for (const file of ['ca.pem', 'cert.pem', 'key.pem'])
      copyFileSync(path.join(this.certPath, file), path.join(tls, file));
    const Endpoints = { docker: { Host: this.tls(host).host, SkipTLSVerify: false } };
    writeFileSync(path.join(meta, 'meta.json'), JSON.stringify({ Name: 'nas', Metadata: {}, Endpoints }));
    writeFileSync(path.join(config, 'config.json'), JSON.stringify({ currentContext: 'nas' }));
    return config;
  }

  /** A port of loopback behind which a host answers in the clear. */
  async plainPort(sshPath: string, name: string): Promise<string> {
    const server = createServer((socket) => {
      const child = spawn('ssh', ['-T', name, 'docker', 'system', 'dial-stdio'], {
        env: { ...process.env, PATH: sshPath },
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      socket.pipe(child.stdin).on('error', () => undefined);
      child.stdout.pipe(socket).on('error', () => undefined);
      socket.on('close', () => void endServer(child));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    this.closing.push(() => server.close());
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the server has no port');
    return `tcp://127.0.0.1:${address.port}`;
  }
}
