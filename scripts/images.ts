/** `./scripts/images push`: what was built here, for machines that pull instead of building. */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { stringify } from 'yaml';
import { loadEnvironment } from '../operations/state/load';
import { readToolchain } from '../operations/toolchain/findings';
import { dockerEngine } from '../operations/docker/docker';
import { pinEngines } from '../config/docker/docker-engine';
import { UsageError } from '../operations/lib/errors';
import { registryLogin } from '../operations/docker/engine/registry-logins';
import { prepareToolchain, toolchainRequest } from '../operations/toolchain/prepare';
import { type PushedImages, pushImages, requirePushTarget } from '../operations/toolchain/images/push-images';
import type { Step } from '../operations/lib/step';
import { type Call, command, EXIT_CODES_HELP, FLAG, TEXT } from './lib/command-line';
import { showSteps } from './lib/progress';

const HELP = `Usage: ./scripts/images push REGISTRY/PATH [environment] [--docker-config FILE] [--json]

Pushes the images that are built here, as REGISTRY/PATH/vault, kes, minio and, with several hosts, haproxy, and prints
the \`images:\` block with their digests. In an environment file this block deploys them on any machine whose Docker Engine
reaches the registry. What is not built yet is built first.

  environment           whose images are pushed, by its Docker engine, or with several hosts by that of this machine: a name
                        in environments/ or the path of a YAML file (default: EBS_ENVIRONMENT, else local)
  --docker-config FILE  where \`docker login\` wrote the login (default: DOCKER_CONFIG, else ~/.docker/config.json)
  --json                print the block as JSON
  -h, --help            this text

${EXIT_CODES_HELP}
`;

const OPTIONS = { 'docker-config': TEXT, json: FLAG };

void command('images', HELP, OPTIONS, images, () => 2);

async function images({ values, positionals, signal }: Call<typeof OPTIONS>): Promise<void> {
  if (positionals[0] !== 'push') {
    throw new UsageError(
      `push is what can be done, got: ${positionals[0] ?? 'nothing'}`,
      'See ./scripts/images --help.',
    );
  }
  const target = requirePushTarget(positionals[1]);
  const { environment } = loadEnvironment(positionals[2]);
  pinEngines(environment);
  const configFile = dockerConfigFile(values['docker-config']);
  const login = configFile === undefined ? undefined : registryLogin(configFile, `${target}/kes`);

  const { prerequisites, engine, builds } = prepareToolchain({
    ...toolchainRequest(environment),
    images: 'build',
  });
  let pushed: PushedImages | undefined;
  const push: Step = {
    title: 'Push',
    run: async ({ report }) => {
      const { images } = readToolchain();
      if (images === undefined) throw new Error('the toolchain steps left no images');
      pushed = await pushImages(images, target, dockerEngine(environment.docker), login, {
        signal,
        onProgress: report,
      });
      return target;
    },
  };
  await showSteps([prerequisites, engine, ...builds, push], signal);
  const block = {
    images: {
      source: 'registry',
      ...pushed,
      // with it the block deploys as it stands; who may only pull names another file
      ...(login !== undefined && { dockerConfigFile: configFile }),
    },
  };
  process.stdout.write(values.json === true ? `${JSON.stringify(block, null, 2)}\n` : stringify(block));
}

/** Docker's own configuration where none is named; there need not be one. */
function dockerConfigFile(named: string | undefined): string | undefined {
  if (named !== undefined) return path.resolve(named);
  const given = process.env.DOCKER_CONFIG;
  const folder = given === undefined || given === '' ? path.join(homedir(), '.docker') : given;
  const file = path.resolve(folder, 'config.json');
  return existsSync(file) ? file : undefined;
}
