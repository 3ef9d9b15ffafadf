import { UsageError } from '../lib/errors';
import type { LoadedEnvironment } from '../state/load';
import { Rotation } from '../state/rotation';
import type { AskedRotation } from '../state/rotation-context';
import { isRetired, requireSuccession, rotateMasterKey, successorOf, withdrawMasterKey } from './rotate-master-key';

/**
 * Which key takes the place of which: as the rotation that was interrupted has it, or as it is asked for. A key that has a
 * successor is withdrawn.
 *
 * @param from NAME of the command line
 * @param wanted what `--to` says
 */
export function askKeyRotation(
  loaded: LoadedEnvironment,
  from: string | undefined,
  wanted: string | undefined,
): AskedRotation {
  if (from === undefined) throw new UsageError('NAME: must be given, got nothing', 'See ./scripts/rotate --help.');
  const unfinished = Rotation.unfinished(loaded.state) ?? '';
  const withdrawal = `master-key ${from}`;
  if (unfinished === withdrawal || (unfinished === '' && isRetired(loaded, from))) {
    if (wanted !== undefined) {
      throw new UsageError(
        `--to: must not be given for ${from}, which has a successor already, got: ${wanted}`,
        'without it the key is withdrawn from MinIO, if nothing is under it any more',
      );
    }
    return {
      what: withdrawal,
      phases: (context) => withdrawMasterKey(context, from),
      ended: `${from} is withdrawn: MinIO may not use it any more. It stays in the key store.`,
    };
  }
  const begun = unfinished.startsWith(`${withdrawal} --to `) ? unfinished.split(' ').at(-1) : undefined;
  const succession = { from, to: wanted ?? begun ?? successorOf(from) };
  // a rotation that is under way has changed what is asked for here
  if (unfinished === '') requireSuccession(loaded, succession);
  return {
    what: `master-key ${from} --to ${succession.to}`,
    phases: (context) => rotateMasterKey(context, succession),
  };
}
