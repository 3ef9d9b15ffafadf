/** The addresses on which services are published, and how the machine that deploys reaches them. */
import { isIPv6 } from 'node:net';
import type { EmbeddedVault, Environment } from '../environment';

/** Addresses that stand for all of a machine, each with the one by which it reaches itself. */
const ALL_ADDRESSES: ReadonlyMap<string, string> = new Map([
  ['0.0.0.0', '127.0.0.1'],
  ['::', '::1'],
]);

/** Whether a port that is published on `address` is published on every address of the Docker host. */
export function meansEveryAddress(address: string): boolean {
  return ALL_ADDRESSES.has(address);
}

/** Whether only programs of the Docker host reach what is published on `address`. */
export function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.');
}

/** The address by which the machine that deploys reaches what is published on `address`. */
export function reachableAddress(address: string): string {
  return ALL_ADDRESSES.get(address) ?? address;
}

/** An address as the host of a URL: IPv6 in brackets. */
export function urlHost(address: string): string {
  return isIPv6(address) ? `[${address}]` : address;
}

/** `https://` and what reaches a port that is published on `address`. */
export function publishedUrl(address: string, port: number): string {
  return `https://${urlHost(reachableAddress(address))}:${port}`;
}

/** How the machine that deploys reaches KES. */
export function kesUrl({ kes }: Pick<Environment, 'kes'>): string {
  return publishedUrl(kes.publishAddress, kes.port);
}

/** How it reaches an embedded Vault. */
export function embeddedVaultUrl({ publishAddress, port }: EmbeddedVault): string {
  return publishedUrl(publishAddress, port);
}
