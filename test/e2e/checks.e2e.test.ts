/**
 * `./scripts/check` as people and pipelines call it: what it leaves behind, what it says when it cannot check, and that
 * each of its checks can fail.
 */
import { describeClients } from './checks/clients';
import { describeDisruptiveChecks } from './checks/disruptive';
import { describeEndpointChecks } from './checks/endpoint';
import { describeOutages } from './checks/outages';
import { describeLeftovers } from './checks/leftovers';
import { describePlantedFaults } from './checks/planted-faults';
import { describeStateInS3 } from './checks/state-in-s3';
import { useDeployment } from '../helpers/e2e/shared-deployment';

const deployment = useDeployment();

describeDisruptiveChecks(deployment);
describeLeftovers(deployment);
describeClients(deployment);
describeStateInS3(deployment);
describeOutages(deployment);
describeEndpointChecks(deployment);
describePlantedFaults(deployment);
