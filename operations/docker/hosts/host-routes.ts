/** The IPv4 routes of this machine, as Linux lists them. */
import { rangeCovers, rangesOverlap } from '../../../config/docker/subnets';
import { readIfExists } from '../../lib/files';

export interface Route {
  /** IPv4 range. */
  readonly range: string;
  /** Network interface. */
  readonly by: string;
  /** Whether the hosts of the range are on the link itself, and not behind a gateway. */
  readonly direct: boolean;
}

/**
 * The routes of the main table but for the default one; none where there is no such list, as on macOS.
 *
 * @param file of Linux (man 5 proc, /proc/net/route): addresses are hexadecimal, the lowest byte first
 */
export function hostRoutes(file = '/proc/net/route'): Route[] {
  const [, ...lines] = (readIfExists(file) ?? '').trim().split('\n');
  return lines.flatMap((line) => {
    const [by = '', destination = '', gateway = '', , , , , mask = ''] = line.split('\t').map((field) => field.trim());
    const prefix = [...(bytesOf(mask) ?? [])].reduce(
      (sum, byte) => sum + byte.toString(2).replaceAll('0', '').length,
      0,
    );
    const address = bytesOf(destination);
    if (address === undefined || prefix === 0) return [];
    return [{ range: `${address.join('.')}/${prefix}`, by, direct: /^0+$/.test(gateway) }];
  });
}

function bytesOf(hexadecimal: string): number[] | undefined {
  const pairs = /^(..)(..)(..)(..)$/.exec(hexadecimal)?.slice(1);
  return pairs?.map((pair) => parseInt(pair, 16)).reverse();
}

/** Prefix of a range that is too large for a link: a tunnel that takes half of all addresses, or a whole 10.0.0.0/8. */
const LARGEST_LINK = 8;

/**
 * What a network would take from this machine.
 *
 * | the route                                    | verdict                                                |
 * |----------------------------------------------|--------------------------------------------------------|
 * | is direct (a link), or no larger             | `taken`: both would be asked for the same addresses    |
 * | leads to a larger range by a gateway         | `cut`: the network becomes a part of it that is nearer |
 */
export function routeConflicts(subnet: string, routes: readonly Route[]): { taken: Route[]; cut: Route[] } {
  const overlapping = routes.filter(({ range }) => rangesOverlap(range, subnet));
  const isTaken = ({ range, direct }: Route): boolean =>
    rangeCovers(subnet, range) || (direct && Number(range.split('/')[1]) > LARGEST_LINK);
  return { taken: overlapping.filter(isTaken), cut: overlapping.filter((route) => !isTaken(route)) };
}
