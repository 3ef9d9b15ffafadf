/**
 * How this machine reaches and verifies MinIO and Vault, with files of the state folder, whichever way certificates
 * come: one notion for the stacks, the operations, the checks and the summary.
 */
import path from 'node:path';
import { VAULT_CLIENTS } from '../deployment-names';
import { kesPublication, minioPublication, s3Publication, urlOf, vaultPublication } from '../docker/reachable';
import type { EmbeddedVault, Environment, VaultEnvironment } from '../environment';
import { s3Name } from '../minio/s3-endpoint';
import { type Node, nodesOf, type VaultHost, vaultNodes } from '../node';
import type { CertificateFiles, ClientEndpoint, TlsEndpoint } from '../operation-inputs';
import { externalVaultAddress, type VaultVariables } from '../vault/external-vault';
import type { StateLayout } from './layout';

type Settings = Pick<Environment, 'docker' | 'minio' | 'tls' | 'trustedCAs'>;

/** CA certificates by which clients verify the S3 API; undefined: those that every system trusts. */
export function s3CaFile({ tls, trustedCAs }: Pick<Settings, 'tls' | 'trustedCAs'>, state: StateLayout) {
  if (tls.mode === 'self-signed') return state.caCertificate;
  return tls.ca ?? (trustedCAs.length === 0 ? undefined : state.publicTrust);
}

/**
 * How this machine reaches the S3 API: by address, because its name may lead elsewhere from here, and with the name
 * that clients use, so that what they are shown is what is verified.
 */
export function s3Endpoint(environment: Environment, state: StateLayout): TlsEndpoint {
  const urls = nodesOf(environment).map((node) => urlOf(s3Publication(environment, node), node));
  const caFile = s3CaFile(environment, state);
  const serverName = environment.tls.mode === 'self-signed' ? undefined : s3Name(environment);
  return {
    ...firstOf(urls),
    ...(caFile === undefined ? {} : { caFile }),
    ...(serverName === undefined ? {} : { serverName }),
  };
}

/** How it reaches the MinIO of one node, whatever others do. */
export function minioNodeEndpoint(environment: Environment, state: StateLayout, node: Node): TlsEndpoint {
  const { url: _, otherUrls: __, ...verified } = s3Endpoint(environment, state);
  return { url: urlOf(minioPublication(environment, node), node), ...verified };
}

/** How it reaches KES, whichever answers. */
export function kesEndpoint(environment: Environment, state: StateLayout): TlsEndpoint {
  const urls = nodesOf(environment).map((node) => urlOf(kesPublication(environment, node), node));
  return { ...firstOf(urls), caFile: state.caCertificate };
}

/** How it reaches the KES of one node. */
export function kesNodeEndpoint(environment: Environment, state: StateLayout, node: Node): TlsEndpoint {
  return { url: urlOf(kesPublication(environment, node), node), caFile: state.caCertificate };
}

/** One address, and the others in their order where there are any. */
function firstOf(urls: readonly string[]): Pick<TlsEndpoint, 'url' | 'otherUrls'> {
  const [url = '', ...otherUrls] = urls;
  return otherUrls.length === 0 ? { url } : { url, otherUrls };
}

/** How the deploy reaches Vault. */
export interface VaultAccess extends ClientEndpoint {
  readonly namespace?: string;
  /** File with the token. Absent: VAULT_TOKEN. */
  readonly tokenFile?: string;
}

/** @throws UsageError if neither the file nor VAULT_ADDR has the address of an external Vault */
export function vaultAccess(environment: VaultEnvironment, state: StateLayout, variables: VaultVariables): VaultAccess {
  const { vault } = environment.keyStore;
  if (vault.mode === 'external') {
    const address = externalVaultAddress(vault, variables);
    return {
      ...address,
      ...(vault.tokenFile === undefined ? {} : { tokenFile: vault.tokenFile }),
    };
  }
  return {
    ...embeddedVaultEndpoint(environment, vault, state),
    tokenFile: state.secret.provisionerToken,
  };
}

/** How the deploying machine reaches an embedded Vault, whichever answers. */
export function embeddedVaultEndpoint(
  environment: Environment,
  vault: EmbeddedVault,
  state: StateLayout,
): ClientEndpoint {
  const urls = vaultNodes(nodesOf(environment)).map((node) => urlOf(vaultPublication(vault, node), node));
  return { ...firstOf(urls), caFile: state.caCertificate, ...operatorOf(environment, state) };
}

/** How it reaches the Vault of one node. */
export function vaultNodeEndpoint(
  environment: Environment,
  vault: EmbeddedVault,
  state: StateLayout,
  node: VaultHost,
): ClientEndpoint {
  const url = urlOf(vaultPublication(vault, node), node);
  return { url, caFile: state.caCertificate, ...operatorOf(environment, state) };
}

/** One Vault alone is published for the deploying machine, and asks for no certificate. */
function operatorOf({ hosts }: Environment, state: StateLayout) {
  if (hosts === undefined) return {};
  const { certificate, privateKey } = vaultClientFiles(state, VAULT_CLIENTS.operator);
  return { certificateFile: certificate, privateKeyFile: privateKey };
}

/** The certificate by which a client of several Vaults is known there. */
export function vaultClientFiles(state: StateLayout, client: string): CertificateFiles {
  return {
    certificate: path.join(state.vaultClients, `${client}.crt`),
    privateKey: path.join(state.secret.vaultClients, `${client}.key`),
  };
}

/** The CA of those clients. */
export const vaultClientCa = (state: StateLayout): string => path.join(state.vaultClients, 'ca.crt');
