/** `./scripts/toolchain`: prerequisites, Docker Engine, images and providers, without deploying anything. */
import { loadEnvironment } from '../config/load';
import { readToolchain } from '../config/toolchain';
import { prepareToolchain } from '../operations/toolchain/prepare';
import { EXIT_CODES_HELP, main, parseCommandLine } from './lib/command-line';
import { showSteps } from './lib/progress';

const HELP = `Usage: ./scripts/toolchain [environment] [--json]

Makes this machine ready for \`npx cdktf deploy '*'\`: installs what is missing (as root on Debian and Ubuntu), starts
Docker, builds the images and Terraform providers that the environment needs, and writes .toolchain/toolchain.json.

  environment   a name in environments/ or the path of a YAML file (default: EBS_ENVIRONMENT, else local)
  --json        print .toolchain/toolchain.json
  -h, --help    this text

${EXIT_CODES_HELP}
`;

void main(async (args, signal) => {
  const { values, positionals } = parseCommandLine('toolchain', args, {
    json: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const { environment } = loadEnvironment(positionals[0]);
  if (environment.docker.host !== undefined) process.env.DOCKER_HOST = environment.docker.host;
  const { prerequisites, engine, builds } = prepareToolchain({
    images: environment.images.source,
    providers: environment.providers,
  });
  await showSteps([prerequisites, engine, ...builds], signal);
  if (values.json) process.stdout.write(`${JSON.stringify(readToolchain(), null, 2)}\n`);
});
