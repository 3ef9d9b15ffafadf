/**
 * What tells an old backup from the newest one. Its signature does not: an old one is as genuine. Whoever can write where
 * backups lie can put one in the place of another, and so bring back keys that were replaced, or lose those made since.
 */
import type { StateLayout } from '../../config/state/layout';
import { opensCanary } from '../keys/canaries';
import { type Canaries, readCanaries } from '../state/notes/canaries';
import { messageOf, UsageError } from '../lib/errors';
import { ageOf } from './age/age';
import type { Bundle } from './bundle/bundle';
import { readLastBackup } from './last-backup';

type Known = Pick<StateLayout, 'canaries' | 'lastBackup'>;

/** When it was made, for people. */
export function madeOn({ header }: Pick<Bundle, 'header'>, now: Date): string {
  const seconds = (now.getTime() - Date.parse(header.createdAt)) / 1000;
  const age = seconds < -60 ? 'in the future, by the clock of this machine' : `${ageOf(seconds)} ago`;
  return `made on ${header.createdAt} (${age})`;
}

/** What the state folder says that speaks against a backup, without keeping it from being restored. */
export function staleness({ header }: Pick<Bundle, 'header'>, state: Known): string[] {
  const newest = readLastBackup(state);
  const older = newest !== undefined && Date.parse(newest.createdAt) > Date.parse(header.createdAt);
  const warnings = older
    ? [
        `a newer backup is known here, of ${newest.createdAt} in ${newest.destination}: this one is as genuine, but what changed since is lost`,
      ]
    : [];
  try {
    readCanaries(state.canaries);
  } catch (error) {
    warnings.push(`the backup cannot be compared with the keys that are known here: ${messageOf(error)}`);
  }
  return warnings;
}

/**
 * Refuses a backup without a master key that this machine knows, or with another one of its name.
 *
 * @param without names of master keys that were given up
 * @throws UsageError
 */
export function requireKnownKeys(bundle: Bundle, state: Known, without: readonly string[]): void {
  const lost = Object.entries(canariesHere(state)).filter(([name, canary]) => {
    const material = bundle.masterKeys.get(name);
    return material === undefined || !opensCanary(material, name, canary);
  });
  if (lost.every(([name]) => without.includes(name))) return;
  const names = lost.map(([name]) => name);
  const newest = readLastBackup(state);
  const noted =
    newest === undefined ? '' : ` (the newest that is known here is of ${newest.createdAt}, in ${newest.destination})`;
  throw new UsageError(
    `the backup of ${bundle.header.createdAt} lacks master keys that are known here: ${lost.map(([name, { bornAt }]) => `${name}, made on ${bornAt}`).join('; ')}`,
    `take a newer backup${noted}. To give up these keys, and what is under them unless the key store has them, write --without-keys ${names.join(',')}`,
  );
}

/** None where they cannot be read: a restore is there for that, too. {@link staleness} says so. */
function canariesHere(state: Known): Canaries {
  try {
    return readCanaries(state.canaries);
  } catch {
    return {};
  }
}
