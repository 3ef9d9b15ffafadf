/** `./scripts/down`: takes an environment away, and its data only when that is asked for and confirmed. */
import { existsSync, mkdirSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { vaultNames } from '../config/deployment-names';
import type { Environment } from '../config/environment';
import { drivesText, nodesOf, onHost } from '../config/node';
import { pinEngines } from '../config/docker/docker-engine';
import { type LoadedEnvironment, loadEnvironment } from '../operations/state/load';
import { ENVIRONMENT_LABEL } from '../config/deployment-names';
import { dockerEngine } from '../operations/docker/docker';
import { onEachNode } from '../operations/docker/hosts/each-node';
import { HostsHere } from '../operations/docker/hosts/hosts-here';
import { meetHosts } from '../operations/docker/hosts/hosts-preflight';
import { requireOwnEngine } from '../operations/docker/engine/engine-identity';
import { ExternalError, UsageError } from '../operations/lib/errors';
import { withLock } from '../operations/lib/lock';
import {
  dockerResourcesOf,
  hostSteps,
  removeEmptyStateFolder,
  setAsideFolders,
  stateSteps,
} from '../operations/docker/tear-down';
import { ensureEngine } from '../operations/docker/engine/docker-engine';
import { thisMachine } from '../operations/lib/machine';
import { EXIT_CODES_HELP, main, parseCommandLine } from './lib/command-line';
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

void main(async (args, signal) => {
  const { values, positionals } = parseArguments(args);
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const loaded = loadEnvironment(positionals[0]);
  const { environment, state } = loaded;
  const deleteData = values['delete-data'] ?? false;
  if (deleteData && values.confirm !== undefined) requireName(values.confirm, loaded);
  pinEngines(environment);

  const owner = { name: ENVIRONMENT_LABEL, value: environment.name };
  const hosts = new HostsHere();
  if (environment.hosts === undefined) {
    await ensureEngine(thisMachine(), { signal, report: () => undefined, announce: () => undefined });
    // without --delete-data, all that can be removed is what is there
    await requireOwnEngine(loaded, { accepted: values.engine, mayBeGone: !deleteData });
  } else hosts.leaveOut(await awayHosts(loaded, deleteData));
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

/**
 * Hosts that do not answer. What is on one stays there.
 *
 * @throws ExternalError if everything is to be deleted, and one does not answer
 */
async function awayHosts({ environment }: LoadedEnvironment, deleteData: boolean): Promise<string[]> {
  const met = await meetHosts(environment);
  const away = met.flatMap(({ name, engine, seen }) =>
    'problem' in seen ? [{ name, line: `host ${name} does not answer (${engine}: ${seen.problem})` }] : [],
  );
  if (away.length === 0) return [];
  const lines = away.map(({ line }) => line).join('\n');
  if (deleteData) throw new ExternalError(lines, 'what is on it would stay, without its keys; nothing was changed');
  process.stderr.write(`warning: ${lines}; what is on it stays\n`);
  return away.map(({ name }) => name);
}

/** Says what would be gone, and takes nothing but the name for a yes. */
async function askForName(
  loaded: LoadedEnvironment,
  dataVolumes: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const { name } = loaded.environment;
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new UsageError(
      '--delete-data must be confirmed with the environment’s name, and there is no terminal to ask at',
      `write: --delete-data --confirm ${name}`,
    );
  }
  const folders = [loaded.state.root, ...setAsideFolders(loaded.state)];
  const lost = [...dataVolumes.map((volume) => `volume ${volume}`), ...folders.map((folder) => `folder ${folder}`)];
  process.stderr.write(
    `This deletes environment ${name} with its master keys and all objects; nothing can bring them back:\n` +
      lost.map((item) => `  ${item}\n`).join(''),
  );
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    requireName(await terminal.question(`Type the environment’s name (${name}) to delete it: `, { signal }), loaded);
  } finally {
    terminal.close();
  }
}

function requireName(given: string, { environment }: LoadedEnvironment): void {
  if (given.trim() === environment.name) return;
  throw new UsageError(
    `the confirmation must be the environment’s name (${environment.name}), got: ${given.trim() || 'nothing'}`,
    'nothing was changed',
  );
}

function whatIsLeft(loaded: LoadedEnvironment, dataVolumes: readonly string[], deleteData: boolean): string {
  const { environment, state } = loaded;
  if (deleteData) {
    const folders = [state.root, ...setAsideFolders(state)]
      .filter((folder) => existsSync(folder))
      .map((folder) => `\n${folder} holds files that are not of this project and stays.\n`);
    return `Environment ${environment.name} is gone.\n${folders.join('')}${leftElsewhere(loaded)}`;
  }
  return [
    `Environment ${environment.name} is down.`,
    '',
    `  data volumes  ${dataVolumes.length === 0 ? 'none' : dataVolumes.join(', ')}`,
    ...(foldersOf(environment).length === 0 ? [] : [`  drives        ${foldersOf(environment).join(', ')}`]),
    `  state         ${existsSync(state.root) ? state.root : 'none'}`,
    '',
    `./scripts/up ${loaded.argument} brings it back; ./scripts/down ${loaded.argument} --delete-data deletes the rest.`,
    '',
  ].join('\n');
}

/** What is in a place that others use, too, or on the user's disks, is never ours to delete. */
function leftElsewhere({ environment }: LoadedEnvironment): string {
  return leftOnDisks(environment) + leftInKeyStore(environment);
}

function leftOnDisks(environment: Environment): string {
  const { drives } = nodesOf(environment)[0].minio;
  const folders = foldersOf(environment);
  if (folders.length === 0) return '';
  return `
Left on the Docker host${environment.hosts === undefined ? '' : 's'}: the ${drivesText(drives)}, with objects that cannot be decrypted without the keys.
They are your disks, and nothing is deleted there. This empties them for another deployment:
  find ${folders.join(' ')} -mindepth 1 -delete
`;
}

const foldersOf = (environment: Environment): string[] =>
  nodesOf(environment)[0].minio.drives.flatMap(({ kind, source }) => (kind === 'folder' ? [source] : []));

function leftInKeyStore(environment: Environment): string {
  const { keyStore } = environment;
  if (keyStore.type === 'filesystem' && keyStore.path !== undefined) {
    return `\nLeft on the Docker host: the master keys in ${keyStore.path}.\n`;
  }
  if (keyStore.type !== 'vault' || keyStore.vault.mode !== 'external') return '';
  const { kesPolicy, kesRole } = vaultNames(environment);
  const { prefix } = keyStore;
  const address = keyStore.vault.address ?? process.env.VAULT_ADDR ?? 'the external Vault';
  return `
Left in Vault at ${address}: the mount ${keyStore.mount} with the master keys under ${prefix}/, the role and the
policy of KES. Without what they encrypted they are of no use; whoever runs that Vault removes them with:
  vault delete auth/${keyStore.approle.mount}/role/${kesRole}
  vault policy delete ${kesPolicy}
${
  keyStore.existingMount
    ? `  vault kv ${keyStore.kvVersion === 2 ? 'metadata ' : ''}delete -mount=${keyStore.mount} ${prefix}/KEY    (for each)`
    : `  vault secrets disable ${keyStore.mount}    (every key in it; other environments may share it)`
}
`;
}

function parseArguments(args: string[]) {
  const parsed = parseCommandLine('down', args, {
    'delete-data': { type: 'boolean' },
    confirm: { type: 'string' },
    engine: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  });
  if (parsed.values.confirm !== undefined && parsed.values['delete-data'] !== true) {
    throw new UsageError('--confirm goes with --delete-data only', 'See ./scripts/down --help.');
  }
  return parsed;
}
