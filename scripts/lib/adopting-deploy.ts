import { isLoadedInVault, type LoadedEnvironment } from '../../operations/state/load';
import type { HostsHere } from '../../operations/docker/hosts/hosts-here';
import type { Following } from '../../operations/terraform/stack-names';
import type { Step } from '../../operations/lib/step';
import { adoptKeyStoreStep, mayNeedAdoption } from '../../operations/terraform/adopt-key-store';
import { deployStep } from './deploy';

/** Stacks of which `keystore` is one. */
export interface KeyStoreRange {
  readonly from?: 'keystore';
  readonly to?: Following<'keystore'>;
}

/** Deploys what is in a range, of which `keystore` is a part, and where a deploy was killed or its state lost, adopts before what Vault has. */
export async function adoptingDeploy(
  loaded: LoadedEnvironment,
  verbose: boolean,
  range?: KeyStoreRange,
  hosts?: HostsHere,
): Promise<Step[]> {
  if (!isLoadedInVault(loaded) || !(await mayNeedAdoption(loaded))) return [deployStep(loaded, verbose, range, hosts)];
  return [
    // what is in Vault can only be adopted when Vault runs
    deployStep(loaded, verbose, { to: 'vault' }, hosts),
    adoptKeyStoreStep(loaded),
    deployStep(loaded, verbose, { ...range, from: 'keystore' }, hosts),
  ];
}
