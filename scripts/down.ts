/** `./scripts/down`: takes an environment away, and its data only when that is asked for and confirmed. */
import { mkdirSync } from 'node:fs';
import { ENVIRONMENT_LABEL } from '../config/deployment-names';
import { pinEngines } from '../config/docker/docker-engine';
import { onHost } from '../config/node';
import { dockerEngine } from '../operations/docker/docker';
import { ensureEngine } from '../operations/docker/engine/docker-engine';
import { requireOwnEngine } from '../operations/docker/engine/engine-identity';
import { requireOneHost } from '../operations/docker/engine/own-engine-step';
import { onEachNode } from '../operations/docker/hosts/each-node';
import { HostsHere } from '../operations/docker/hosts/hosts-here';
import { hostsAway } from '../operations/docker/hosts/hosts-preflight';
import { dockerResourcesOf, hostSteps, removeEmptyStateFolder, stateSteps } from '../operations/docker/tear-down';
import { UsageError } from '../operations/lib/errors';
import { withLock } from '../operations/lib/lock';
import { thisMachine } from '../operations/lib/machine';
import { loadEnvironment } from '../operations/state/load';
import { askForName, requireName } from './lib/ask-for-name';
import { command, EXIT_CODES_HELP, FLAG, TEXT } from './lib/command-line';
import { whatIsLeft } from './lib/pages/what-is-left';
import { showSteps } from './lib/progress';

const HELP = `Usage: ./scripts/down [environment] [--delete-data [--confirm NAME]] [--engine ID]

Removes the containers, the networks and the file volumes of an environment. Data volumes (master keys, audit log,
objects), secrets, certificates and state stay, and ./scripts/up brings everything back with the same keys and data.
What is gone already is no error.

  environment    a name in environments/ or the path of a YAML file (default: EBS_ENVIRONMENT, else local)
  --delete-data  delete the data volumes and the state folder with all secrets, too, what restores set aside of it, and
                 Terraform's state in S3, which needs the AWS_… variables of the deploy: nothing can bring them back.
                 Asks for the environment's name first. What is in an external Vault, and folders that are drives of
                 MinIO, stay
  --confirm      the environment's name, where no terminal can ask
  --engine       id of the Docker engine that answers, to continue although the deployment was on another one, or although
                 nothing of it is there: see docs/engines.md
  -h, --help     this text

What is left goes to stdout, progress to stderr.

${EXIT_CODES_HELP}
`;

const OPTIONS = { 'delete-data': FLAG, confirm: TEXT, engine: TEXT };

void command('down', HELP, OPTIONS, async ({ values, positionals, signal }) => {
  if (values.confirm !== undefined && values['delete-data'] !== true) {
    throw new UsageError('--confirm goes with --delete-data only', 'See ./scripts/down --help.');
  }
  const loaded = loadEnvironment(positionals[0]);
  const { environment, state } = loaded;
  requireOneHost(environment, values.engine);
  const deleteData = values['delete-data'] ?? false;
  if (deleteData && values.confirm !== undefined) requireName(values.confirm, loaded);
  pinEngines(environment);

  const owner = { name: ENVIRONMENT_LABEL, value: environment.name };
  const hosts = new HostsHere();
  if (environment.hosts === undefined) {
    await ensureEngine(thisMachine(), { signal, report: () => undefined, announce: () => undefined });
    // without --delete-data, all that can be removed is what is there
    await requireOwnEngine(loaded, { accepted: values.engine, mayBeGone: !deleteData });
  } else {
    const away = await hostsAway(environment, deleteData);
    for (const { line } of away) process.stderr.write(`warning: ${line}; what is on it stays\n`);
    hosts.leaveOut(away.map(({ name }) => name));
  }
  const dataVolumes = async (): Promise<string[]> =>
    (
      await onEachNode(hosts.here(environment), async (node, docker) =>
        (await dockerResourcesOf(docker, owner)).dataVolumes.map((volume) => `${volume}${onHost(node)}`),
      )
    ).flat();
  if (deleteData && values.confirm === undefined) await askForName(loaded, await dataVolumes(), signal);

  mkdirSync(state.root, { recursive: true, mode: 0o700 });
  try {
    await withLock(state.lock, `${deleteData ? 'deleting' : 'taking down'} ${environment.name}`, async () => {
      const steps = hosts
        .here(environment)
        .flatMap((node) => hostSteps({ docker: dockerEngine(node.docker), owner, deleteData }, onHost(node)));
      await showSteps([...steps, ...stateSteps({ loaded, deleteData })], signal);
    });
  } finally {
    removeEmptyStateFolder(state);
  }
  process.stdout.write(whatIsLeft(loaded, await dataVolumes(), deleteData));
});
