/**
 * Three hosts, each a Docker engine of its own: deployed, then robbed of a host, of programs and of the way to each other,
 * under the load of clients that know the addresses of all hosts. The parts build on each other and share the deployment.
 */
import { cpus } from 'node:os';
import path from 'node:path';
import { thisMachine } from '../../operations/lib/machine';
import { projectRoot } from '../../operations/lib/project-root';
import { hostPage, writePage } from '../helpers/e2e/fault-page';
import { describeFaults } from './hosts/faults';
import { describeFirewall } from './hosts/firewall';
import { describeFirstDeploy } from './hosts/first-deploy';
import { describeMigration } from './hosts/migrate';
import { describeMonitoring } from './hosts/monitoring';
import { describePower } from './hosts/power';
import { describeRotations } from './hosts/rotations';
import { ThreeHosts } from './hosts/three-hosts';
import { describeWhatIsLeft } from './hosts/what-is-left';

// said in the report of the run, where the kernel lets nobody make namespaces
const withHosts = thisMachine().root ? describe : describe.skip;

withHosts('three hosts', () => {
  let started: ThreeHosts;
  const lab = (): ThreeHosts => started;

  beforeAll(async () => {
    started = await ThreeHosts.start();
  });

  afterAll(async () => {
    const { rows, startedAt } = started;
    if (process.env.EBS_WRITE_DOCS === '1' && rows.length > 0) {
      const machine = `a machine with ${cpus().length} processors`;
      writePage(path.join(projectRoot, 'docs', 'reliability-hosts.md'), hostPage(rows, { startedAt, machine }));
    }
    await started.remove();
  });

  describeFirstDeploy(lab);
  describePower(lab);
  describeFaults(lab);
  describeMonitoring(lab);
  describeFirewall(lab);
  describeRotations(lab);
  describeMigration(lab);
  describeWhatIsLeft(lab);
});
