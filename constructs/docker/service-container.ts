import { Container } from '@cdktf/provider-docker/lib/container';
import type { ITerraformDependable } from 'cdktf';
import { Construct } from 'constructs';
import { SERVICE_UID } from '../../config/docker/service-user';
import type { DeploymentBase } from '../deployment';
import { literal } from '../expressions';
import { environmentLabels, READ_AT_START_LABEL } from './labels';

/** How Docker finds out whether a container is healthy. */
export interface HealthCheck {
  /** Program and arguments, run inside the container. Exit code 0: healthy. */
  readonly command: readonly string[];
  /** @default 5 s */
  readonly intervalSeconds?: number;
}

export interface ServiceContainerProps {
  readonly deployment: DeploymentBase;
  readonly name: string;
  /** Name or digest of an image on the Docker host. */
  readonly image: string;
  /** Program and arguments; replaces the image's own. */
  readonly command: readonly [string, ...string[]];
  readonly networks: readonly [string, ...string[]];
  /** Its name in all of them; or one for each, in their order. */
  readonly alias: string | readonly string[];
  /** Names that it looks up, with their addresses: of programs on other hosts. @default - none */
  readonly hosts?: readonly { readonly name: string; readonly address: string }[];
  /** @default - none */
  readonly volumes?: readonly { readonly name: string; readonly path: string; readonly readOnly: boolean }[];
  /** Existing folders of the Docker host. @default - none */
  readonly folders?: readonly { readonly host: string; readonly path: string; readonly readOnly: boolean }[];
  /** @default - none is published */
  readonly ports?: readonly { readonly container: number; readonly host: number; readonly address: string }[];
  /** Visible to everybody who may use Docker: never a secret. */
  readonly variables?: Readonly<Record<string, string>>;
  /** Parameters of the kernel for the network of this container, such as `net.ipv4.…`. @default - those of Docker */
  readonly kernelParameters?: Readonly<Record<string, string>>;
  /** @default - the container counts as healthy when it runs */
  readonly healthCheck?: HealthCheck;
  /** Upper limit of memory; swap is not used. */
  readonly memoryMb: number;
  /** What makes the program end. @default SIGTERM */
  readonly stopSignal?: string;
  /**
   * Time between this signal and SIGKILL when the container is stopped or replaced.
   *
   * @default 10 - seconds; databases need 30 or more
   */
  readonly stopSeconds?: number;
  /**
   * Values that change with what the program reads only when it starts; the container is then replaced.
   *
   * @default - whatever it reads, it can read again
   */
  readonly readAtStart?: readonly string[];
  /** @default - started at once */
  readonly dependsOn?: readonly ITerraformDependable[];
}

/**
 * A long-running container with everything taken away that a backup service does not need: not root, read-only root
 * file system, no capabilities, no new privileges, memory and process limits.
 */
export class ServiceContainer extends Construct {
  readonly name: string;
  private readonly resource: Container;

  constructor(scope: Construct, id: string, props: ServiceContainerProps) {
    super(scope, id);
    this.name = props.name;
    const [program, ...parameters] = props.command;
    const { processLimit } = props.deployment.environment.docker;
    this.resource = new Container(this, 'Resource', {
      name: props.name,
      image: props.image,
      entrypoint: [program],
      command: parameters,
      user: `${SERVICE_UID}:${SERVICE_UID}`,
      readOnly: true,
      capabilities: { drop: ['ALL'] },
      securityOpts: ['no-new-privileges'],
      // stops a fork bomb
      ulimit: [{ name: 'nproc', soft: processLimit, hard: processLimit }],
      memory: props.memoryMb,
      memorySwap: props.memoryMb,
      tmpfs: { '/tmp': 'rw,noexec,nosuid,nodev,size=64m,mode=1777' },
      // Docker takes every signal that it delivers, the SIGHUP of a reload too, for a wish to stop the container,
      // unless it is told which signal that is; `unless-stopped` would leave it down after a crash or a reboot even then
      // (moby, daemon/kill.go and restartmanager.go)
      restart: 'always',
      stopSignal: props.stopSignal ?? 'SIGTERM',
      stopTimeout: props.stopSeconds ?? 10,
      destroyGraceSeconds: props.stopSeconds ?? 10,
      logDriver: 'json-file',
      logOpts: { 'max-size': '10m', 'max-file': '5' },
      labels: [
        ...environmentLabels(props.deployment),
        ...(props.readAtStart ?? []).map((value, index) => ({ label: `${READ_AT_START_LABEL}.${index + 1}`, value })),
      ],
      networksAdvanced: props.networks.map((name, index) => ({
        name,
        aliases: typeof props.alias === 'string' ? [props.alias] : props.alias.slice(index, index + 1),
      })),
      ...(props.hosts === undefined || props.hosts.length === 0
        ? {}
        : { host: props.hosts.map(({ name, address }) => ({ host: name, ip: address })) }),
      volumes: (props.volumes ?? []).map(({ name, path, readOnly }) => ({
        volumeName: name,
        containerPath: path,
        readOnly,
      })),
      // unlike a volume with a host path, this is refused when the folder is not there
      ...(props.folders === undefined
        ? {}
        : {
            mounts: props.folders.map(({ host, path, readOnly }) => ({
              type: 'bind',
              source: literal(host),
              target: path,
              readOnly,
            })),
          }),
      ports: (props.ports ?? []).map(({ container, host, address }) => ({
        internal: container,
        external: host,
        ip: address,
      })),
      env: Object.entries(props.variables ?? {}).map(([name, value]) => `${name}=${value}`),
      ...(props.kernelParameters === undefined ? {} : { sysctls: { ...props.kernelParameters } }),
      ...(props.healthCheck === undefined
        ? {}
        : {
            healthcheck: {
              test: ['CMD', ...props.healthCheck.command],
              interval: `${props.healthCheck.intervalSeconds ?? 5}s`,
              timeout: '5s',
              startPeriod: '30s',
              retries: 3,
            },
          }),
      ...(props.dependsOn === undefined ? {} : { dependsOn: [...props.dependsOn] }),
    });
  }

  /** Docker's id of the container; another one after it was replaced. */
  get containerId(): string {
    return this.resource.id;
  }

  /** For the `dependsOn` of what needs the container. */
  get dependable(): ITerraformDependable {
    return this.resource;
  }
}
