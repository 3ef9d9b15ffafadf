/** Refuses ports that someone else holds, all of them at once and by name, before anything is deployed. */
import { createServer } from 'node:net';
import type Docker from 'dockerode';
import { urlHost } from '../../config/docker/reachable';
import type { OwnerLabel } from './docker';
import { ExternalError } from '../lib/errors';

/** A port that the deployment will publish. */
export interface WantedPort {
  readonly address: string;
  readonly port: number;
  /** What it is for, and the setting that names it. */
  readonly purpose: string;
}

export interface PortsRequest {
  readonly ports: readonly WantedPort[];
  readonly owner: OwnerLabel;
  readonly docker: Docker;
  /** Whether the engine is on this machine: only then are its ports ours to try. */
  readonly local: boolean;
  /** Where the ports can be changed, for the hint. */
  readonly settings: string;
}

/** @throws ExternalError that names the holder of every port that is taken */
export async function requireFreePorts({ ports, owner, docker, local, settings }: PortsRequest): Promise<void> {
  const containers = await docker.listContainers();
  const starting = await boundByStarting(docker, containers, owner);
  const problems: string[] = [];
  for (const wanted of ports) {
    const container = containers.find((candidate) => publishes(candidate, wanted));
    if (container?.Labels[owner.name] === owner.value) continue;
    const holder =
      container !== undefined
        ? describeContainer(container, owner.name)
        : local && !starting.has(wanted.port)
          ? await tryToListen(wanted)
          : undefined;
    if (holder !== undefined) {
      problems.push(`\n  - ${urlHost(wanted.address)}:${wanted.port} (${wanted.purpose}): ${holder}`);
    }
  }
  if (problems.length > 0) {
    throw new ExternalError(
      `${problems.length === 1 ? 'a port' : `${problems.length} ports`} cannot be used:${problems.join('')}`,
      `Stop what holds ${problems.length === 1 ? 'it' : 'them'}, or change the setting in ${settings}.`,
    );
  }
}

/** Ports that our own containers hold already, or are about to, while Docker lists them without: they just start. */
async function boundByStarting(
  docker: Docker,
  containers: readonly Docker.ContainerInfo[],
  owner: OwnerLabel,
): Promise<ReadonlySet<number>> {
  const ours = containers.filter(({ Labels, Ports }) => Labels[owner.name] === owner.value && Ports.length === 0);
  const inspected = await Promise.all(
    ours.map(async ({ Id }) =>
      docker
        .getContainer(Id)
        .inspect()
        .catch(() => undefined),
    ),
  );
  const bindings = inspected.flatMap((container) => Object.values(bindingsOf(container)).flat());
  return new Set(bindings.map(({ HostPort }) => Number(HostPort)));
}

type Bindings = Readonly<Record<string, readonly { readonly HostPort: string }[]>>;

/** Docker says null for a container that publishes nothing. */
function bindingsOf(container: Docker.ContainerInspectInfo | undefined): Bindings {
  return (container?.HostConfig.PortBindings as Bindings | null | undefined) ?? {};
}

const ANY_ADDRESS = new Set(['0.0.0.0', '::', '']);

function publishes(container: Docker.ContainerInfo, wanted: WantedPort): boolean {
  return container.Ports.some(
    (published) =>
      published.PublicPort === wanted.port &&
      published.Type === 'tcp' &&
      (published.IP === wanted.address || ANY_ADDRESS.has(published.IP) || ANY_ADDRESS.has(wanted.address)),
  );
}

function describeContainer(container: Docker.ContainerInfo, label: string): string {
  const name = container.Names[0]?.replace(/^\//, '') ?? container.Id.slice(0, 12);
  const environment = container.Labels[label];
  return environment === undefined
    ? `published by container ${name} (image ${container.Image})`
    : `published by container ${name} of environment ${environment}`;
}

/** Listens for a moment, as Docker will; says what stands in the way. */
async function tryToListen({ address, port }: WantedPort): Promise<string | undefined> {
  const code = await new Promise<string | undefined>((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code ?? error.message);
    });
    server.listen({ port, host: address, exclusive: true }, () => {
      server.close(() => {
        resolve(undefined);
      });
    });
  });
  switch (code) {
    // ports below 1024 are Docker's to take, even where they are not ours
    case undefined:
    case 'EACCES':
      return undefined;
    case 'EADDRINUSE':
      return `held by a process of this machine: \`sudo ss -ltnp\` or \`sudo lsof -i :${port}\` says which`;
    case 'EADDRNOTAVAIL':
      return 'this machine has no such address';
    default:
      return code;
  }
}
