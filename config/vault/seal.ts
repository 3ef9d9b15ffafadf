/** The seal that opens an embedded Vault in the place of unseal shares. */
import type { EmbeddedVault } from '../environment';
import type { SealAccess } from '../operation-inputs';
import { normalizedAddress } from './external-vault';

export type Seal = Exclude<EmbeddedVault['unseal'], string>;

/** Undefined where unseal shares open Vault. */
export function declaredSeal({ unseal }: EmbeddedVault): Seal | undefined {
  return typeof unseal === 'string' ? undefined : unseal;
}

/** How the other Vault is asked. */
export function sealAccess({ address, namespace, caFile, mount, key, tokenFile }: Seal): SealAccess {
  return {
    url: normalizedAddress(address),
    ...(namespace === undefined ? {} : { namespace }),
    ...(caFile === undefined ? {} : { caFile }),
    ...{ mount, key, tokenFile },
  };
}

/** For people: which key opens Vault. */
export function describeSeal({ url, namespace, mount, key }: Omit<SealAccess, 'tokenFile'>): string {
  const within = namespace === undefined ? '' : `, namespace ${namespace}`;
  return `the key ${key} of ${mount}/ in Vault at ${url}${within}`;
}

/** Names of its files in the volume of the embedded Vault. */
export const SEAL_FILES = { token: 'seal-token', ca: 'seal-ca.crt' } as const;

/**
 * The `seal` block of the configuration of Vault. Vault reads the token from its file when it starts, and renews it
 * (hashicorp/go-kms-wrapping, wrappers/transit/v2: `ParsePaths`, `RenewTokenAsSelf`).
 */
export function sealConfiguration(seal: Seal): { readonly transit: Record<string, string> } {
  return {
    transit: {
      address: normalizedAddress(seal.address),
      ...(seal.namespace === undefined ? {} : { namespace: seal.namespace }),
      mount_path: seal.mount,
      key_name: seal.key,
      token: `file:///files/${SEAL_FILES.token}`,
      ...(seal.caFile === undefined ? {} : { tls_ca_cert: `/files/${SEAL_FILES.ca}` }),
      ...(seal.leave ? { disabled: 'true' } : {}),
    },
  };
}
