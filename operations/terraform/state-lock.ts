import type { Environment } from '../../config/environment';

/**
 * What to do where Terraform could not lock its state in S3; undefined where that was not what it said. The lock of a local
 * state ends with whoever holds it.
 */
export function howToUnlock({ state }: Pick<Environment, 'state'>, output: readonly string[]): string | undefined {
  return state.backend === 's3' && output.some((line) => /acquiring the state lock|^\s*Lock Info:/.test(line))
    ? 'wait if another machine deploys. Else a killed command left the lock; remove it: docs/operations.md, "A lock in S3 after a kill"'
    : undefined;
}
