/**
 * Where the master keys of a deployment are. An edited environment file must not make a deploy look for them elsewhere:
 * Terraform would take the old place for superfluous, and what it no longer declares, `prevent_destroy` does not protect.
 */
import { z } from 'zod';
import { UsageError } from '../../operations/lib/errors';
import { readIfExists, writeFileAtomically } from '../../operations/lib/files';
import { secretsManagerEndpoint } from './aws';
import type { Environment } from '../environment';
import { externalVaultAddress, normalizedAddress, type VaultVariables } from '../vault/external-vault';
import type { StateLayout } from '../state';

/** What makes a key store this one and no other. */
export const keyStorePlace = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('vault'),
    /** Address and namespace of an external Vault; absent: the embedded one. */
    address: z.string().transform(normalizedAddress).optional(),
    namespace: z.string().optional(),
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

const note = z.strictObject({
  version: z.literal(1),
  place: keyStorePlace,
  /** A migration that is under way. */
  migration: z
    .strictObject({
      to: keyStorePlace,
      /** Whether Terraform has forgotten the place that the keys leave, so that it destroys nothing there. */
      sourceForgotten: z.boolean(),
    })
    .optional(),
});
export type KeyStoreNote = z.infer<typeof note>;

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
      const where = place.address === undefined ? 'the embedded Vault' : `Vault at ${place.address}`;
      const namespace = place.namespace === undefined ? '' : `, namespace ${place.namespace}`;
      return `${where}${namespace}, ${place.mount}/${place.prefix} (KV v${place.kvVersion})`;
    }
    case 'aws':
      return `AWS Secrets Manager, ${place.region} (${place.endpoint})`;
    case 'filesystem':
      return place.path === undefined ? 'a volume of the Docker host' : `folder ${place.path} of the Docker host`;
  }
}

/** The note of where the keys are, which the first deploy leaves in the state folder; undefined before. */
export function readKeyStoreNote(state: Pick<StateLayout, 'keyStore'>): KeyStoreNote | undefined {
  const text = readIfExists(state.keyStore);
  return text === undefined ? undefined : note.parse(JSON.parse(text));
}

export function writeKeyStoreNote(
  file: string,
  place: KeyStorePlace,
  migration?: NonNullable<KeyStoreNote['migration']>,
): void {
  const content: KeyStoreNote = { version: 1, place, ...(migration === undefined ? {} : { migration }) };
  writeFileAtomically(file, `${JSON.stringify(content, null, 2)}\n`, 0o644);
}

/** Set by ./scripts/migrate alone, for the deploys that are its steps. */
export const MIGRATION_VARIABLE = 'EBS_KEY_STORE_MIGRATION';

/** Whether an embedded Vault is expected to hold the keys. */
export function isInEmbeddedVault(place: KeyStorePlace): boolean {
  return place.type === 'vault' && place.address === undefined;
}

/** Whether one token of Vault and one role of KES reach both. */
export function inSameVault(one: KeyStorePlace, other: KeyStorePlace): boolean {
  return (
    one.type === 'vault' && other.type === 'vault' && one.address === other.address && one.namespace === other.namespace
  );
}

export function samePlace(one: KeyStorePlace, other: KeyStorePlace): boolean {
  // the schema gives both the same order of keys
  return JSON.stringify(keyStorePlace.parse(one)) === JSON.stringify(keyStorePlace.parse(other));
}

/** @throws UsageError if the master keys are somewhere else than the environment file says */
export function requireSameKeyStore(
  environment: Environment,
  variables: VaultVariables,
  state: StateLayout,
  env: NodeJS.ProcessEnv = {},
): void {
  const note = readKeyStoreNote(state);
  if (note === undefined) return;
  const { place: deployed, migration } = note;
  const declared = declaredPlace(environment, variables);
  if (migration !== undefined && env[MIGRATION_VARIABLE] === undefined) {
    throw new UsageError(
      `the master keys of environment ${environment.name} are on their way from ${describePlace(deployed)} to ${describePlace(migration.to)}`,
      'run ./scripts/migrate again, it resumes',
    );
  }
  const allowed = [deployed, ...(migration === undefined ? [] : [migration.to])];
  if (allowed.some((place) => samePlace(place, declared))) return;
  throw new UsageError(
    `keyStore: environment ${environment.name} keeps its master keys in ${describePlace(deployed)}, got: ${describePlace(declared)}`,
    'put the old setting back; keys are moved by ./scripts/migrate, which takes the environment file as it shall become',
  );
}
