/**
 * Where the master keys of a deployment are. An edited environment file must not make a deploy look for them elsewhere:
 * Terraform would take the old place for superfluous, and what it no longer declares, `prevent_destroy` does not protect.
 */
import { z } from 'zod';
import type { Environment } from '../../../config/environment';
import {
  declaredPlace,
  describePlace,
  type KeyStorePlace,
  keyStorePlace,
  samePlace,
} from '../../../config/keys/key-store-place';
import type { VaultVariables } from '../../../config/vault/external-vault';
import { UsageError } from '../../lib/errors';
import { readIfExists, writeFileAtomically } from '../../lib/files';
import type { StateLayout } from '../../../config/state/layout';

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
