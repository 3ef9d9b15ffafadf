/** What must be true before keys are moved. All of it is asked before anything is touched. */
import { isDeepStrictEqual } from 'node:util';
import {
  describePlace,
  inSameVault,
  isInEmbeddedVault,
  type KeyStorePlace,
  samePlace,
} from '../../../config/keys/key-store-place';
import type { KeyStoreNote } from '../../state/notes/key-store-note';
import type { LoadedEnvironment } from '../../state/load';
import { UsageError } from '../../lib/errors';

type Named = Pick<LoadedEnvironment, 'environment' | 'file'>;

/** Only the way to the keys may differ: everything else is for a deploy, before or after. */
export function requireSameEnvironment(source: Named, target: Named): void {
  const rest = ({ environment }: Named) => ({ ...environment, keyStore: undefined, vault: undefined });
  const one = rest(source);
  const other = rest(target);
  const different = Object.keys({ ...one, ...other }).filter(
    (setting) => !isDeepStrictEqual(one[setting as keyof typeof one], other[setting as keyof typeof other]),
  );
  if (different.length > 0) {
    throw new UsageError(
      `--to: ${target.file} must differ from ${source.file} in keyStore and vault only, got other ${different.join(', ')}`,
      'change the rest by ./scripts/up, before or after',
    );
  }
}

/**
 * Keys are moved from where they are, to where no other migration and no older copy is in the way.
 *
 * @param note where the keys of the environment are; undefined before its first deploy
 */
export function requirePossible(
  { environment: { name }, argument }: Pick<LoadedEnvironment, 'environment' | 'argument'>,
  note: KeyStoreNote | undefined,
  from: KeyStorePlace,
  to: KeyStorePlace,
): void {
  if (note === undefined) {
    throw new UsageError(
      `environment ${name} is not deployed, so there are no keys to move`,
      `./scripts/up ${argument}`,
    );
  }
  if (!samePlace(note.place, from)) {
    throw new UsageError(
      `keyStore: environment ${name} keeps its master keys in ${describePlace(note.place)}, got: ${describePlace(from)}`,
      'name the environment file with which it was deployed',
    );
  }
  if (samePlace(from, to)) {
    throw new UsageError(`--to: must name another key store, got: ${describePlace(to)}`, 'change its keyStore');
  }
  if (isInEmbeddedVault(from) && isInEmbeddedVault(to) && !inSameVault(from, to)) {
    throw new UsageError(
      `--to: ${describePlace(from)} and ${describePlace(to)} cannot run side by side`,
      'make a backup, and restore it with the other file (docs/choosing.md); or move the keys elsewhere first',
    );
  }
  if (note.migration !== undefined && !samePlace(note.migration.to, to)) {
    throw new UsageError(
      `the master keys are on their way to ${describePlace(note.migration.to)}, got: ${describePlace(to)}`,
      'finish that first',
    );
  }
  if (from.type === 'vault' && to.type === 'vault' && inSameVault(from, to) && from.mount === to.mount) {
    throw new UsageError(
      `--to: keyStore.mount must be another one in the same Vault, got: ${to.mount}`,
      'a mount has one version of KV, and one that keys were moved out of can be removed as a whole',
    );
  }
}
