/** What a person should know about how a deployment is reached, and would otherwise find out by an error. */
import { lookup } from 'node:dns/promises';
import type { Environment } from '../../config/environment';
import { embeddedVault } from '../../config/vault/vault';
import { isLoopback, meansEveryAddress, publishedUrl, reachableAddress } from '../../config/docker/reachable';
import { s3Name } from '../../config/minio/s3-endpoint';

type Settings = Pick<Environment, 'docker' | 'minio' | 'tls' | 'keyStore' | 'hosts'>;

/**
 * @param resolves whether this machine knows an address of a name. Default: what its resolver says
 * @returns one text each; none where there is nothing to say
 */
export async function reachNotes(
  environment: Settings,
  resolves: (name: string) => Promise<boolean> = isKnown,
): Promise<string[]> {
  const name = s3Name(environment);
  const isUnknown = name !== undefined && !(await resolves(name));
  return [...(isUnknown ? [unknownName(name, environment)] : []), ...exposedVault(environment)];
}

async function isKnown(name: string): Promise<boolean> {
  try {
    await lookup(name);
    return true;
  } catch {
    return false;
  }
}

function unknownName(name: string, { docker, hosts: [host] = [], minio, tls }: Settings): string {
  const address = host?.address ?? docker.publishAddress;
  const line = `${reachableAddress(address)} ${name}`;
  // another certificate than that of the private CA has no address
  const byAddress = tls.mode === 'self-signed' ? `, or use ${publishedUrl(address, minio.port)}` : '';
  return `this machine does not resolve ${name}: add it to DNS, or the line "${line}" to /etc/hosts${byAddress}`;
}

function exposedVault(environment: Settings): string[] {
  const vault = embeddedVault(environment);
  if (vault === undefined || isLoopback(vault.publishAddress) || meansEveryAddress(vault.publishAddress)) {
    return [];
  }
  return [
    `Vault is published on ${vault.publishAddress}: whoever reaches port ${vault.port} can cancel a rekeying without a token (CVE-2026-5807). Have the firewall admit the machines that deploy, and no other`,
  ];
}
