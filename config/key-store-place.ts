/**
 * Where the master keys of a deployment are. An edited environment file must not make a deploy look for them elsewhere:
 * Terraform would take the old place for superfluous, and what it no longer declares, `prevent_destroy` does not protect.
 */
import { z } from 'zod';
import { UsageError } from '../operations/errors';
import { readIfExists, writeFileAtomically } from '../operations/files';
import type { Environment } from './environment';
import { externalVaultAddress, type VaultVariables } from './external-vault';
import type { StateLayout } from './state';

/** What makes a key store this one and no other. */
export const keyStorePlace = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('vault'),
    /** Address and namespace of an external Vault; absent: the embedded one. */
    address: z.string().optional(),
    namespace: z.string().optional(),
    mount: z.string(),
    prefix: z.string(),
    kvVersion: z.literal([1, 2]),
  }),
  z.strictObject({
    type: z.literal('filesystem'),
    /** Folder on the Docker host; absent: the volume. */
    path: z.string().optional(),
  }),
]);
export type KeyStorePlace = z.infer<typeof keyStorePlace>;

const note = z.strictObject({ version: z.literal(1), place: keyStorePlace });
export type KeyStoreNote = z.infer<typeof note>;

/** Where an environment file says that the master keys are. */
export function declaredPlace(environment: Environment, variables: VaultVariables): KeyStorePlace {
  const { keyStore, vault, name } = environment;
  switch (keyStore.type) {
    case 'vault': {
      const external = vault.mode === 'external' ? externalVaultAddress(vault, variables) : undefined;
      return {
        type: 'vault',
        ...(external === undefined ? {} : { address: external.url }),
        ...(external?.namespace === undefined ? {} : { namespace: external.namespace }),
        mount: keyStore.mount,
        prefix: keyStore.prefix ?? name,
        kvVersion: keyStore.kvVersion,
      };
    }
    case 'filesystem':
      return { type: 'filesystem', ...(keyStore.path === undefined ? {} : { path: keyStore.path }) };
  }
}

/** A place for people. */
export function describePlace(place: KeyStorePlace): string {
  switch (place.type) {
    case 'vault': {
      const where = place.address === undefined ? 'the embedded Vault' : `Vault at ${place.address}`;
      const namespace = place.namespace === undefined ? '' : `, namespace ${place.namespace}`;
      return `${where}${namespace}, ${place.mount}/${place.prefix} (KV v${place.kvVersion})`;
    }
    case 'filesystem':
      return place.path === undefined ? 'a volume of the Docker host' : `folder ${place.path} of the Docker host`;
  }
}

/** The note of where the keys are, which the first deploy leaves in the state folder; undefined before. */
export function readKeyStoreNote(state: StateLayout): KeyStoreNote | undefined {
  const text = readIfExists(state.keyStore);
  return text === undefined ? undefined : note.parse(JSON.parse(text));
}

export function writeKeyStoreNote(file: string, place: KeyStorePlace): void {
  writeFileAtomically(file, `${JSON.stringify({ version: 1, place } satisfies KeyStoreNote, null, 2)}\n`, 0o644);
}

export function samePlace(one: KeyStorePlace, other: KeyStorePlace): boolean {
  // the schema gives both the same order of keys
  return JSON.stringify(keyStorePlace.parse(one)) === JSON.stringify(keyStorePlace.parse(other));
}

/** @throws UsageError if the master keys are somewhere else than the environment file says */
export function requireSameKeyStore(environment: Environment, variables: VaultVariables, state: StateLayout): void {
  const deployed = readKeyStoreNote(state)?.place;
  const declared = declaredPlace(environment, variables);
  if (deployed === undefined || samePlace(deployed, declared)) return;
  throw new UsageError(
    `keyStore: environment ${environment.name} keeps its master keys in ${describePlace(deployed)}, got: ${describePlace(declared)}`,
    'put the old setting back; keys are moved by ./scripts/migrate, which takes the environment file as it shall become',
  );
}
