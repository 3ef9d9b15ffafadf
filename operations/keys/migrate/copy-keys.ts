/** Copies master keys from one key store to another by KES itself, and proves them there before anybody uses them. */
import type Docker from 'dockerode';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse, stringify } from 'yaml';
import { KES_PORT, LEAVES, namesOf, VAULT_ALIAS } from '../../../config/deployment-names';
import { storageNetwork, vaultNetwork } from '../../../config/networks';
import { publishedUrl } from '../../../config/reachable';
import type { VaultVariables } from '../../../config/external-vault';
import { KEY_FOLDER, type KesLogin, renderKesConfiguration } from '../../../config/kes-configuration';
import { kesConfiguration, vaultAccess } from '../../../config/key-store';
import type { DockerSettings } from '../../../config/docker-engine';
import type { LoadedEnvironment } from '../../../config/load';
import { proxyVariables } from '../../../config/proxy';
import { retiredKeysByClient } from '../../state/retired-keys';
import { readAwsCredentials } from '../aws-credentials';
import { type CanaryVerdict, openCanary } from '../canaries';
import { readCanaries } from '../../state/canaries';
import { containerLogs, dockerEngine, type OwnerLabel } from '../../docker/docker';
import { ExternalError } from '../../lib/errors';
import { KesClient } from '../../kes/kes-client';
import { kesIdentities } from '../../kes/kes-identity';
import { requireProvenKeys, waitForKeyStore } from '../verify-master-keys';
import { NotYet, waitFor } from '../../lib/wait';
import { type KesTask, runToEnd, withKesContainer } from '../../kes/kes-container';

export interface Migration {
  /** The environment as it was deployed. */
  readonly source: LoadedEnvironment;
  /** The environment as it shall become: the same but for its key store. */
  readonly target: LoadedEnvironment;
  readonly owner: OwnerLabel;
  readonly variables: VaultVariables;
  /** The `kes` program in its image. */
  readonly program: string;
  /** The image, where no KES is there to tell. */
  readonly image: () => string;
}

/** Where the keys of the source are in the container, if they are files. */
const SOURCE_FOLDER = '/source-keys';

/**
 * Copies every key that the target has not. Nothing is overwritten, and nothing is deleted at the source.
 *
 * Each by its name: the source may hold what is none of this environment, such as all other secrets of an AWS account.
 *
 * @returns how many were copied
 */
export async function copyKeys(migration: Migration): Promise<string> {
  const { source, target, program } = migration;
  const { secret } = target.state;
  const files = {
    ...commonFiles(migration),
    'source.yaml': sourceConfiguration(readFileSync(secret.migrationSource, 'utf8')),
    'target.yaml': readFileSync(secret.kesConfiguration, 'utf8'),
    ...keyStoreCas(source, migration.variables, 'source'),
    ...keyStoreCas(target, migration.variables, 'target'),
  };
  const keys = { ...keyFolder(source, SOURCE_FOLDER), ...keyFolder(target, KEY_FOLDER) };
  const names = Object.keys(readCanaries(target.state.canaries));
  let copied = 0;
  for (const name of names) {
    const way = ['--from', '/files/source.yaml', '--to', '/files/target.yaml'] as const;
    const task = await taskOf(migration, 'migration', {
      command: [program, 'migrate', '--merge', ...way, name],
      files,
      keys,
    });
    const { code, output } = await withKesContainer(task, runToEnd);
    if (code !== 0) {
      throw new ExternalError(
        `kes migrate failed with master key ${name}: ${output.trim().split('\n').slice(-3).join(' ')}`,
        'correct the cause, and run this again: keys that were copied are left as they are. From AWS it also needs secretsmanager:ListSecrets',
      );
    }
    // the other end is `No keys migrated`: not there any more, or there already, which the proof tells apart
    if (/Migrated +1 key/.test(output)) copied += 1;
  }
  return `${copied} of ${names.length} copied`;
}

/**
 * Refuses a target that has another key of the same name, before anything is changed: names of secrets in AWS, and of
 * files in a folder, have no prefix. A mount in Vault has one, and KES cannot log in there yet.
 *
 * @throws ExternalError that names the keys
 */
export async function requireNoOtherKeys(migration: Migration): Promise<string> {
  const { environment, state } = migration.target;
  const login = await loginBeforeDeploy(migration.target);
  if (login === undefined) return 'new';
  const configuration = kesConfiguration(environment, retiredKeysByClient(environment, state));
  const identities = kesIdentities(configuration.clients, state.tls);
  const text = stringify(renderKesConfiguration(configuration, { identities, login }));
  return withKesOfTarget(migration, text, async (prover, url) => {
    await waitForKeyStore(prover, url);
    const verdicts = new Map<string, CanaryVerdict>();
    for (const [key, canary] of Object.entries(readCanaries(state.canaries))) {
      verdicts.set(key, await openCanary(prover, key, canary));
    }
    const named = (verdict: CanaryVerdict): string[] =>
      [...verdicts.keys()].filter((key) => verdicts.get(key) === verdict);
    if (named('other').length > 0) {
      throw new ExternalError(
        `the new place has other keys named ${named('other').join(', ')}; nothing was changed`,
        'they may belong to another environment, so leave them there: choose another place (region, account, folder)',
      );
    }
    if (named('damaged').length > 0) {
      throw new ExternalError(
        `the canaries of ${named('damaged').join(', ')} in ${state.canaries} are damaged; nothing was changed`,
        'put that file back from a copy of the state folder or from a backup',
      );
    }
    return `${named('opens').length} of ${verdicts.size} are there already`;
  });
}

/** What KES gets at the keys by where Terraform has nothing to make first; undefined if it has, or if nothing is there. */
async function loginBeforeDeploy({ environment, state }: LoadedEnvironment): Promise<KesLogin | undefined> {
  const { keyStore, docker } = environment;
  switch (keyStore.type) {
    case 'vault':
      return undefined;
    case 'aws':
      return {
        type: 'aws',
        ...(keyStore.credentials === 'chain' ? { credentials: readAwsCredentials(state.secret.awsCredentials) } : {}),
      };
    case 'filesystem': {
      const there = keyStore.path !== undefined || (await hasVolume(docker, namesOf(environment).keyVolume));
      return there ? { type: 'filesystem' } : undefined;
    }
  }
}

async function hasVolume(docker: DockerSettings, name: string): Promise<boolean> {
  const { Volumes } = await dockerEngine(docker).listVolumes({ filters: JSON.stringify({ name: [name] }) });
  return Volumes.some(({ Name }) => Name === name);
}

/** Proves every canary in the target, before the deployed KES goes over. */
export async function proveKeysInTarget(migration: Migration): Promise<string> {
  const { state } = migration.target;
  const configuration = readFileSync(state.secret.kesConfiguration, 'utf8');
  return withKesOfTarget(migration, configuration, async (prover, url) => {
    const proven = await requireProvenKeys(prover, url, readCanaries(state.canaries));
    return `${proven.length} open their canaries in the new place`;
  });
}

/** Has a KES with the keys of the target, which nobody else uses. */
async function withKesOfTarget<T>(
  migration: Migration,
  configuration: string,
  use: (prover: KesClient, url: string) => Promise<T>,
): Promise<T> {
  const { target, program } = migration;
  const { environment, state } = target;
  const address = environment.kes.publishAddress;
  const task = await taskOf(migration, 'proof', {
    command: [program, 'server', '--config', '/files/server-config.yaml'],
    files: {
      ...commonFiles(migration),
      'server-config.yaml': configuration,
      ...keyStoreCas(target, migration.variables, 'target'),
    },
    keys: keyFolder(target, KEY_FOLDER),
    publish: { port: KES_PORT, address },
  });
  return withKesContainer(task, async (container) => {
    await container.start();
    const port = await waitFor({ what: 'Docker to publish a port of KES', timeoutMs: 30_000 }, async () => {
      const { NetworkSettings, State } = await container.inspect();
      if (!State.Running) return new NotYet(`KES ended: ${(await containerLogs(container, 0)).trim()}`);
      return NetworkSettings.Ports[`${KES_PORT}/tcp`]?.[0]?.HostPort ?? new NotYet('no port');
    });
    const url = publishedUrl(address, Number(port));
    const prover = new KesClient({
      url,
      caFile: state.caCertificate,
      certificateFile: path.join(state.tls, `${LEAVES.keyProver}.crt`),
      privateKeyFile: path.join(state.secret.tls, `${LEAVES.keyProver}.key`),
    });
    try {
      return await use(prover, url);
    } finally {
      prover.close();
    }
  });
}

/** Of the running KES: what is declared may not have been built yet. */
async function imageOf(container: Docker.Container): Promise<string | undefined> {
  try {
    return (await container.inspect()).Image;
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode === 404) return undefined;
    throw error;
  }
}

async function taskOf(
  migration: Migration,
  what: string,
  task: Pick<KesTask, 'command' | 'files' | 'keys' | 'publish'>,
): Promise<KesTask> {
  const { source, target, owner, image } = migration;
  const { environment } = target;
  const docker = dockerEngine(environment.docker);
  const { prefix } = namesOf(environment);
  // an embedded Vault is reached from nowhere else; what is outside is reached from both
  const withVault = [target, source].find(({ environment: { vault } }) => vault.mode === 'embedded')?.environment;
  return {
    docker,
    owner,
    name: `${prefix}-kes-${what}`,
    image: (await imageOf(docker.getContainer(`${prefix}-kes`))) ?? image(),
    network: (withVault === undefined ? storageNetwork(environment) : vaultNetwork(withVault)).name,
    variables: {
      ...throughProxy(migration),
      // Go reads the folder besides the bundle of the image
      SSL_CERT_DIR: '/files/CAs',
    },
    ...task,
  };
}

/** The way to AWS on whichever side that is; the Vault on the other is reached directly, as it was or will be. */
function throughProxy({ source, target, variables }: Migration): Record<string, string> {
  const both = [source, target];
  const vaults = both.flatMap(({ environment, state }) =>
    environment.keyStore.type === 'vault'
      ? [VAULT_ALIAS, new URL(vaultAccess(environment, state, variables).url).hostname]
      : [],
  );
  return Object.fromEntries(
    both.flatMap(({ environment }) => Object.entries(proxyVariables(environment.keyStore, vaults))),
  );
}

/** What every configuration of KES of this environment names. */
function commonFiles({ target: { state } }: Migration): Record<string, string> {
  return {
    'ca.crt': readFileSync(state.caCertificate, 'utf8'),
    'server.crt': readFileSync(path.join(state.tls, `${LEAVES.kes}.crt`), 'utf8'),
    'server.key': readFileSync(path.join(state.secret.tls, `${LEAVES.kes}.key`), 'utf8'),
  };
}

function keyStoreCas(
  { environment, state }: LoadedEnvironment,
  variables: VaultVariables,
  which: 'source' | 'target',
): Record<string, string> {
  const { keyStore } = environment;
  const trusted =
    environment.trustedCAs.length === 0 ? {} : { 'CAs/trusted-cas.crt': readFileSync(state.trustedCAs, 'utf8') };
  if (keyStore.type === 'aws' && keyStore.caFile !== undefined) {
    return { ...trusted, [`CAs/${which}.crt`]: readFileSync(keyStore.caFile, 'utf8') };
  }
  if (keyStore.type !== 'vault') return trusted;
  const { caFile } = vaultAccess(environment, state, variables);
  if (caFile === undefined) return trusted;
  return { ...trusted, [which === 'source' ? 'source-vault-ca.crt' : 'vault-ca.crt']: readFileSync(caFile, 'utf8') };
}

function keyFolder({ environment }: LoadedEnvironment, inside: string): Record<string, string> {
  const { keyStore } = environment;
  return keyStore.type === 'filesystem' ? { [inside]: keyStore.path ?? namesOf(environment).keyVolume } : {};
}

/** The paths of a configuration that may differ from those of the target. */
function sourceConfiguration(text: string): string {
  const configuration = parse(text) as {
    keystore: { vault?: { tls?: { ca: string } }; fs?: { path: string } };
  };
  const { vault, fs } = configuration.keystore;
  if (vault?.tls !== undefined) vault.tls.ca = '/files/source-vault-ca.crt';
  if (fs !== undefined) fs.path = SOURCE_FOLDER;
  return stringify(configuration);
}
