import { printable } from './text/printable';
import { ExternalError, UsageError } from './errors';

/** Exit codes of every script. */
export const EXIT = { ok: 0, failed: 1, changes: 2, couldNotCheck: 3, usage: 64 } as const;

/**
 * Says on stderr what went wrong, as `error:` and `hint:` lines, and returns the exit code. A failure that is our own
 * bug comes with its stack. Errors quote what servers say, and a terminal must not obey that.
 */
export function printError(error: unknown): number {
  if (error instanceof UsageError || error instanceof ExternalError) {
    process.stderr.write(`error: ${printable(error.message)}\n`);
    if (error.hint !== undefined) process.stderr.write(`hint: ${printable(error.hint)}\n`);
    return error instanceof UsageError ? EXIT.usage : EXIT.failed;
  }
  const said = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`internal error: ${printable(said)}\n`);
  return EXIT.failed;
}
