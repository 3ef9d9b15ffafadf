/** Refuses where Docker has no addresses left for a network, or others have them, before anything is deployed. */
import { randomBytes } from 'node:crypto';
import type Docker from 'dockerode';
import { rangesOverlap } from '../../config/docker/subnets';
import type { OwnerLabel } from './docker';
import { ExternalError, messageOf } from '../lib/errors';
import { type Route, routeConflicts } from './hosts/host-routes';

/** A network that the deployment will have. */
export interface WantedNetwork {
  readonly name: string;
  /** Its IPv4 range. @default - Docker chooses */
  readonly subnet?: string | undefined;
}

export interface NetworksRequest {
  readonly networks: readonly WantedNetwork[];
  readonly owner: OwnerLabel;
  readonly docker: Docker;
  /** Of the Docker host, if it is this machine. */
  readonly routes: readonly Route[];
  readonly announce: (line: string) => void;
  /** Where `docker.subnet` can be changed, for the hint. */
  readonly settings: string;
}

/**
 * What Docker has left depends on its pools, its networks and the routes of its host, so Docker itself is asked: each
 * network that is not there yet is made under another name, and removed again.
 *
 * @returns the ranges that were asked for or given
 * @throws ExternalError that names the networks in the way
 */
export async function requireFreeNetworks(request: NetworksRequest): Promise<string[]> {
  const { networks, owner, docker, settings } = request;
  const there = await docker.listNetworks();
  const missing = networks.filter(({ name }) => there.every((network) => network.Name !== name));
  // Docker looks at routes only where it chooses the range
  for (const network of missing) requireNoRoute(network, request);
  const made: Docker.Network[] = [];
  try {
    for (const network of missing) made.push(await tryNetwork(docker, network, owner, there, settings));
    const ranges = await Promise.all(made.map(async (network) => rangesOf((await network.inspect()) as Inspected)));
    return ranges.flat();
  } finally {
    // one that stays is an orphan, which the next deploy removes
    await Promise.allSettled(made.map((network) => network.remove()));
  }
}

function requireNoRoute({ name, subnet }: WantedNetwork, { routes, announce, settings }: NetworksRequest): void {
  if (subnet === undefined) return;
  const { taken, cut } = routeConflicts(subnet, routes);
  const list = (conflicts: readonly Route[]): string => conflicts.map(({ range, by }) => `${range} (${by})`).join(', ');
  if (taken.length > 0) {
    throw new ExternalError(
      `docker.subnet: ${subnet} of network ${name} overlaps a route of this machine: ${list(taken)}`,
      `Write a range into ${settings} that this machine does not use.`,
    );
  }
  if (cut.length > 0) {
    announce(
      `docker.subnet: ${subnet} is taken out of ${list(cut)}: addresses there cannot be reached from this machine`,
    );
  }
}

const PROBE = '-preflight-';

/** Whether a network was made by {@link requireFreeNetworks}, and never had a container in it. */
export function isProbe(name: string): boolean {
  return new RegExp(`${PROBE}[0-9a-f]{8}$`).test(name);
}

interface Inspected {
  readonly IPAM?: { readonly Config?: readonly { readonly Subnet?: string }[] | null };
}

function rangesOf({ IPAM }: Inspected): string[] {
  return (IPAM?.Config ?? []).flatMap(({ Subnet }) => (Subnet === undefined ? [] : [Subnet]));
}

async function tryNetwork(
  docker: Docker,
  { name, subnet }: WantedNetwork,
  owner: OwnerLabel,
  there: readonly Docker.NetworkInspectInfo[],
  settings: string,
): Promise<Docker.Network> {
  try {
    return await docker.createNetwork({
      Name: `${name}${PROBE}${randomBytes(4).toString('hex')}`,
      // `down` finds one that a kill has left
      Labels: { [owner.name]: owner.value },
      ...(subnet === undefined ? {} : { IPAM: { Config: [{ Subnet: subnet }] } }),
    });
  } catch (error) {
    const message = messageOf(error);
    if (subnet === undefined && /available.*address pool|fully subnetted/i.test(message)) {
      throw new ExternalError(
        `Docker has no addresses left for network ${name}: its ${there.length} networks and the routes of its host take all of its address pools`,
        `Remove unused networks (docker network prune), or write a free range into ${settings}, such as docker: {subnet: 10.123.0.0/24}.`,
        { cause: error },
      );
    }
    if (subnet !== undefined && /overlaps/i.test(message)) {
      const others = there.flatMap((network) =>
        rangesOf(network as Inspected)
          .filter((range) => rangesOverlap(range, subnet))
          .map((range) => `${network.Name} (${range})`),
      );
      throw new ExternalError(
        `docker.subnet: ${subnet} of network ${name} overlaps ${others.join(', ') || 'another network of the Docker host'}`,
        `Write a free range into ${settings}, or remove what has it.`,
        { cause: error },
      );
    }
    throw new ExternalError(`Docker cannot make network ${name}: ${message}`, undefined, { cause: error });
  }
}
