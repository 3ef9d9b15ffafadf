import type { LoadedEnvironment } from '../../operations/state/load';
import { type Deploy, deployBy } from '../../operations/terraform/deploy-step';
import { synthesize } from './synthesize';

/** Deploys the stacks that this app declares for an environment. */
export const deployOf = (loaded: LoadedEnvironment, verbose = false): Deploy =>
  deployBy({ loaded, synthesize, verbose });
