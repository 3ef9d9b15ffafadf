import { readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { isBackupName } from './jobs';

/**
 * Removes the oldest scheduled backups of an environment from a folder, by the time in their names. Whatever is named
 * otherwise stays: a backup that a person made, or of another environment.
 *
 * @param keep how many stay
 * @param made the one of this run, which stays: a clock that was wrong may have named it as the oldest
 * @returns names of the removed files
 */
export function removeOldBackups(
  folder: string,
  environment: string,
  { keep, made }: { readonly keep: number; readonly made: string },
): string[] {
  const others = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== made && isBackupName(environment, entry.name))
    .map(({ name }) => name)
    .sort();
  const old = others.slice(0, Math.max(0, others.length + 1 - keep));
  for (const name of old) rmSync(path.join(folder, name));
  return old;
}
