/** Whether Docker has addresses for the networks of an environment. */
import { ENVIRONMENT_LABEL, namesOf } from '../../config/deployment-names';
import type { LoadedEnvironment } from '../../config/load';
import { halvesOf } from '../../config/subnets';
import { dockerEngine } from '../../operations/docker';
import { requireFreeNetworks } from '../../operations/preflight/networks';
import type { Step } from '../../operations/toolchain/step';
import { shortPath } from './short-path';

/** Asked before the long builds. Networks that are there already have theirs. */
export function networksStep({ environment, file }: LoadedEnvironment): Step {
  const { subnet } = environment.docker;
  return {
    title: 'Networks',
    run: async () => {
      const ranges = await requireFreeNetworks({
        networks: [{ name: namesOf(environment).network, subnet: subnet && halvesOf(subnet)[0] }],
        owner: { name: ENVIRONMENT_LABEL, value: environment.name },
        docker: dockerEngine(environment.docker),
        settings: shortPath(file),
      });
      return ranges.length === 0 ? 'there' : 'addresses are free';
    },
  };
}
