/** Whether Docker has addresses for the networks of an environment. */
import { ENVIRONMENT_LABEL } from '../../../config/deployment-names';
import type { LoadedEnvironment } from '../../../operations/state/load';
import { networksOf } from '../../../config/docker/networks';
import { onEachNode } from '../../../operations/docker/hosts/each-node';
import { hostRoutes } from '../../../operations/docker/hosts/host-routes';
import { HostsHere } from '../../../operations/docker/hosts/hosts-here';
import { requireFreeNetworks } from '../../../operations/docker/networks-preflight';
import type { Step } from '../../../operations/lib/step';
import { isLocalEngine } from './key-store-steps';
import { shortPath } from '../short-path';

/** Asked before the long builds. Networks that are there already have theirs. */
export function networksStep({ environment, file }: LoadedEnvironment, hosts = new HostsHere()): Step {
  return {
    title: 'Networks',
    run: async ({ announce }) => {
      const ranges = await onEachNode(hosts.here(environment), async (node, docker) =>
        requireFreeNetworks({
          networks: networksOf(environment),
          owner: { name: ENVIRONMENT_LABEL, value: environment.name },
          docker,
          routes: isLocalEngine(node.docker) ? hostRoutes() : [],
          announce,
          settings: shortPath(file),
        }),
      );
      return ranges.flat().length === 0 ? 'there' : 'addresses are free';
    },
  };
}
