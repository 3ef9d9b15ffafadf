import { clientLeaf, CLIENTS, METRICS_CLIENT, VAULT_CLIENTS } from '../deployment-names';
import type { Environment } from '../environment';
import { embeddedVault } from '../vault/vault';
import type { LeafCertificate } from '../operation-inputs';
import { type NodeServer, nodesOf } from '../node';
import {
  kesPublication,
  meansEveryAddress,
  minioPublication,
  type Publication,
  vaultPublication,
} from '../docker/reachable';
import { s3Names } from '../minio/s3-endpoint';

/** Every certificate that the private CA of an environment issues. */
export function leafCertificates(environment: Environment): LeafCertificate[] {
  const { kes, minio, tls } = environment;
  const vault = embeddedVault(environment);
  return [
    ...nodesOf(environment).flatMap((node): LeafCertificate[] => {
      const server = (
        { certificate, alias, sharedUrl }: NodeServer,
        { address }: Publication,
        hostnames: readonly string[] = [],
        addresses: readonly string[] = [],
      ): LeafCertificate => ({
        name: certificate,
        usage: 'server',
        // with several hosts a server is also asked for by the name that all share
        dnsNames: [...new Set([alias, new URL(sharedUrl).hostname, 'localhost', ...hostnames])],
        ipAddresses: [...new Set(['127.0.0.1', ...ownAddresses(address), ...addresses])],
      });
      const s3 = minioPublication(environment, node);
      return [
        ...(vault === undefined || node.vault === undefined ? [] : [server(node.vault, vaultPublication(vault, node))]),
        server(node.kes, kesPublication(environment, node)),
        tls.mode === 'self-signed'
          ? server(node.minio, s3, s3Names(minio), [...addressesOf(environment), ...tls.ipAddresses])
          : // beside its default certificate MinIO takes only those without addresses
            {
              ...server(node.minio, s3),
              dnsNames: [...new Set([node.minio.alias, new URL(node.minio.sharedUrl).hostname])],
              ipAddresses: [],
            },
      ];
    }),
    client(CLIENTS.minio),
    client(CLIENTS.keyCreator),
    client(CLIENTS.keyProver),
    client(CLIENTS.health),
    ...(environment.monitoring === undefined ? [] : [client(METRICS_CLIENT)]),
    ...kes.clients.map(({ name }) => client(clientLeaf(name))),
  ];
}

/** The certificates of those who may connect to the Vaults of several hosts. They have a CA of their own. */
export const vaultClientLeaves = ({ monitoring }: Pick<Environment, 'monitoring'>): LeafCertificate[] =>
  [...Object.values(VAULT_CLIENTS), ...(monitoring === undefined ? [] : [METRICS_CLIENT])].map(client);

const client = (name: string): LeafCertificate => ({ name, usage: 'client', dnsNames: [], ipAddresses: [] });

/** A balancer leads a client that asks for the address of its host to the MinIO of any host. */
const addressesOf = ({ hosts = [] }: Environment): string[] => hosts.map(({ address }) => address);

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
