/**
 * One deployment from the first `up` to `down --delete-data`, as a person would have it. The parts build on each other
 * and share the deployment; each is in a file of its own.
 */
import { type BackedUpTree, describeBackups, writeBackedUpTree } from './deployment/backups';
import { describeDownAndUp } from './deployment/down-and-up';
import { describeFaults, describeRestart } from './deployment/faults';
import { describeFirstDeploy } from './deployment/first-deploy';
import { describePlan } from './deployment/plan';
import { describePrivileges } from './deployment/privileges';
import { describeRenewal } from './deployment/renewal';
import { describeSchedule } from './deployment/schedule';
import { describeSecrecy } from './deployment/secrecy';
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
