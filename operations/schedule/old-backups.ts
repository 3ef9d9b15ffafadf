import { readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { isBackupName } from './jobs';

/**
 * Removes the oldest scheduled backups of an environment from a folder, by the time in their names. Whatever is named
 * otherwise stays: a backup that a person made, or of another environment.
 *
 * @param keep how many stay
 * @returns names of the removed files
 */
export function removeOldBackups(folder: string, environment: string, keep: number): string[] {
  const backups = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && isBackupName(environment, entry.name))
    .map(({ name }) => name)
    .sort();
  const old = backups.slice(0, Math.max(0, backups.length - keep));
  for (const name of old) rmSync(path.join(folder, name));
  return old;
}
