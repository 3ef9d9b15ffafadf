/** Looks at the folder of master keys that are files, before anything is deployed. */
import { type Stats, statSync } from 'node:fs';
import { SERVICE_UID } from '../../config/docker/service-user';
import { UsageError } from '../lib/errors';

/** Keys beside the data do not protect against whoever gets the disk; each deploy says so, and what to do about it. */
export const KEYS_BESIDE_DATA =
  'WARNING: keyStore.type is filesystem: the master keys are plain files on the host of the data, and whoever gets its ' +
  'disk, or a copy of it, reads everything. This is for laboratories; ./scripts/migrate moves the keys to a Vault.';

/** @throws UsageError unless the folder is there, belongs to KES alone */
export function requireKeyFolder(folder: string, stat: (file: string) => Stats = statSync): void {
  const refuse = (got: string): never => {
    throw new UsageError(
      `keyStore.path: must be a folder of this host that user ${SERVICE_UID} alone can enter, got: ${folder}, ${got}`,
      `install -d -o ${SERVICE_UID} -g ${SERVICE_UID} -m 700 ${folder}`,
    );
  };
  let found: Stats;
  try {
    found = stat(folder);
  } catch (error) {
    return refuse(`which cannot be looked at (${(error as NodeJS.ErrnoException).code ?? String(error)})`);
  }
  if (!found.isDirectory()) refuse('which is no folder');
  if (found.uid !== SERVICE_UID) refuse(`which belongs to user ${found.uid}`);
  if ((found.mode & 0o077) !== 0) refuse(`with mode 0${(found.mode & 0o777).toString(8)}`);
}
