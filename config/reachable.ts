import type { Environment } from './environment';

/** The address by which the machine that deploys reaches what is published: `0.0.0.0` is none that one can connect to. */
export function reachableAddress({ docker }: Pick<Environment, 'docker'>): string {
  return docker.publishAddress === '0.0.0.0' ? '127.0.0.1' : docker.publishAddress;
}

/** The address by which the machine that deploys reaches KES. */
export function kesUrl(environment: Pick<Environment, 'docker' | 'kes'>): string {
  return `https://${reachableAddress(environment)}:${environment.kes.port}`;
}
