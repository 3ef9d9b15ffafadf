/** An environment as commands and operations know it: what its file says, and where its state is. */
import type { Environment, VaultEnvironment } from '../../config/environment';
import { type EnvironmentFile, readEnvironment } from '../../config/load';
import { isInVault } from '../../config/vault/vault';
import { requireOwnFolders } from '../lib/own-folder';
import { type StateLayout, stateLayout } from '../../config/state/layout';

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
 * Where the state of an environment is.
 *
 * @throws UsageError if others may write there: they would decide what is deployed
 */
export function ownState({ name, state: { directory } }: Environment): StateLayout {
  const state = stateLayout(name, directory);
  requireOwnFolders(
    [state.root, state.secrets, state.tls, state.terraform, state.operations, state.cdktfOut],
    'What is in it is deployed',
    `Take it back: chown and chmod go-w, if its contents are unchanged; nothing was changed.`,
  );
  return state;
}
