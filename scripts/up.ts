/** `./scripts/up`: from a bare machine to a deployment that has proved itself. */
import { mkdirSync } from 'node:fs';
import { requireDeployable } from '../operations/state/deployable';
import { pinEngines } from '../config/docker/docker-engine';
import { type LoadedEnvironment, loadEnvironment } from '../operations/state/load';
import { readCanaries } from '../operations/state/notes/canaries';
import { withDeploymentLock } from '../operations/state/deployment-lock';
import { prepareToolchain, toolchainRequest } from '../operations/toolchain/prepare';
import { HostsHere } from '../operations/docker/hosts/hosts-here';
import { removeEmptyStateFolder } from '../operations/docker/tear-down';
import type { Step } from '../operations/lib/step';
import { proveDeployedKeys, verifyMasterKeys } from '../operations/keys/verify-master-keys';
import { adoptingDeploy } from '../operations/terraform/adopting-deploy';
import { certificatesStep } from '../operations/certificates/certificates-step';
import { deploymentNoteStep, drivesStep } from '../operations/minio/drives/drives-step';
import { clientsStep } from '../operations/minio/clients/clients-step';
import { deployOf } from './lib/deploy';
import { command, EXIT_CODES_HELP, FLAG, TEXT } from './lib/command-line';
import { hostImagesStep } from '../operations/docker/hosts/host-images-step';
import { hostsStep } from '../operations/docker/hosts/hosts-step';
import { imagesStep } from '../operations/docker/images-step';
import { keyStoreSteps } from '../operations/keys/key-store-steps';
import { objectLockStep } from '../operations/minio/objects/object-lock-step';
import { networksStep } from '../operations/docker/networks-step';
import { ENGINE_OPTION_HELP, ownEngineStep, requireOneHost } from '../operations/docker/engine/own-engine-step';
import { portsStep } from '../operations/docker/ports-step';
import { showSteps } from './lib/progress';
import { orphansStep } from '../operations/docker/orphans-step';
import { showSummary } from './lib/pages/summary';
import { warnOfBackupCoverage } from './lib/backup-coverage';
import { versionSteps } from '../operations/toolchain/version-steps';

const HELP = `Usage: ./scripts/up [environment] [--engine ID] [--without-backup] [--json] [--verbose]

Deploys an environment and proves it: makes this machine ready (see ./scripts/toolchain --help), deploys the stacks as
\`npx cdktf deploy '*'\` does, and shows how to connect. What is done already is skipped, so it may be interrupted anywhere
and run again, and it is the way to apply a changed environment file.

  environment   a name in environments/ or the path of a YAML file (default: EBS_ENVIRONMENT, else local)
  ${ENGINE_OPTION_HELP}
  --without-backup  upgrade without a backup: by default an upgrade makes one where schedule.backup says, or wants one of
                the last 24 hours, see docs/upgrading.md
  --json        print the summary as JSON
  --verbose     show everything that Terraform says
  -h, --help    this text

The summary goes to stdout, progress to stderr.

${EXIT_CODES_HELP}
`;

const OPTIONS = { json: FLAG, verbose: FLAG, engine: TEXT, 'without-backup': FLAG };

void command('up', HELP, OPTIONS, async ({ values, positionals, signal }) => {
  const loaded = loadEnvironment(positionals[0]);
  requireDeployable(loaded, process.env);
  const { environment, state } = loaded;
  requireOneHost(environment, values.engine);
  pinEngines(environment);

  mkdirSync(state.root, { recursive: true, mode: 0o700 });
  const deploy = async (): Promise<void> => {
    const hosts = new HostsHere();
    const isCluster = environment.hosts !== undefined;
    const { prerequisites, engine, builds } = prepareToolchain(toolchainRequest(environment));
    const versions = versionSteps(loaded, hosts, values['without-backup'] ?? false);
    const steps = [
      prerequisites,
      ...(isCluster ? [hostsStep(loaded, hosts)] : [engine, ownEngineStep(loaded, values.engine)]),
      orphansStep(loaded, hosts),
      drivesStep(loaded, undefined, hosts),
      portsStep(loaded, hosts),
      networksStep(loaded, hosts),
      ...imagesStep(environment, hosts),
      ...keyStoreSteps(loaded, Object.keys(readCanaries(state.canaries))),
      ...certificatesStep(loaded),
      masterKeysStep(loaded),
      objectLockStep(loaded),
      clientsStep(loaded),
      ...builds,
      hostImagesStep(loaded, hosts),
      ...versions.before,
      ...(await adoptingDeploy(loaded, deployOf(loaded, values.verbose), undefined, hosts)),
      provenKeysStep(loaded),
      deploymentNoteStep(loaded),
      versions.after,
    ];
    await showSteps(steps, signal, { plain: values.verbose ?? false });
  };
  try {
    await withDeploymentLock(state, `deploying ${environment.name}`, deploy);
  } finally {
    // a refusal before the first deploy leaves nothing
    removeEmptyStateFolder(state);
  }

  await showSummary(loaded, values.json ?? false);
  warnOfBackupCoverage(loaded);
});

/** A key that was lost or replaced must stop a deploy that would find nothing to change, too. */
function masterKeysStep({ environment, state }: LoadedEnvironment): Step {
  return { title: 'Master keys', run: () => verifyMasterKeys(environment, state) };
}

/** A container that was only started again makes no operation run, and so no other step proves what it can open. */
function provenKeysStep({ environment, state }: LoadedEnvironment): Step {
  return { title: 'Master keys after the deploy', run: () => proveDeployedKeys(environment, state) };
}
