/** The backup without which nothing is upgraded. */
import { readCanaries } from '../state/notes/canaries';
import type { LoadedEnvironment } from '../state/load';
import { ExternalError, messageOf, UsageError } from '../lib/errors';
import { backupTarget } from '../schedule/jobs';
import { readRecipients } from './age/age-keys';
import { backUp } from './backup';
import { parsePlace } from './destination';
import { readLastBackup, unsavedKeys } from './last-backup';

/** How old a backup may be that was made before. */
const RECENT_HOURS = 24;

/**
 * Makes a backup where `schedule.backup` says. Where it says nothing, or none can be made, a recent one with every master
 * key will do. The lock of the environment must be held.
 *
 * @returns where it is; undefined where there is no master key to save
 * @throws UsageError if there is none; ExternalError if it cannot be made
 */
export async function requireBackup(loaded: LoadedEnvironment, now: Date): Promise<string | undefined> {
  const { environment, argument, state } = loaded;
  const canaries = readCanaries(state.canaries);
  if (Object.keys(canaries).length === 0) return undefined;
  const without = `./scripts/up ${argument} --without-backup`;
  const { backup } = environment.schedule;
  const newest = readLastBackup(state);
  const isRecent = newest !== undefined && now.getTime() - Date.parse(newest.createdAt) < RECENT_HOURS * 60 * 60 * 1000;
  const recent =
    isRecent && unsavedKeys(canaries, newest).length === 0 ? `${newest.destination} of ${newest.createdAt}` : undefined;
  if (backup === undefined) {
    if (recent !== undefined) return recent;
    throw new UsageError(
      `an upgrade needs a backup of the last ${RECENT_HOURS} hours with every master key, found: ${newest === undefined ? 'none' : `one of ${newest.createdAt}`}`,
      `make one: ./scripts/backup ${argument} --to FILE --recipient age1…; or say in schedule.backup where each upgrade puts its own; ` +
        `or go on without: ${without}. Nothing was deployed`,
    );
  }
  try {
    const place = parsePlace('schedule.backup.to', backupTarget(environment.name, backup, now), backup);
    return (await backUp(loaded, place, readRecipients(backup.recipients))).destination;
  } catch (error) {
    // an upgrade that failed half-way leaves programs that no backup can be made of; the deploy is the cure
    if (recent !== undefined) {
      process.stderr.write(`warning: the backup before the upgrade failed: ${messageOf(error)}\n`);
      return recent;
    }
    const hint = error instanceof UsageError || error instanceof ExternalError ? error.hint : undefined;
    throw new ExternalError(
      `the backup before the upgrade failed: ${messageOf(error)}`,
      `${hint === undefined ? '' : `${hint}; or `}go on without: ${without}. Nothing was deployed`,
      { cause: error },
    );
  }
}
