/** The seal that opens an embedded Vault in the place of unseal shares. */
import type { EmbeddedVault } from '../environment';
import type { KmsAccess, SealAccess, TransitAccess } from '../operation-inputs';
import { normalizedAddress } from './external-vault';

export type Seal = Exclude<EmbeddedVault['unseal'], string>;

/** Undefined where unseal shares open Vault. */
export function declaredSeal({ unseal }: EmbeddedVault): Seal | undefined {
  return typeof unseal === 'string' ? undefined : unseal;
}

/** How the seal is asked. */
export function sealAccess(seal: Seal): SealAccess {
  const ca = seal.caFile === undefined ? {} : { caFile: seal.caFile };
  if (seal.type === 'awskms') {
    const { type, region, kmsKey: key, endpoint, credentialsFile } = seal;
    return { type, region, key, ...(endpoint === undefined ? {} : { endpoint }), ...ca, credentialsFile };
  }
  const { type, address, namespace, mount, key, tokenFile } = seal;
  const within = namespace === undefined ? {} : { namespace };
  return { type, url: normalizedAddress(address), ...within, ...ca, mount, key, tokenFile };
}

/** What makes a seal this one and no other. */
export type SealIdentity = Omit<TransitAccess, 'tokenFile' | 'caFile'> | Omit<KmsAccess, 'credentialsFile' | 'caFile'>;

/** For people: which key opens Vault. */
export function describeSeal(seal: SealIdentity): string {
  if (seal.type === 'awskms') {
    return `the key ${seal.key} of AWS KMS in ${seal.endpoint === undefined ? seal.region : `${seal.region} (${seal.endpoint})`}`;
  }
  const within = seal.namespace === undefined ? '' : `, namespace ${seal.namespace}`;
  return `the key ${seal.key} of ${seal.mount}/ in Vault at ${seal.url}${within}`;
}

/** Names of its files in the volume of the embedded Vault. */
const SEAL_FILES = { token: 'seal-token', credentials: 'seal-credentials', ca: 'seal-ca.crt' } as const;

/** What is delivered to Vault for it. */
export function sealFiles(seal: Seal): { readonly path: string; readonly source: string }[] {
  return [
    seal.type === 'transit'
      ? { path: SEAL_FILES.token, source: seal.tokenFile }
      : { path: SEAL_FILES.credentials, source: seal.credentialsFile },
    ...(seal.caFile === undefined ? [] : [{ path: SEAL_FILES.ca, source: seal.caFile }]),
  ];
}

/** Variables for the container of Vault. The client of AWS in Vault takes CAs from nowhere else; Vault asks no other server. */
export function sealVariables(seal: Seal): Record<string, string> {
  return seal.type === 'awskms' && seal.caFile !== undefined ? { SSL_CERT_FILE: `/files/${SEAL_FILES.ca}` } : {};
}

/**
 * The `seal` block of the configuration of Vault. Vault reads the token from its file when it starts, and renews it
 * (hashicorp/go-kms-wrapping, wrappers/transit/v2: `ParsePaths`, `RenewTokenAsSelf`; wrappers/awskms/v2 options.go).
 */
export function sealConfiguration(seal: Seal): Readonly<Record<string, Readonly<Record<string, string>>>> {
  const disabled = seal.leave ? { disabled: 'true' } : {};
  if (seal.type === 'awskms') {
    return {
      awskms: {
        region: seal.region,
        kms_key_id: seal.kmsKey,
        ...(seal.endpoint === undefined ? {} : { endpoint: seal.endpoint }),
        shared_creds_filename: `/files/${SEAL_FILES.credentials}`,
        ...disabled,
      },
    };
  }
  return {
    transit: {
      address: normalizedAddress(seal.address),
      ...(seal.namespace === undefined ? {} : { namespace: seal.namespace }),
      mount_path: seal.mount,
      key_name: seal.key,
      token: `file:///files/${SEAL_FILES.token}`,
      ...(seal.caFile === undefined ? {} : { tls_ca_cert: `/files/${SEAL_FILES.ca}` }),
      ...disabled,
    },
  };
}
