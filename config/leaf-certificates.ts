import { clientLeaf, KES_ALIAS, LEAVES, MINIO_ALIAS, VAULT_ALIAS } from './deployment-names';
import type { Environment } from './environment';
import type { LeafCertificate, OperationInput } from './operation-inputs';
import type { StateLayout } from './state';

/** Every certificate that the private CA of an environment issues. */
export function leafCertificates({ docker, vault, kes, minio, tls }: Environment): LeafCertificate[] {
  const address = docker.publishAddress;
  const ipAddresses = [...new Set(['127.0.0.1', ...(address === '0.0.0.0' ? [] : [address])])];
  const server = (
    name: string,
    alias: string,
    hostnames: readonly string[] = [],
    addresses: readonly string[] = [],
  ): LeafCertificate => ({
    name,
    usage: 'server',
    dnsNames: [...new Set([alias, 'localhost', ...hostnames])],
    ipAddresses: [...new Set([...ipAddresses, ...addresses])],
  });
  const client = (name: string): LeafCertificate => ({ name, usage: 'client', dnsNames: [], ipAddresses: [] });
  return [
    ...(vault.mode === 'embedded' ? [server(LEAVES.vault, VAULT_ALIAS)] : []),
    server(LEAVES.kes, KES_ALIAS),
    tls.mode === 'self-signed'
      ? server(LEAVES.minio, MINIO_ALIAS, minio.hostnames, tls.ipAddresses)
      : // beside its default certificate MinIO takes only those without addresses
        { ...server(LEAVES.minio, MINIO_ALIAS), dnsNames: [MINIO_ALIAS], ipAddresses: [] },
    client(LEAVES.minioClient),
    client(LEAVES.keyCreator),
    client(LEAVES.keyProver),
    client(LEAVES.health),
    ...kes.clients.map(({ name }) => client(clientLeaf(name))),
  ];
}

/** What the operation that issues certificates is told about an environment. */
export function certificateIssue(environment: Environment, state: StateLayout): OperationInput<'issue-certificates'> {
  return {
    environment: environment.name,
    certificateFolder: state.tls,
    privateKeyFolder: state.secret.tls,
    validityDays: environment.tls.validityDays,
    leaves: leafCertificates(environment),
    renewalNote: certificateRenewalNote(state.tls),
  };
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
