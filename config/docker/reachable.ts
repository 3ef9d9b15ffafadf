/** The addresses on which services are published, and how the machine that deploys reaches them. */
import { isIPv6 } from 'node:net';
import type { EmbeddedVault, Environment } from '../environment';
import { type Node, type NodeSettings, nodesOf } from '../node';

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

/** Where a port is published on a Docker host. */
export interface Publication {
  /** Address to listen on; `0.0.0.0` and `::` are all of them. */
  readonly address: string;
  readonly port: number;
}

/** Where the KES of a node is published. */
export const kesPublication = ({ kes }: Pick<Environment, 'kes'>, { host }: Pick<Node, 'host'>): Publication => ({
  address: host?.address ?? kes.publishAddress,
  port: kes.port,
});

/** Where the API of a node’s embedded Vault is published. */
export const vaultPublication = (
  { publishAddress, port }: EmbeddedVault,
  { host }: Pick<Node, 'host'>,
): Publication => ({ address: host?.address ?? publishAddress, port });

/** Where clients find the S3 API on a node: its only MinIO, or its balancer. */
export function s3Publication({ docker, minio }: Pick<Environment, 'docker' | 'minio'>, node: Pick<Node, 'host'>) {
  const { publishAddress } = docker;
  const everywhere = node.host === undefined || meansEveryAddress(publishAddress);
  return { address: everywhere ? publishAddress : node.host.address, port: minio.port } satisfies Publication;
}

/** Where the MinIO of a node is published: for clients where it is the only one, else for the other nodes. */
export const minioPublication = (environment: Pick<Environment, 'docker' | 'minio'>, node: Node): Publication =>
  node.host === undefined ? s3Publication(environment, node) : { address: node.host.address, port: node.minio.port };

/** How the machine that deploys reaches a publication on a node. */
export function urlOf({ address, port }: Publication, { host }: Pick<Node, 'host'>): string {
  // on another machine, every address is not its loopback
  return publishedUrl(host !== undefined && meansEveryAddress(address) ? host.address : address, port);
}

/** How it reaches the KES of a node, by default the first. */
export function kesUrl(environment: NodeSettings, node: Node = nodesOf(environment)[0]): string {
  return urlOf(kesPublication(environment, node), node);
}

/** How it reaches an embedded Vault that is the only one. */
export function embeddedVaultUrl({ publishAddress, port }: EmbeddedVault): string {
  return publishedUrl(publishAddress, port);
}
