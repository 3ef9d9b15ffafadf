/** `./scripts/start`: brings back what Docker left down when the machine started. */
import { existsSync } from 'node:fs';
import { pinEngines } from '../config/docker/docker-engine';
import { bootSteps } from '../operations/docker/after-boot';
import { UsageError } from '../operations/lib/errors';
import { loadEnvironment } from '../operations/state/load';
import { EXIT_CODES_HELP, main, parseCommandLine } from './lib/command-line';
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

void main(async (args, signal) => {
  const { values, positionals } = parseCommandLine('start', args, { help: { type: 'boolean', short: 'h' } });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const loaded = loadEnvironment(positionals[0]);
  const { environment, state, argument } = loaded;
  if (!existsSync(state.deployment)) {
    throw new UsageError(`environment ${environment.name} is not deployed`, `deploy it with: ./scripts/up ${argument}`);
  }
  pinEngines(environment);
  await showSteps(bootSteps(loaded), signal);
});
