/**
 * How this machine reaches and verifies MinIO and Vault, with files of the state folder, whichever way certificates
 * come: one notion for the stacks, the operations, the checks and the summary.
 */
import { embeddedVaultUrl, publishedUrl } from '../docker/reachable';
import type { Environment, VaultKeyStoreSettings } from '../environment';
import { s3Name } from '../minio/s3-endpoint';
import type { TlsEndpoint } from '../operation-inputs';
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
export function s3Endpoint(settings: Settings, state: StateLayout): TlsEndpoint {
  const url = publishedUrl(settings.docker.publishAddress, settings.minio.port);
  const caFile = s3CaFile(settings, state);
  const serverName = settings.tls.mode === 'self-signed' ? undefined : s3Name(settings);
  return {
    url,
    ...(caFile === undefined ? {} : { caFile }),
    ...(serverName === undefined ? {} : { serverName }),
  };
}

/** How the deploy reaches Vault. */
export interface VaultAccess extends TlsEndpoint {
  readonly namespace?: string;
  /** File with the token. Absent: VAULT_TOKEN. */
  readonly tokenFile?: string;
}

/** @throws UsageError if neither the file nor VAULT_ADDR has the address of an external Vault */
export function vaultAccess(
  { vault }: VaultKeyStoreSettings,
  state: StateLayout,
  variables: VaultVariables,
): VaultAccess {
  if (vault.mode === 'external') {
    const address = externalVaultAddress(vault, variables);
    return {
      ...address,
      ...(vault.tokenFile === undefined ? {} : { tokenFile: vault.tokenFile }),
    };
  }
  return {
    url: embeddedVaultUrl(vault),
    caFile: state.caCertificate,
    tokenFile: state.secret.provisionerToken,
  };
}
