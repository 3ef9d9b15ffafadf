/**
 * The two kinds of failure that a person at the terminal can act on. Anything else that is thrown is our own bug and
 * is printed with its stack.
 */

/** The call or the configuration is wrong; nothing was touched. Scripts end with exit code 64. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly hint: string | undefined;

  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}

/** Something outside this program failed: Docker, Vault, KES, MinIO, the network, the disk. Exit code 1. */
export class ExternalError extends Error {
  override readonly name = 'ExternalError';
  readonly hint: string | undefined;

  constructor(message: string, hint?: string, options?: ErrorOptions) {
    super(message, options);
    this.hint = hint;
  }
}

/** What an unknown thrown value says, without its stack. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
