import type { S3Client } from '@aws-sdk/client-s3';
import type Docker from 'dockerode';
import { readFileSync, rmSync } from 'node:fs';
import { parse } from 'yaml';
import { dockerEngine } from '../../../operations/docker/docker';
import { NotYet, waitFor } from '../../../operations/lib/wait';
import { readCredentials, s3Client, type S3Credentials } from '../../../operations/minio/s3-client';
import { readToolchain } from '../../../operations/toolchain/findings';
import { ThrowawayCa } from '../../helpers/certificates';
import { type Mode, ObjectSet } from '../../helpers/e2e/clients/object-set';
import type { CommandResult } from '../../helpers/e2e/command';
import type { HostRow } from '../../helpers/e2e/fault-page';
import { DockerHosts } from '../../helpers/e2e/servers/docker-hosts';
import { type Settings, TestEnvironment } from '../../helpers/e2e/test-environment';

export const HOSTS = [1, 2, 3] as const;
export const NAMES = ['a', 'b', 'c'] as const;
export type Host = (typeof HOSTS)[number];

export const PLAIN: Mode = { name: 'no header', bucket: 'backup', options: {} };

/** What a deploy says of a stack that it changed. */
export const CHANGES = /\d+ (?:added|changed|destroyed)/;

export const other = (host: Host): Host => (host === 1 ? 2 : 1);

interface Parts {
  readonly environment: TestEnvironment;
  readonly hosts: DockerHosts;
  readonly ca: ThrowawayCa;
  readonly env: Readonly<Record<string, string>>;
  readonly settings: Settings;
}

/** Three hosts, each a Docker engine of its own, and what was deployed on them and written to them. */
export class ThreeHosts {
  readonly environment: TestEnvironment;
  readonly hosts: DockerHosts;
  /** Of what stands for AWS. */
  readonly ca: ThrowawayCa;
  /** The variables of every command. */
  readonly env: Readonly<Record<string, string>>;
  readonly objects: ObjectSet = new ObjectSet(() => this.s3Of(this.reader));
  /** What clients under load wrote and MinIO acknowledged, by bucket and key. */
  readonly written = new Map<string, { readonly bucket: string; readonly key: string; readonly sha256: string }>();
  /** The rows of docs/reliability-hosts.md. */
  readonly rows: HostRow[] = [];
  readonly startedAt = new Date();
  /** The host that is off. */
  off: Host | undefined;
  /** Through whose balancer objects are read. */
  private reader: Host = 2;
  /** The environment as it has become. */
  private current: Settings;

  private constructor({ environment, hosts, ca, env, settings }: Parts) {
    this.environment = environment;
    this.hosts = hosts;
    this.ca = ca;
    this.env = env;
    this.current = settings;
    environment.write(settings);
  }

  static async start(): Promise<ThreeHosts> {
    const environment = await TestEnvironment.create();
    const ca = await ThrowawayCa.create(environment.folder, 'ca-of-moto', 24);
    const { images } = readToolchain();
    const template = images === undefined ? undefined : await DockerHosts.template(environment.folder, images);
    const hosts = await DockerHosts.start(HOSTS.length, environment.folder, template);
    const env = { PATH: hosts.sshPath({ alpha: { host: 1 } }) };
    return new ThreeHosts({ environment, hosts, ca, env, settings: settingsOf(hosts, ca) });
  }

  async remove(): Promise<void> {
    await this.hosts.remove();
    rmSync(this.environment.folder, { recursive: true, force: true });
  }

  get settings(): Settings {
    return this.current;
  }

  /** Changes the environment file. */
  write(changed: Settings): void {
    this.current = changed;
    this.environment.write(changed);
  }

  /** Takes up what a command has changed in the environment file. */
  read(): void {
    this.current = parse(readFileSync(this.environment.file, 'utf8')) as Settings;
  }

  async script(name: 'up' | 'down' | 'check' | 'heal' | 'start', args: readonly string[] = []): Promise<CommandResult> {
    return this.environment.script(name, args, { env: this.env });
  }

  async rotate(what: readonly string[]): Promise<CommandResult> {
    return this.environment.rotate(what, { env: this.env });
  }

  async cdktf(args: readonly string[]): Promise<CommandResult> {
    return this.environment.cdktf(args, { env: this.env });
  }

  engine(host: Host): Docker {
    return dockerEngine(this.hosts.tls(host));
  }

  /** A container of the deployment on a host. */
  container(host: Host, program: string): Docker.Container {
    return this.engine(host).getContainer(this.environment.containerName(program));
  }

  /** What of the deployment runs on a host. */
  async programsOf(host: Host): Promise<string[]> {
    return (await this.running(host)).map(({ program }) => program).sort();
  }

  /** The ids of all containers of the deployment. */
  async containerIds(): Promise<string[]> {
    return (await Promise.all(HOSTS.map(async (host) => this.running(host)))).flat().map(({ id }) => id);
  }

  private async running(host: Host): Promise<{ readonly program: string; readonly id: string }[]> {
    const prefix = `/${this.environment.containerName('')}`;
    const all = await this.engine(host).listContainers();
    return all.flatMap(({ Names: [name = ''], Id: id }) =>
      name.startsWith(prefix) ? [{ program: name.slice(prefix.length), id }] : [],
    );
  }

  /** A client of the balancer of one host. */
  s3Of(host: Host, attempts?: number, as?: S3Credentials): S3Client {
    const { environment, state } = this.environment.loaded;
    return s3Client({
      endpoint: { url: `https://${this.hosts.address(host)}:${environment.minio.port}`, caFile: state.caCertificate },
      region: environment.minio.region,
      credentials: as ?? readCredentials(state.secret.minioObjects),
      ...(attempts === undefined ? {} : { attempts }),
    });
  }

  /** Every object that was acknowledged and is not what was written. */
  async lost(through: Host): Promise<string[]> {
    const all = new ObjectSet(() => this.s3Of(through));
    for (const { bucket, key, sha256 } of this.written.values())
      all.add({ name: 'load', bucket, options: {} }, { key, sha256 });
    this.reader = through;
    return [...(await this.objects.lost()), ...(await all.lost())];
  }

  async untilCheckPasses(): Promise<CommandResult> {
    return waitFor({ what: 'the checks to pass', timeoutMs: 120_000 }, async () => {
      const result = await this.script('check');
      return result.code === 0 ? result : new NotYet(result.stdout + result.stderr);
    });
  }
}

function settingsOf(hosts: DockerHosts, ca: ThrowawayCa): Settings {
  const host = (index: Host) => ({ name: NAMES[index - 1] ?? '', address: hosts.address(index) });
  return {
    hosts: [
      // one is reached by ssh, the others by TLS
      { ...host(1), docker: 'ssh://alpha' },
      ...([2, 3] as const).map((index) => {
        const { host: docker, certPath } = hosts.tls(index);
        return { ...host(index), docker, certificates: certPath };
      }),
    ],
    // a migration changes nothing but the key store
    trustedCAs: [ca.file],
    // the default: root is refused
    minio: { drives: 1, memoryMb: 1024, rootAccess: undefined },
    buckets: [
      { name: 'backup', encryption: { type: 'sse-s3' } },
      { name: 'archive', encryption: { type: 'sse-s3' }, versioning: true },
    ],
  };
}
