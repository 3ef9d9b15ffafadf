/** Whether Docker has addresses for the networks of an environment. */
import { ENVIRONMENT_LABEL } from '../../config/deployment-names';
import type { LoadedEnvironment } from '../../operations/state/load';
import { networksOf } from '../../config/docker/networks';
import { dockerEngine } from '../../operations/docker/docker';
import { hostRoutes } from '../../operations/docker/host-routes';
import { requireFreeNetworks } from '../../operations/docker/networks-preflight';
import type { Step } from '../../operations/lib/step';
import { isLocalEngine } from './key-store-steps';
import { shortPath } from './short-path';

/** Asked before the long builds. Networks that are there already have theirs. */
export function networksStep({ environment, file }: LoadedEnvironment): Step {
  return {
    title: 'Networks',
    run: async ({ announce }) => {
      const ranges = await requireFreeNetworks({
        networks: networksOf(environment),
        owner: { name: ENVIRONMENT_LABEL, value: environment.name },
        docker: dockerEngine(environment.docker),
        routes: isLocalEngine(environment.docker) ? hostRoutes() : [],
        announce,
        settings: shortPath(file),
      });
      return ranges.length === 0 ? 'there' : 'addresses are free';
    },
  };
}
