/**
 * One deployment from the first `up` to `down --delete-data`, as a person would have it. The parts build on each other
 * and share the deployment; each is in a file of its own.
 */
import { type BackedUpTree, describeBackups, writeBackedUpTree } from './backups';
import { describeDownAndUp } from './down-and-up';
import { describeFaults, describeRestart } from './faults';
import { describeFirstDeploy } from './first-deploy';
import { describePlan } from './plan';
import { describePrivileges } from './privileges';
import { describeRenewal } from './renewal';
import { describeSchedule } from './schedule';
import { describeSecrecy } from './secrecy';
import { ProcessWatch } from '../helpers/e2e/secrets';
import { TestEnvironment } from '../helpers/e2e/test-environment';

let environment: TestEnvironment;
let tree: BackedUpTree;
let watch: ProcessWatch;

beforeAll(async () => {
  environment = await TestEnvironment.create({
    minio: { defaultKey: 'backup-default' },
    buckets: [
      { name: 'backup', encryption: { type: 'sse-s3' } },
      { name: 'archive', encryption: { type: 'sse-kms', key: 'archive-key' }, versioning: true, objectLock: true },
    ],
  });
  tree = writeBackedUpTree(environment);
  watch = new ProcessWatch([environment.state.secret.rootToken]);
});

afterAll(async () => {
  watch.stop();
  await environment.remove();
});

describeFirstDeploy(() => ({ environment, watch }));
describeRenewal(() => ({ environment }));
describePlan(() => ({ environment }));
describeBackups(() => ({ environment, tree }));
describeSecrecy(() => ({ environment, watch }));
describePrivileges(() => ({ environment }));
describeSchedule(() => ({ environment }));
describeRestart(() => ({ environment }));
describeFaults(() => ({ environment }));
describeDownAndUp(() => ({ environment, tree }));
