/** The backup without which nothing is upgraded. */
import { readCanaries } from '../state/canaries';
import type { LoadedEnvironment } from '../state/load';
import { ExternalError, messageOf, UsageError } from '../lib/errors';
import { backupTarget } from '../schedule/jobs';
import { readRecipients } from './age/age-keys';
import { backUp } from './backup';
import { parsePlace } from './destination';
import { readLastBackup, unsavedKeys } from './last-backup';

/** How old a backup may be that somebody made by hand. */
const RECENT_HOURS = 24;

/**
 * Makes a backup where `schedule.backup` says; without it asks for one that was made by hand. The lock of the environment
 * must be held.
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
  if (backup === undefined) {
    const newest = readLastBackup(state);
    const isRecent =
      newest !== undefined && now.getTime() - Date.parse(newest.createdAt) < RECENT_HOURS * 60 * 60 * 1000;
    if (isRecent && unsavedKeys(canaries, newest).length === 0) return `${newest.destination} of ${newest.createdAt}`;
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
    const hint = error instanceof UsageError || error instanceof ExternalError ? error.hint : undefined;
    throw new ExternalError(
      `the backup before the upgrade failed: ${messageOf(error)}`,
      `${hint === undefined ? '' : `${hint}; or `}go on without: ${without}. Nothing was deployed`,
      { cause: error },
    );
  }
}
