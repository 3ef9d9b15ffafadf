import type { Environment } from './environment';

/** The stacks, in the order in which they are deployed: each depends on those before it. */
export const STACKS = ['foundation', 'vault', 'keystore', 'kes', 'minio', 'checks'] as const;

export type StackName = (typeof STACKS)[number];

/** Stacks that follow each other. */
export interface StackRange {
  /** @default - the first */
  readonly from?: StackName;
  /** @default - the last */
  readonly to?: StackName;
}

/** The stacks of an environment that are in a range, in their order. */
export function stacksIn({ vault }: Pick<Environment, 'vault'>, { from, to }: StackRange = {}): StackName[] {
  const first = from === undefined ? 0 : STACKS.indexOf(from);
  const last = to === undefined ? STACKS.length - 1 : STACKS.indexOf(to);
  return STACKS.slice(first, last + 1).filter((stack) => stack !== 'vault' || vault.mode === 'embedded');
}
