/** Makes Terraform forget the key store that the keys leave, so that no deploy destroys it. */
import path from 'node:path';
import type { LoadedEnvironment } from '../../state/load';
import { initialize, isInitialized, runTerraform, type TerraformRun } from '../../terraform/terraform';
import { managedResources } from '../../terraform/terraform-state';

export interface Forgetting {
  readonly source: Pick<LoadedEnvironment, 'environment' | 'state'>;
  /** The synthesized `keystore` stack of the source. */
  readonly folder: string;
  readonly terraform: TerraformRun;
  /** Only the mount: everything else of that Vault is the target's, too. */
  readonly onlyMount: boolean;
}

/**
 * Once more is no harm: the state names nothing of the target before this is noted.
 *
 * @returns how many resources Terraform knows no more
 */
export async function forgetSource({ source, folder, terraform, onlyMount }: Forgetting): Promise<number> {
  // a state that was lost or cut short names nothing that could be destroyed
  if ((await managedResources(source, 'keystore')) === undefined) return 0;
  const logFile = path.join(source.state.logs, 'deploy.log');
  if (!isInitialized(folder)) await initialize(folder, terraform, { logFile });
  const known: string[] = [];
  const onLine = (line: string) => known.push(line.trim());
  await runTerraform(folder, terraform, ['state', 'list'], { logFile, onLine });
  const left = known.filter((address) => isLeft(address.split('.')[0] ?? '', onlyMount));
  // all at once, so that a kill leaves all of them or none
  if (left.length > 0) await runTerraform(folder, terraform, ['state', 'rm', ...left], { logFile });
  return left.length;
}

/** Whether a resource of this type stays at the place that the keys leave. */
function isLeft(type: string, onlyMount: boolean): boolean {
  return onlyMount ? type === 'vault_mount' : /^(vault|docker)_/.test(type);
}
