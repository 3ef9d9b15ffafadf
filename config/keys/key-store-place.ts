/** Where the master keys of a deployment are. */
import { z } from 'zod';
import { secretsManagerEndpoint } from './aws';
import type { Environment } from '../environment';
import { externalVaultAddress, normalizedAddress, type VaultVariables } from '../vault/external-vault';
import { DISTRIBUTION_NAMES } from '../vault/vault';

/** What makes a key store this one and no other. */
export const keyStorePlace = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('vault'),
    /** Address and namespace of an external Vault; absent: the embedded one. */
    address: z.string().transform(normalizedAddress).optional(),
    namespace: z.string().optional(),
    /** What the embedded one is; absent: Vault, or an external one, whichever that is. */
    distribution: z.literal('openbao').optional(),
    mount: z.string(),
    prefix: z.string(),
    kvVersion: z.literal([1, 2]),
  }),
  z.strictObject({
    type: z.literal('aws'),
    region: z.string(),
    endpoint: z.string(),
  }),
  z.strictObject({
    type: z.literal('filesystem'),
    /** Folder on the Docker host; absent: the volume. */
    path: z.string().optional(),
  }),
]);
export type KeyStorePlace = z.infer<typeof keyStorePlace>;

/** Where an environment file says that the master keys are. */
export function declaredPlace(environment: Environment, variables: VaultVariables): KeyStorePlace {
  const { keyStore } = environment;
  switch (keyStore.type) {
    case 'vault': {
      const { vault } = keyStore;
      const external = vault.mode === 'external' ? externalVaultAddress(vault, variables) : undefined;
      return {
        type: 'vault',
        ...(external === undefined ? {} : { address: external.url }),
        ...(external?.namespace === undefined ? {} : { namespace: external.namespace }),
        ...(vault.mode === 'embedded' && vault.distribution === 'openbao' ? { distribution: 'openbao' } : {}),
        mount: keyStore.mount,
        prefix: keyStore.prefix,
        kvVersion: keyStore.kvVersion,
      };
    }
    case 'aws':
      return { type: 'aws', region: keyStore.region, endpoint: secretsManagerEndpoint(keyStore) };
    case 'filesystem':
      return { type: 'filesystem', ...(keyStore.path === undefined ? {} : { path: keyStore.path }) };
  }
}

/** A place for people. */
export function describePlace(place: KeyStorePlace): string {
  switch (place.type) {
    case 'vault': {
      const embedded = DISTRIBUTION_NAMES[place.distribution ?? 'vault'];
      const where = place.address === undefined ? `the embedded ${embedded}` : `Vault at ${place.address}`;
      const namespace = place.namespace === undefined ? '' : `, namespace ${place.namespace}`;
      return `${where}${namespace}, ${place.mount}/${place.prefix} (KV v${place.kvVersion})`;
    }
    case 'aws':
      return `AWS Secrets Manager, ${place.region} (${place.endpoint})`;
    case 'filesystem':
      return place.path === undefined ? 'a volume of the Docker host' : `folder ${place.path} of the Docker host`;
  }
}

/** Whether an embedded Vault is expected to hold the keys. */
export function isInEmbeddedVault(place: KeyStorePlace): boolean {
  return place.type === 'vault' && place.address === undefined;
}

/** Whether one token of Vault and one role of KES reach both. */
export function inSameVault(one: KeyStorePlace, other: KeyStorePlace): boolean {
  return (
    one.type === 'vault' &&
    other.type === 'vault' &&
    one.address === other.address &&
    one.namespace === other.namespace &&
    one.distribution === other.distribution
  );
}

export function samePlace(one: KeyStorePlace, other: KeyStorePlace): boolean {
  // the schema gives both the same order of keys
  return JSON.stringify(keyStorePlace.parse(one)) === JSON.stringify(keyStorePlace.parse(other));
}
