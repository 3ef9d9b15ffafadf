import type { HostsHere } from '../docker/hosts/hosts-here';
import type { Step } from '../lib/step';
import { isLoadedInVault, type LoadedEnvironment } from '../state/load';
import { adoptKeyStoreStep, mayNeedAdoption } from './adopt-key-store';
import type { Deploy } from './deploy-step';
import type { Following } from './stack-names';

/** Stacks of which `keystore` is one. */
export interface KeyStoreRange {
  readonly from?: 'keystore';
  readonly to?: Following<'keystore'>;
}

/**
 * Deploys what is in a range, of which `keystore` is a part. Where a deploy was killed or its state lost, it first adopts
 * what Vault has.
 */
export async function adoptingDeploy(
  loaded: LoadedEnvironment,
  deploy: Deploy,
  range?: KeyStoreRange,
  hosts?: HostsHere,
): Promise<Step[]> {
  if (!isLoadedInVault(loaded) || !(await mayNeedAdoption(loaded))) return [deploy(range, hosts)];
  return [
    // what is in Vault can only be adopted when Vault runs
    deploy({ to: 'vault' }, hosts),
    adoptKeyStoreStep(loaded),
    deploy({ ...range, from: 'keystore' }, hosts),
  ];
}
