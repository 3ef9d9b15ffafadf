/** The two networks of an environment: that of MinIO and KES, and that of KES and an embedded Vault. */
import type { Environment } from '../environment';
import { embeddedVault } from '../vault/vault';
import { nodesOf } from '../node';
import { halvesOf } from './subnets';

/** Docker's own name of the option (docs.docker.com, "Bridge network driver"). */
export const MTU_OPTION = 'com.docker.network.driver.mtu';

/** What is declared about a Docker network. */
export interface NetworkSettings {
  readonly name: string;
  /** IPv4 range. Absent: Docker chooses one. */
  readonly subnet?: string;
  /** Largest packet, in bytes. Absent: Docker's default, 1500. */
  readonly mtu?: number;
}

/** The network of MinIO and KES. */
export function storageNetwork(environment: Environment): NetworkSettings {
  return settingsOf(environment, nodesOf(environment)[0].networks.storage, 0);
}

/** The network of KES and an embedded Vault. */
export function vaultNetwork(environment: Environment): NetworkSettings {
  return settingsOf(environment, nodesOf(environment)[0].networks.vault, 1);
}

/**
 * Every network of an environment. Several hosts have that of Vault even without one: Vaults that the master keys have left
 * are in it, and nothing deletes them.
 */
export function networksOf(environment: Environment): NetworkSettings[] {
  return [
    storageNetwork(environment),
    ...(environment.hosts === undefined && embeddedVault(environment) === undefined ? [] : [vaultNetwork(environment)]),
  ];
}

/** The names of the networks that a service is in. */
export function networksOfService(environment: Environment, service: 'vault' | 'kes' | 'minio'): [string, ...string[]] {
  const [storage, vault] = [storageNetwork(environment).name, vaultNetwork(environment).name];
  if (service === 'vault') return [vault];
  return service === 'kes' && embeddedVault(environment) !== undefined ? [storage, vault] : [storage];
}

function settingsOf({ docker: { subnet, mtu } }: Environment, name: string, half: 0 | 1): NetworkSettings {
  return {
    name,
    ...(subnet === undefined ? {} : { subnet: halvesOf(subnet)[half] }),
    ...(mtu === undefined ? {} : { mtu }),
  };
}
