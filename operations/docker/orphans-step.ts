import path from 'node:path';
import { ENVIRONMENT_LABEL } from '../../config/deployment-names';
import type { LoadedEnvironment } from '../state/load';
import { type Node, onHost } from '../../config/node';
import { onEachNode } from './hosts/each-node';
import { HostsHere } from './hosts/hosts-here';
import { requireUnlocked, UnreadableStateError } from '../terraform/remote-state';
import { removeChangedNetworks, removeIdleOrphans, removeOrphans } from './orphans';
import { setAsideCutStates } from '../terraform/terraform-state';
import { requireOwnTurn } from '../terraform/turn';
import type { Step, StepContext } from '../lib/step';

/** A deploy that was killed, or a state that was lost, leaves what Terraform would try to make once more. */
export function orphansStep(loaded: LoadedEnvironment, hosts = new HostsHere()): Step {
  return {
    title: 'Remove orphaned containers',
    run: async (context) => {
      for (const { file, now } of setAsideCutStates(loaded)) {
        context.announce(
          `${file} was cut short, as by a kill, and is ${path.basename(now)} now: what it named is found again`,
        );
      }
      const orphans = await removed(loaded, removeOrphans, context, hosts);
      const owner = { name: ENVIRONMENT_LABEL, value: loaded.environment.name };
      const changed = await onEachNode(hosts.here(loaded.environment), async (node, docker) =>
        named(node, await removeChangedNetworks(loaded, docker, owner)),
      ).then((names) => names.flat());
      if (changed.length > 0) {
        context.announce(
          `docker.subnet or docker.mtu changed: ${changed.join(' and ')} and every container are removed, the deploy makes them again`,
        );
      }
      return orphans;
    },
  };
}

/** The same before a rotation, which refuses where something would be interrupted. */
export function idleOrphansStep(loaded: LoadedEnvironment): Step {
  return { title: 'Remove orphaned containers', run: (context) => removed(loaded, removeIdleOrphans, context) };
}

async function removed(
  loaded: LoadedEnvironment,
  remove: typeof removeOrphans,
  { announce }: StepContext,
  hosts = new HostsHere(),
): Promise<string | undefined> {
  await requireUnlocked(loaded.environment);
  await requireOwnTurn(loaded);
  let names: string[];
  try {
    const owner = { name: ENVIRONMENT_LABEL, value: loaded.environment.name };
    const removals = await onEachNode(hosts.here(loaded.environment), async (node, docker) =>
      named(node, await remove(loaded, docker, owner)),
    );
    names = removals.flat();
  } catch (error) {
    if (!(error instanceof UnreadableStateError)) throw error;
    announce(`${error.message}: leftovers of a killed deploy are not looked for`);
    return undefined;
  }
  if (names.length === 0) return undefined;
  announce(`Terraform's state does not know ${names.join(', ')}: removed, the deploy makes them again`);
  return `${names.length} removed`;
}

const named = (node: Node, names: readonly string[]): string[] => names.map((name) => `${name}${onHost(node)}`);
