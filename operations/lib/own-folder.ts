import { statSync } from 'node:fs';
import { UsageError } from './errors';

/**
 * Refuses folders of which others decide what is in them: another user owns one, or its mode lets others write. A folder
 * that is not there yet is right. The group of a user alone, with the user's number, is no other.
 *
 * @param why what follows if others write there, as a sentence
 * @throws UsageError that names the first one, its owner and its mode
 */
export function requireOwnFolders(folders: readonly string[], why: string, hint: string): void {
  for (const folder of folders) {
    const found = statSync(folder, { throwIfNoEntry: false });
    if (found === undefined) continue;
    const { uid, gid, mode } = found;
    const foreign = uid !== 0 && uid !== process.getuid?.();
    // where the umask is 002, everything of a user is writable to that group
    const others = gid === uid ? 0o002 : 0o022;
    if (!foreign && (mode & others) === 0) continue;
    throw new UsageError(
      `${folder} must belong to you and be writable by you only, got: owner ${uid}, group ${gid}, mode ${(mode & 0o7777).toString(8)}. ${why}`,
      hint,
    );
  }
}
