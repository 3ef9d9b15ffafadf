import type { Environment } from '../../config/environment';
import { embeddedVault } from '../../config/vault/vault';

/** The stacks, in the order in which they are deployed: each depends on those before it. */
export const STACKS = ['foundation', 'vault', 'keystore', 'kes', 'minio', 'checks'] as const;

export type StackName = (typeof STACKS)[number];

/** The stacks from one on. */
export type Following<Name, Stacks extends readonly StackName[] = typeof STACKS> = Stacks extends readonly [
  infer First,
  ...infer Rest extends readonly StackName[],
]
  ? Name extends First
    ? Stacks[number]
    : Following<Name, Rest>
  : never;

/**
 * Stacks that follow each other. `from`: by default the first. `to`: by default the last, and never one before `from`.
 */
export type StackRange =
  | { readonly from?: undefined; readonly to?: StackName }
  | { [From in StackName]: { readonly from: From; readonly to?: Following<From> } }[StackName];

/** The stacks of an environment that are in a range, in their order. */
export function stacksIn(environment: Pick<Environment, 'keyStore'>, { from, to }: StackRange = {}): StackName[] {
  const first = from === undefined ? 0 : STACKS.indexOf(from);
  const last = to === undefined ? STACKS.length - 1 : STACKS.indexOf(to);
  const hasVault = embeddedVault(environment) !== undefined;
  return STACKS.slice(first, last + 1).filter((stack) => stack !== 'vault' || hasVault);
}
