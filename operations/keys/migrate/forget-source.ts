/** Makes Terraform forget the key store that the keys leave, so that no deploy destroys it. */
import path from 'node:path';
import { readKeyStoreNote } from '../../../config/key-store-place';
import type { LoadedEnvironment } from '../../../config/load';
import { projectRoot } from '../../../config/toolchain';
import { managedResources } from '../../terraform/terraform-state';
import { run } from '../../lib/command';

export interface Forgetting {
  /** The synthesized `keystore` stack of the source, initialised. */
  readonly folder: string;
  readonly logFile: string;
  /** Only the mount: everything else of that Vault is the target's, too. */
  readonly onlyMount: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** @returns how many resources Terraform knows no more */
export async function forgetSource({ folder, logFile, onlyMount, signal }: Forgetting): Promise<number> {
  const terraform = async (args: readonly string[]): Promise<string[]> => {
    const lines: string[] = [];
    await run(path.join(projectRoot, 'node_modules', '.bin', 'terraform'), [`-chdir=${folder}`, ...args], {
      logFile,
      signal,
      onLine: (line) => lines.push(line.trim()),
    });
    return lines;
  };
  const known = await terraform(['state', 'list']);
  const left = known.filter((address) => isLeft(address.split('.')[0] ?? '', onlyMount));
  // all at once, so that a kill leaves all of them or none
  if (left.length > 0) await terraform(['state', 'rm', ...left]);
  return left.length;
}

/**
 * Whether Terraform has forgotten the source of a migration that was interrupted. That is noted after it was done, so a
 * kill in between leaves it to the state to tell, which then names nothing that would have to be forgotten. To deploy the
 * source again would make what is there.
 *
 * A state that was lost or cut short tells nothing: the source is adopted then, and forgotten once more.
 */
export async function hasForgottenSource(
  source: Pick<LoadedEnvironment, 'environment' | 'state'>,
  onlyMount: boolean,
): Promise<boolean> {
  const migration = readKeyStoreNote(source.state)?.migration;
  if (migration === undefined) return false;
  if (migration.sourceForgotten) return true;
  const made = await managedResources(source, 'keystore');
  return made !== undefined && !made.some(({ type }) => isLeft(type, onlyMount));
}

/** Whether a resource of this type stays at the place that the keys leave. */
function isLeft(type: string, onlyMount: boolean): boolean {
  return onlyMount ? type === 'vault_mount' : /^(vault|docker)_/.test(type);
}
