/** What to do where Terraform could not lock its state; undefined where that was not what it said. */
export function howToUnlock(output: readonly string[]): string | undefined {
  return output.some((line) => /acquiring the state lock|^\s*Lock Info:/.test(line))
    ? 'if somebody else deploys, wait. If nobody does, a command was killed, and its lock must go: docs/operations.md, "A lock in S3 after a kill"'
    : undefined;
}
