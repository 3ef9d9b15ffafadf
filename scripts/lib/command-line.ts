/** What all commands share: errors, interruption, exit codes. */
import { ExternalError, messageOf, UsageError } from '../../operations/errors';

/** Exit codes of every command. */
export const EXIT_FAILED = 1;
export const EXIT_USAGE = 64;
const EXIT_INTERRUPTED = 130;

/** For the end of each `--help`. */
export const EXIT_CODES_HELP = `Exit codes:
  0    done
  1    failed; the error says what and where
  64   wrong call or configuration; nothing was changed
  130  interrupted; run it again to go on`;

/**
 * Runs a command to its end and sets the exit code. SIGINT and SIGTERM abort the signal, so that the command can end
 * its children and take back what is half-done; a second one ends at once.
 */
export async function main(command: (args: string[], signal: AbortSignal) => Promise<void>): Promise<void> {
  const interruption = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      if (interruption.signal.aborted) process.exit(EXIT_INTERRUPTED);
      process.stderr.write(`\n${name}: ending what is under way\n`);
      interruption.abort(new Error(`interrupted by ${name}`));
    });
  }
  try {
    await command(process.argv.slice(2), interruption.signal);
  } catch (error) {
    process.exitCode = interruption.signal.aborted ? EXIT_INTERRUPTED : report(error);
  }
}

/** Prints an error the way its kind asks for; returns the exit code. */
export function report(error: unknown): number {
  if (error instanceof UsageError || error instanceof ExternalError) {
    process.stderr.write(`error: ${error.message}\n`);
    if (error.hint !== undefined) process.stderr.write(`hint: ${error.hint}\n`);
    return error instanceof UsageError ? EXIT_USAGE : EXIT_FAILED;
  }
  if ((error as NodeJS.ErrnoException | null)?.code === 'ENOSPC') {
    process.stderr.write(`error: no space left on the disk: ${messageOf(error)}\n`);
    process.stderr.write('hint: free some space, then run it again; nothing half-written was kept\n');
    return EXIT_FAILED;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`error: this is a bug of encrypted-backup-storage, please report it:\n${text}\n`);
  return EXIT_FAILED;
}
