import { type Node, nodesOf, type NodeSettings, vaultNodes } from '../../config/node';
import { embeddedVault } from '../../config/vault/vault';

/**
 * The stages of a deploy, in their order. With one host each is a stack. With several, what is on a host has a stack for each
 * host, and a stage is those and what follows from all of them: `minio-a`, `minio-b`, `minio-c`, `minio`. One host has no
 * stage `host`: what that stack declares is in its `foundation`.
 */
export const STACKS = ['foundation', 'host', 'vault', 'keystore', 'kes', 'minio', 'checks'] as const;

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
export function stacksIn(environment: NodeSettings, { from, to }: StackRange = {}): string[] {
  const first = from === undefined ? 0 : STACKS.indexOf(from);
  const last = to === undefined ? STACKS.length - 1 : STACKS.indexOf(to);
  return STACKS.slice(first, last + 1).flatMap((stage) => stacksOf(environment, stage));
}

/** Every stack that an environment has or, with master keys elsewhere, may have had: that of its embedded Vault. */
export function everyStack(environment: NodeSettings): string[] {
  return STACKS.flatMap((stage) => (stage === 'vault' ? vaultStacks(environment) : stacksOf(environment, stage)));
}

/** The stacks of a stage that are on hosts. */
const onHosts = (stage: string, nodes: readonly Node[]): string[] =>
  nodes.flatMap(({ host }) => (host === undefined ? [] : [`${stage}-${host.name}`]));

function stacksOf(environment: NodeSettings, stage: StackName): string[] {
  const nodes = nodesOf(environment);
  switch (stage) {
    case 'host':
      return onHosts(stage, nodes);
    case 'vault':
      return embeddedVault(environment) === undefined ? [] : vaultStacks(environment);
    case 'kes':
    case 'minio':
      return [...onHosts(stage, nodes), stage];
    case 'foundation':
    case 'keystore':
    case 'checks':
      return [stage];
  }
}

function vaultStacks(environment: NodeSettings): string[] {
  return environment.hosts === undefined ? ['vault'] : onHosts('vault', vaultNodes(nodesOf(environment)));
}
