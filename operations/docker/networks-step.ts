/** Whether Docker has addresses for the networks of an environment. */
import { ENVIRONMENT_LABEL } from '../../config/deployment-names';
import type { LoadedEnvironment } from '../state/load';
import { networksOf } from '../../config/docker/networks';
import { onEachNode } from './hosts/each-node';
import { hostRoutes } from './hosts/host-routes';
import { HostsHere } from './hosts/hosts-here';
import { requireFreeNetworks } from './networks-preflight';
import type { Step } from '../lib/step';
import { isLocalEngine } from '../keys/key-store-steps';
import { shortPath } from '../lib/text/short-path';

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
