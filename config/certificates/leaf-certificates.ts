import { clientLeaf, CLIENTS } from '../deployment-names';
import type { Environment } from '../environment';
import { embeddedVault } from '../vault/vault';
import type { LeafCertificate } from '../operation-inputs';
import { type NodeServer, nodesOf } from '../node';
import { meansEveryAddress } from '../docker/reachable';
import { s3Names } from '../minio/s3-endpoint';

/** Every certificate that the private CA of an environment issues. */
export function leafCertificates(environment: Environment): LeafCertificate[] {
  const { docker, kes, minio, tls } = environment;
  const vault = embeddedVault(environment);
  const server = (
    { certificate, alias }: NodeServer,
    address: string,
    hostnames: readonly string[] = [],
    addresses: readonly string[] = [],
  ): LeafCertificate => ({
    name: certificate,
    usage: 'server',
    dnsNames: [...new Set([alias, 'localhost', ...hostnames])],
    ipAddresses: [...new Set(['127.0.0.1', ...ownAddresses(address), ...addresses])],
  });
  const client = (name: string): LeafCertificate => ({ name, usage: 'client', dnsNames: [], ipAddresses: [] });
  return [
    ...nodesOf(environment).flatMap((node) => [
      ...(vault === undefined ? [] : [server(node.vault, vault.publishAddress)]),
      server(node.kes, kes.publishAddress),
      tls.mode === 'self-signed'
        ? server(node.minio, docker.publishAddress, s3Names(minio), tls.ipAddresses)
        : // beside its default certificate MinIO takes only those without addresses
          { ...server(node.minio, docker.publishAddress), dnsNames: [node.minio.alias], ipAddresses: [] },
    ]),
    client(CLIENTS.minio),
    client(CLIENTS.keyCreator),
    client(CLIENTS.keyProver),
    client(CLIENTS.health),
    ...kes.clients.map(({ name }) => client(clientLeaf(name))),
  ];
}

/** What a client of the same machine asks for, besides 127.0.0.1, where a port is published on `address`. */
function ownAddresses(address: string): string[] {
  if (!meansEveryAddress(address)) return [address];
  return address === '::' ? ['::1'] : [];
}

/** Where it is noted when certificates must be renewed. */
export function certificateRenewalNote(certificateFolder: string): string {
  return `${certificateFolder}/renewal.json`;
}

/** Names of a KES client's files while its key is rotated: what follows the present one, and what it replaced. */
export const nextIdentity = (client: string): string => `${client}.next`;
export const previousIdentity = (client: string): string => `${client}.previous`;

/** The files of certificates by which KES also knows a client, without their ending. */
export function otherIdentities(client: string): string[] {
  return [nextIdentity(client), previousIdentity(client)];
}
