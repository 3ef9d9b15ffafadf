/** The way of master keys from one key store to another, from the first change on. */
import { readFileSync, rmSync } from 'node:fs';
import {
  describePlace,
  inSameVault,
  isInEmbeddedVault,
  type KeyStorePlace,
} from '../../../config/keys/key-store-place';
import { readKeyStoreNote, writeKeyStoreNote } from '../../state/notes/key-store-note';
import type { LoadedEnvironment } from '../../state/load';
import type { StackRange } from '../../terraform/stack-names';
import { writeFileAtomically } from '../../lib/files';
import type { Step } from '../../lib/step';
import { copyKeys } from './copy-keys';

export interface Migration {
  /** The environment as it was deployed. */
  readonly source: LoadedEnvironment;
  /** The environment as it shall become: the same but for its key store. */
  readonly target: LoadedEnvironment;
  readonly from: KeyStorePlace;
  readonly to: KeyStorePlace;
}

/** What acts on the deployment. */
export interface MigrationMeans {
  /** Has Terraform forget the old place: see {@link forgetSource}. @returns how many resources */
  readonly forget: (options: { readonly onlyMount: boolean; readonly signal: AbortSignal }) => Promise<number>;
  /** Deploys the target up to its key store, and adopts before what an earlier run has left there. */
  readonly keyStore: readonly Step[];
  /** Deploys the target. */
  readonly deploy: (range: StackRange) => Step;
  /** Proves that every master key of the running target opens its canary. */
  readonly prove: () => Promise<string>;
  /** @default - the key stores themselves */
  readonly open?: Parameters<typeof copyKeys>[2];
}

/** Whether the way of KES to its old place is by the balancers of several hosts, and that to the new one is not. */
export const leavesBalancedVaults = ({ from, to, target }: Pick<Migration, 'from' | 'to' | 'target'>): boolean =>
  target.environment.hosts !== undefined && isInEmbeddedVault(from) && !isInEmbeddedVault(to);

/**
 * In this order, so that KES goes over to the new place only when every key is proven there. Each step bears to be begun
 * twice, so a migration that was killed begins anew and finds what is done.
 */
export function moveKeys(migration: Migration, means: MigrationMeans): Step[] {
  const { source, target, from, to } = migration;
  const { state } = target;
  const sameVault = inSameVault(from, to);
  // what leads KES to the old place, or lets it in there, ends after it has gone over; so do the checks come after that
  const kesGoesFirst = sameVault || leavesBalancedVaults(migration);
  return [
    {
      title: 'Old place',
      run: async ({ signal }) => {
        const begun = readKeyStoreNote(state)?.migration;
        if (begun?.sourceForgotten === true) return 'Terraform leaves it alone already';
        // its keys are read with it until the end; one that an earlier migration left is of another time
        if (begun === undefined) {
          writeFileAtomically(state.secret.migrationSource, readFileSync(state.secret.kesConfiguration));
        }
        writeKeyStoreNote(state.keyStore, from, { to, sourceForgotten: false });
        const count = await means.forget({ onlyMount: sameVault, signal });
        // not before: the next deploy would destroy what Terraform still knows
        writeKeyStoreNote(state.keyStore, from, { to, sourceForgotten: true });
        return `Terraform leaves ${count} resources alone from now on`;
      },
    },
    ...means.keyStore,
    { title: 'Copy', run: () => copyKeys(source, target, means.open) },
    means.deploy(kesGoesFirst ? { from: 'kes', to: 'kes' } : { from: 'kes' }),
    { title: 'Master keys after the deploy', run: means.prove },
    {
      title: 'New place',
      run: async () => {
        // it is of the Vault that the keys leave; one that they come back to may have none
        if (!isInEmbeddedVault(to)) rmSync(state.vaultSeal, { force: true });
        writeKeyStoreNote(state.keyStore, to);
        rmSync(state.secret.migrationSource, { force: true });
        return Promise.resolve(describePlace(to));
      },
    },
    ...(kesGoesFirst ? [means.deploy({ from: sameVault ? 'keystore' : 'host' })] : []),
  ];
}
