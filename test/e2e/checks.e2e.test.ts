/** `./scripts/check` as people and pipelines call it: what it leaves behind, and what it says when it cannot check. */
import { describeEndpointChecks } from './checks/endpoint';
import { describeLeftovers } from './checks/leftovers';
import { useDeployment } from '../helpers/e2e/shared-deployment';

const deployment = useDeployment();

describeLeftovers(deployment);
describeEndpointChecks(deployment);
