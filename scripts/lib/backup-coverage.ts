import type { LoadedEnvironment } from '../../operations/state/load';
import { backupCoverageWarning } from '../../operations/backup/last-backup';

/** Says on stderr when the newest backup would not save every master key. */
export function warnOfBackupCoverage({ argument, state }: LoadedEnvironment): void {
  const warning = backupCoverageWarning(argument, state);
  if (warning !== undefined) process.stderr.write(`warning: ${warning}\n`);
}
