/** An environment as commands and operations know it: what its file says, and where its state is. */
import { stringify } from 'yaml';
import type { Environment, VaultEnvironment } from '../../config/environment';
import { argumentFor, type EnvironmentFile, readEnvironment } from '../../config/load';
import { environmentOf } from '../../config/settings';
import { isInVault } from '../../config/vault/vault';
import { writeFileAtomically } from '../lib/files';
import { requireOwnFolders } from '../lib/own-folder';
import { type StateLayout, stateLayout } from '../../config/state/layout';
import { requireReadableState } from './notes/versions-note';

/** An environment with where it came from and where its state is. */
export interface LoadedEnvironment<Declared extends Environment = Environment> extends EnvironmentFile<Declared> {
  readonly state: StateLayout;
}

export type LoadedVaultEnvironment = LoadedEnvironment<VaultEnvironment>;

export function isLoadedInVault(loaded: LoadedEnvironment): loaded is LoadedVaultEnvironment {
  return isInVault(loaded.environment);
}

/**
 * Loads an environment.
 *
 * @param nameOrPath default: `EBS_ENVIRONMENT`, or `local`
 * @throws UsageError that lists every problem of the file with path, rule, value and fix
 */
export function loadEnvironment(nameOrPath?: string): LoadedEnvironment {
  const read = readEnvironment(nameOrPath);
  return { ...read, state: ownState(read.environment) };
}

/**
 * Keeps the settings of a deployment that was declared without an environment file, as one in its state folder: by that
 * file the commands know it.
 *
 * @throws UsageError like {@link loadEnvironment}
 */
export function keepEnvironment(settings: Readonly<Record<string, unknown>>): LoadedEnvironment {
  const environment = environmentOf(settings, 'the settings of the deployment');
  const state = ownState(environment);
  const file = state.environment;
  writeFileAtomically(file, stringify(settings), 0o644);
  return { environment, file, argument: argumentFor(file), state };
}

/**
 * Where the state of an environment is.
 *
 * @throws UsageError if others may write there: they would decide what is deployed; if a newer version of this project wrote it
 */
export function ownState({ name, state: { directory } }: Environment): StateLayout {
  const state = stateLayout(name, directory);
  requireReadableState(state);
  requireOwnFolders(
    [state.root, state.secrets, state.tls, state.terraform, state.operations, state.cdktfOut],
    'What is in it is deployed',
    `Take it back: chown and chmod go-w, if its contents are unchanged; nothing was changed.`,
  );
  return state;
}
