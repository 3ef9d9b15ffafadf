import type { Environment } from '../../config/environment';

/**
 * What to do where Terraform could not lock its state in S3; undefined where that was not what it said. The lock of a local
 * state ends with whoever holds it.
 */
export function howToUnlock({ state }: Pick<Environment, 'state'>, output: readonly string[]): string | undefined {
  return state.backend === 's3' && output.some((line) => /acquiring the state lock|^\s*Lock Info:/.test(line))
    ? 'if somebody else deploys, wait. If nobody does, a command was killed, and its lock must go: docs/operations.md, "A lock in S3 after a kill"'
    : undefined;
}
