/** `./scripts/start`: brings back what Docker left down when the machine started. */
import { pinEngines } from '../config/docker/docker-engine';
import { bootSteps } from '../operations/docker/after-boot';
import { requireDeployed } from '../operations/state/deployed';
import { loadEnvironment } from '../operations/state/load';
import { command, EXIT_CODES_HELP } from './lib/command-line';
import { showSteps } from './lib/progress';

const HELP = `Usage: ./scripts/start [environment]

Waits after a reboot until everything runs and is healthy, 15 minutes for each step. It starts what Docker could not start
because an address or a folder was not there yet, and restarts MinIO where a disk was mounted after it had started. It
changes nothing that a deploy changes, and starts nothing that a person has stopped. ./scripts/schedule has it run after
each boot.

  environment   a name in environments/ or the path of a YAML file (default: EBS_ENVIRONMENT, else local)
  -h, --help    this text

${EXIT_CODES_HELP}
`;

void command('start', HELP, {}, async ({ positionals, signal }) => {
  const loaded = loadEnvironment(positionals[0]);
  requireDeployed(loaded);
  pinEngines(loaded.environment);
  await showSteps(bootSteps(loaded), signal);
});
