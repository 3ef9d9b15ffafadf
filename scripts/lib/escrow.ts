import type { LoadedEnvironment } from '../../config/load';
import { escrowWarning } from '../../operations/backup/last-backup';

/** Says on stderr when the newest backup would not save every master key. */
export function warnOfEscrow({ argument, state }: LoadedEnvironment): void {
  const warning = escrowWarning(argument, state);
  if (warning !== undefined) process.stderr.write(`warning: ${warning}\n`);
}
