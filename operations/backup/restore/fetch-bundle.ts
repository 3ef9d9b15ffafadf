import { tmpdir } from 'node:os';
import path from 'node:path';
import { withTemporaryFolder } from '../backup';
import type { Bundle } from '../bundle/bundle';
import { openBundle } from '../bundle/open-bundle';
import type { Provenance } from '../bundle/signature';
import { type BackupPlace, download } from '../destination';

/**
 * Opens a backup wherever it is.
 *
 * @param identities `AGE-SECRET-KEY-…`
 * @throws ExternalError as {@link openBundle} and {@link download}
 */
export async function fetchBundle(
  place: BackupPlace,
  identities: readonly string[],
  provenance: Provenance,
): Promise<Bundle> {
  if (place.kind === 'file') return openBundle(place.file, identities, provenance);
  return withTemporaryFolder(tmpdir(), async (folder) => {
    const file = path.join(folder, 'backup.age');
    await download(place, file);
    return openBundle(file, identities, provenance);
  });
}
