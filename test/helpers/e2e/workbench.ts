/**
 * What faults are planted with. Every tool notes how its fault is mended, so that a fault that could be planted only in
 * part is mended as well.
 */
import type { S3Client } from '@aws-sdk/client-s3';
import type Docker from 'dockerode';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { extract, pack } from 'tar-stream';
import { parse, stringify } from 'yaml';
import type { Environment } from '../../../config/environment';
import { embeddedVaultUrl, kesUrl, publishedUrl } from '../../../config/docker/reachable';
import type { LoadedEnvironment } from '../../../operations/state/load';
import { KES_RELOADED } from '../../../config/kes/kes-configuration';
import type { TlsEndpoint } from '../../../config/operation-inputs';
import { SERVICE_UID } from '../../../config/docker/service-user';
import { dockerEngine } from '../../../operations/docker/docker';
import { HttpClient } from '../../../operations/lib/net/http';
import { reloadContainer } from '../../../operations/docker/reload-container';
import { readCredentials, type S3Credentials, s3Client } from '../../../operations/minio/s3-client';
import { VaultClient } from '../../../operations/vault/vault-client';
import { NotYet, waitFor } from '../../../operations/lib/wait';
import { type Misbehaviour, S3Gateway, type S3GatewayOptions } from './servers/s3-gateway';
import { ownVault } from '../servers/vault';
import { Secret } from '../../../operations/lib/secret';

export type Program = 'vault' | 'vault-unsealer' | 'kes' | 'minio';

export class Workbench {
  /** The deployment as it is. */
  readonly deployed: LoadedEnvironment;
  readonly docker: Docker;
  /** What the checks are told about it. */
  loaded: LoadedEnvironment;
  /** Where the checks are told to find the S3 API. Undefined: where it is. */
  s3Endpoint: TlsEndpoint | undefined;
  private inFront: S3Gateway | undefined;
  private readonly steps: (() => Promise<unknown>)[] = [];

  constructor(deployed: LoadedEnvironment) {
    this.deployed = deployed;
    this.loaded = deployed;
    this.docker = dockerEngine(deployed.environment.docker);
  }

  /** Notes how what is about to be broken is mended. */
  mendBy(step: () => Promise<unknown>): void {
    this.steps.push(step);
  }

  /** Mends everything, the last fault first. */
  async mend(): Promise<void> {
    for (let step = this.steps.pop(); step !== undefined; step = this.steps.pop()) await step();
    this.loaded = this.deployed;
    this.s3Endpoint = undefined;
    this.inFront = undefined;
  }

  /** Tells the checks of another environment than the one that is deployed. */
  declare(change: (environment: Environment) => Environment): void {
    this.loaded = { ...this.loaded, environment: change(structuredClone(this.loaded.environment)) };
  }

  get credentials(): S3Credentials {
    return readCredentials(this.deployed.state.secret.minioRoot);
  }

  get realS3(): TlsEndpoint {
    const { docker, minio } = this.deployed.environment;
    return this.endpoint(publishedUrl(docker.publishAddress, minio.port));
  }

  /** An S3 client with the root credentials, not through any gateway; destroyed by the mending. */
  s3(): S3Client {
    const { region } = this.deployed.environment.minio;
    const s3 = s3Client({ endpoint: this.realS3, region, credentials: this.credentials });
    this.mendBy(async () => {
      s3.destroy();
      return Promise.resolve();
    });
    return s3;
  }

  /** Puts a gateway between the checks and MinIO. There is one at most. */
  async gateway(
    served: Partial<Omit<S3GatewayOptions, 'upstream' | 'region' | 'credentials'>> = {},
  ): Promise<S3Gateway> {
    if (this.inFront !== undefined) throw new Error('two faults ask for a gateway of their own: plant them apart');
    const { state, environment } = this.deployed;
    const gateway = await S3Gateway.start({
      upstream: this.realS3,
      region: environment.minio.region,
      credentials: this.credentials,
      certificateFile: path.join(state.tls, 'minio-server.crt'),
      privateKeyFile: path.join(state.secret.tls, 'minio-server.key'),
      ...served,
    });
    this.mendBy(async () => gateway.stop());
    this.inFront = gateway;
    this.s3Endpoint = { url: gateway.url, caFile: state.caCertificate };
    return gateway;
  }

  /** Has the gateway between the checks and MinIO do something to what passes it, besides what others have it do. */
  async misbehave(misbehaviour: Misbehaviour): Promise<void> {
    (this.inFront ?? (await this.gateway())).misbehave(misbehaviour);
  }

  container(program: Program): Docker.Container {
    return this.docker.getContainer(this.containerName(program));
  }

  containerName(program: Program): string {
    return `ebs-${this.deployed.environment.name}-${program}`;
  }

  /** Runs a program in a container that runs. */
  async execute(container: Docker.Container, command: string[]): Promise<{ code: number; output: string }> {
    const exec = await container.exec({ Cmd: command, AttachStdout: true, AttachStderr: true, Tty: true });
    const output = (await buffer(await exec.start({ Tty: true }))).toString('utf8');
    return { code: (await exec.inspect()).ExitCode ?? -1, output };
  }

  /** Stops a container; the mending starts it again. */
  async stop(program: Program): Promise<void> {
    this.mendBy(async () => {
      await this.container(program).start();
      await this.waitForHealth(program);
    });
    await this.container(program).stop();
  }

  /** Leaves no container of its name; the mending puts it back. */
  async takeAway(program: Program): Promise<void> {
    const name = this.containerName(program);
    const own = this.docker.getContainer((await this.container(program).inspect()).Id);
    await own.stop();
    await own.rename({ name: `${name}-away` });
    this.mendBy(async () => {
      await own.rename({ name });
      await own.start();
      await this.waitForHealth(program);
    });
  }

  /**
   * Runs a program in another container, made like its own except for `change`: on the same volumes, in the same networks,
   * under the same name. The mending puts its own back.
   *
   * @param change returns what Docker is told to create
   */
  async replaceContainer(
    program: Program,
    change: (options: Docker.ContainerCreateOptions) => Docker.ContainerCreateOptions,
  ): Promise<void> {
    const name = this.containerName(program);
    const away = `${name}-away`;
    const own = this.docker.getContainer((await this.container(program).inspect()).Id);
    const options = await this.optionsOf(program);
    this.mendBy(async () => {
      const { State, Name } = await own.inspect();
      if (Name === `/${away}`) await own.rename({ name });
      if (!State.Running) await own.start();
      await this.waitForHealth(program);
    });
    await own.stop();
    await own.rename({ name: away });
    const replacement = await this.create(change({ ...options, name }));
    await replacement.start();
    await this.waitForHealth(program);
  }

  /** Runs a program once more, on the same volumes and by the same name in the network; the mending takes it away. */
  async runSecond(program: Program): Promise<void> {
    const { HostConfig, ...options } = await this.optionsOf(program);
    const second = await this.create({
      ...options,
      name: `${this.containerName(program)}-second`,
      HostConfig: { ...HostConfig, PortBindings: {} },
    });
    await second.start();
    await waitFor({ what: `a second ${program} to be healthy`, timeoutMs: 180_000 }, async () => {
      const { State } = await second.inspect();
      return State.Health?.Status === 'healthy' ? true : new NotYet(State.Health?.Status ?? State.Status);
    });
  }

  /** Makes a container; the mending takes it away. Engines before API 1.44 take no more than one network at first. */
  private async create(options: Docker.ContainerCreateOptions): Promise<Docker.Container> {
    const [[first, endpoint] = ['', {}], ...others] = Object.entries(options.NetworkingConfig?.EndpointsConfig ?? {});
    const container = await this.docker.createContainer({
      ...options,
      HostConfig: { ...options.HostConfig, NetworkMode: first },
      NetworkingConfig: { EndpointsConfig: { [first]: endpoint } },
    });
    this.mendBy(async () => container.remove({ force: true }));
    for (const [network, EndpointConfig] of others) {
      await this.docker.getNetwork(network).connect({ Container: container.id, EndpointConfig });
    }
    return container;
  }

  /** What makes a container like the one of a program, but for its name. */
  private async optionsOf(program: Program): Promise<Docker.ContainerCreateOptions> {
    const { Config, HostConfig, NetworkSettings } = await this.container(program).inspect();
    const { Hostname, ...sameConfig } = Config;
    const EndpointsConfig = Object.fromEntries(
      Object.entries(NetworkSettings.Networks).map(([network, { Aliases }]) => [
        network,
        { Aliases: ((Aliases ?? []) as string[]).filter((alias) => !alias.startsWith(Hostname)) },
      ]),
    );
    return { ...(sameConfig as Docker.ContainerCreateOptions), HostConfig, NetworkingConfig: { EndpointsConfig } };
  }

  /** Changes variables of MinIO's container; `undefined` takes one away. */
  async runMinioWith(variables: Readonly<Record<string, string | undefined>>): Promise<void> {
    await this.replaceContainer('minio', (options) => {
      const kept = (options.Env ?? []).filter((entry) => !((entry.split('=')[0] ?? '') in variables));
      const added = Object.entries(variables).flatMap(([key, value]) =>
        value === undefined ? [] : [`${key}=${value}`],
      );
      return { ...options, Env: [...kept, ...added] };
    });
  }

  /** Waits until Docker calls a container healthy; one without a health check must run. */
  async waitForHealth(program: Program): Promise<void> {
    await waitFor({ what: `${this.containerName(program)} to be healthy`, timeoutMs: 180_000 }, async () => {
      const { State } = await this.container(program).inspect();
      const health = State.Health?.Status ?? (State.Running ? 'healthy' : State.Status);
      if (health === 'healthy') return true;
      // Docker looks every 10 s, and a fault may well keep it from ever finding MinIO healthy
      return program === 'minio' && (await this.minioAnswers(this.realS3.url)) ? true : new NotYet(health);
    });
  }

  /** Waits until a MinIO with the certificates of the environment serves at an address. */
  async waitForMinio(url: string): Promise<void> {
    await waitFor({ what: `MinIO to serve at ${url}`, timeoutMs: 180_000 }, async () =>
      (await this.minioAnswers(url)) ? true : new NotYet('it does not serve'),
    );
  }

  private async minioAnswers(url: string): Promise<boolean> {
    const minio = new HttpClient({ ...this.realS3, url });
    try {
      return (await minio.send({ method: 'GET', path: '/minio/health/cluster' })).status === 200;
    } catch {
      return false;
    } finally {
      minio.close();
    }
  }

  /** Changes files in the file volume of a program, by their path in it; the mending writes the old ones. */
  async changeFiles(program: Program, files: Readonly<Record<string, string | Buffer>>): Promise<void> {
    for (const name of Object.keys(files)) {
      const old = await this.readFile(program, name);
      this.mendBy(async () => this.writeFile(program, name, old));
    }
    for (const [name, content] of Object.entries(files)) await this.writeFile(program, name, content);
  }

  /** Gives KES another configuration and has it read it; so has the mending. The cache of KES is empty then. */
  async configureKes<T>(change: (configuration: T) => T): Promise<void> {
    const { kesConfiguration } = this.deployed.state.secret;
    const changed = stringify(change(parse(readFileSync(kesConfiguration, 'utf8')) as T));
    this.mendBy(async () => this.reloadKes());
    await this.changeFiles('kes', { 'server-config.yaml': changed });
    await this.reloadKes();
  }

  /** Has KES read its files again, which empties its cache. */
  async reloadKes(): Promise<void> {
    await reloadContainer({
      container: this.containerName('kes'),
      signal: 'SIGHUP',
      proof: { ...KES_RELOADED, url: kesUrl(this.deployed.environment) },
    });
  }

  /** Vault with a root token, made from the unseal shares as their owner can; the mending revokes it at the very end. */
  async vaultRoot(): Promise<VaultClient> {
    const { environment, state } = this.deployed;
    const settings = ownVault(environment);
    const vault = new VaultClient(this.endpoint(embeddedVaultUrl(settings)));
    const shares = Array.from(
      { length: settings.threshold },
      (_, index) => new Secret(readFileSync(state.secret.unsealShare(index + 1), 'utf8').trim()),
    );
    const root = vault.withToken(await vault.generateRootToken(shares));
    vault.close();
    this.mendBy(async () => {
      await root.write('auth/token/revoke-self');
      root.close();
    });
    return root;
  }

  private endpoint(url: string): TlsEndpoint {
    return { url, caFile: this.deployed.state.caCertificate };
  }

  private async readFile(program: Program, name: string): Promise<Buffer> {
    const archive = (await this.loader(program).getArchive({ path: `/files/${name}` })).pipe(extract());
    for await (const entry of archive) return buffer(entry);
    throw new Error(`there is no ${name} in the files of ${program}`);
  }

  private async writeFile(program: Program, name: string, content: string | Buffer): Promise<void> {
    const archive = pack();
    archive.entry({ name, mode: 0o400, uid: SERVICE_UID, gid: SERVICE_UID }, content);
    archive.finalize();
    await this.loader(program).putArchive(await buffer(archive), { path: '/files' });
  }

  /** The container that is never started and through which files get into the volume. */
  private loader(program: Program): Docker.Container {
    return this.docker.getContainer(`${this.containerName(program)}-files-loader`);
  }
}

interface KesPolicies {
  readonly policy: Readonly<Record<'minio', { readonly allow: readonly string[] }>>;
}

/** The configuration of a KES that makes keys for MinIO, and opens none. */
export function openingNothing(configuration: KesPolicies): KesPolicies {
  const { minio } = configuration.policy;
  const allow = minio.allow.filter((path) => !path.includes('/decrypt/'));
  return { ...configuration, policy: { ...configuration.policy, minio: { ...minio, allow } } };
}
