/**
 * What a backup is restored into. The environment file in a backup is a proposal:
 *
 * | environment file                                         | which one counts                                          |
 * |----------------------------------------------------------|-----------------------------------------------------------|
 * | one was given                                            | that one                                                  |
 * | none was given, and `environments/NAME.yaml` is the same | both                                                      |
 * | none was given, and `environments/NAME.yaml` differs     | refused                                                   |
 * | there is none but in the backup                          | that one, with what reaches outside confirmed by name     |
 */
import path from 'node:path';
import { type LoadedEnvironment, ownState } from '../../state/load';
import { parseEnvironment } from '../../../config/load';
import { projectRoot } from '../../lib/project-root';
import { UsageError } from '../../lib/errors';
import { readIfExists } from '../../lib/files';
import type { Bundle } from '../bundle/bundle';
import { requireConfirmed } from './outer-settings';

/** What a backup is restored into. */
export interface RestoreTarget {
  readonly target: LoadedEnvironment;
  /** Whether the environment file has to be written, too: it was not given, and this machine has none. */
  readonly writeEnvironmentFile: boolean;
}

/**
 * @param given the environment file to restore into. Default: the one of this clone, or else the one in the backup
 * @param trusted settings of the one in the backup that may reach outside of the deployment, see outer-settings.ts
 * @throws UsageError if it is of another environment, or reaches outside without being confirmed
 */
export function restoreTarget(
  bundle: Bundle,
  given: LoadedEnvironment | undefined,
  trusted: readonly string[] = [],
): RestoreTarget {
  const found = targetOf(bundle, given, trusted);
  const { environment, file } = found.target;
  if (environment.name !== bundle.header.environment) {
    throw new UsageError(
      `the backup is of environment ${bundle.header.environment}, and ${file} is of ${environment.name}`,
      'give the environment file of the one that was backed up; it may name another key store, Vault or port',
    );
  }
  return found;
}

function targetOf(bundle: Bundle, given: LoadedEnvironment | undefined, trusted: readonly string[]): RestoreTarget {
  if (given !== undefined) return { target: given, writeEnvironmentFile: false };
  const text = bundle.environmentFile;
  const environment = parseEnvironment(text, 'the environment file in the backup');
  const file = path.join(projectRoot, 'environments', `${environment.name}.yaml`);
  const present = readIfExists(file);
  if (present !== undefined && present !== text) {
    throw new UsageError(
      `${file} differs from the environment file in the backup`,
      `to restore into what ${file} says, name it: ./scripts/restore ${environment.name} …; to restore as it was, move it away`,
    );
  }
  // the same file of one's own needs no confirmation
  if (present === undefined) requireConfirmed(text, trusted);
  const target = { environment, file, argument: environment.name, state: ownState(environment) };
  return { target, writeEnvironmentFile: present === undefined };
}
