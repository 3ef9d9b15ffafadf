/** What relates the addresses of an environment to each other. */
import type { Environment, VaultKeyStoreSettings } from '../environment';
import { embeddedVault } from '../vault/vault';
import type { Problem } from './problem';
import { vaultNetwork } from '../docker/networks';
import { meansEveryAddress } from '../docker/reachable';
import { rangeCovers, rangesOverlap, subnetProblem } from '../docker/subnets';

export function networkRules(environment: Environment): Problem[] {
  const { keyStore, docker } = environment;
  if (docker.subnet !== undefined && subnetProblem(docker.subnet) !== undefined) return [];
  return [
    ...publicationRules(environment),
    ...(keyStore.type === 'vault' ? boundAddressRules(environment, keyStore) : []),
  ];
}

function publicationRules(environment: Environment): Problem[] {
  const { docker, kes } = environment;
  const vault = embeddedVault(environment);
  const addresses = [
    { section: 'docker', address: docker.publishAddress },
    { section: 'kes', address: kes.publishAddress },
    ...(vault === undefined ? [] : [{ section: 'vault', address: vault.publishAddress }]),
  ];
  const range = docker.subnet;
  const problems = addresses.flatMap(({ section, address }): Problem[] => {
    if (range === undefined || address.includes(':') || meansEveryAddress(address)) return [];
    if (!rangesOverlap(range, `${address}/32`)) return [];
    const message = `must not be in docker.subnet (${range}), whose addresses are those of containers`;
    return [
      { path: [section, 'publishAddress'], message, fix: 'choose another docker.subnet', other: ['docker', 'subnet'] },
    ];
  });
  if (vault !== undefined && meansEveryAddress(vault.publishAddress)) {
    problems.push({
      path: ['vault', 'publishAddress'],
      message: 'must be one address, because whoever reaches Vault can cancel a rekeying without a token',
      fix: 'name the address by which this machine reaches the Docker host',
      other: ['vault', 'mode'],
    });
  }
  return problems;
}

/** Where Docker takes the ranges of networks from by default (moby, libnetwork/ipamutils). */
const DOCKER_POOLS = ['172.16.0.0/12', '192.168.0.0/16'];

/** Vault sees KES at an address of their network. */
function boundAddressRules(environment: Environment, keyStore: VaultKeyStoreSettings): Problem[] {
  if (keyStore.vault.mode !== 'embedded') return [];
  const { secretId } = keyStore.approle;
  return (['boundCidrs', 'tokenBoundCidrs'] as const).flatMap((setting): Problem[] => {
    const ranges = secretId[setting];
    if (ranges.length === 0) return [];
    const rule = { path: ['keyStore', 'approle', 'secretId', setting], other: ['docker', 'subnet'] };
    if (environment.hosts !== undefined) {
      const message = 'must not be given with hosts and an embedded Vault, which sees the balancers instead of KES';
      return [{ ...rule, message, fix: 'remove it', other: ['hosts'] }];
    }
    const { subnet: half } = vaultNetwork(environment);
    if (half === undefined) {
      // Docker chooses out of these unless its daemon.json says otherwise
      if (DOCKER_POOLS.every((pool) => ranges.some((range) => !range.includes(':') && rangeCovers(range, pool))))
        return [];
      const message = 'needs docker.subnet with an embedded Vault, because Docker otherwise chooses the address of KES';
      return [{ ...rule, message, fix: 'write docker.subnet, or remove the line' }];
    }
    if (ranges.some((range) => !range.includes(':') && rangeCovers(range, half))) return [];
    const message = `must hold ${half}, the half of docker.subnet where Vault and KES are`;
    return [{ ...rule, message, fix: `add ${half}` }];
  });
}
