/** `./scripts/restore`: from a backup and whatever is left to storage that has proved itself. */
import { mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { requireHarmlessVaultVariables } from '../config/vault/external-vault';
import { pinEngines, resolveEngine } from '../config/docker/docker-engine';
import { isLoadedInVault, type LoadedEnvironment, loadEnvironment } from '../operations/state/load';
import { requireReachablePorts } from '../operations/docker/engine/remote-engine';
import { ENVIRONMENT_LABEL } from '../config/deployment-names';
import { nodesOf, onHost } from '../config/node';
import { readIdentities } from '../operations/backup/age/age-keys';
import { withTemporaryFolder } from '../operations/backup/backup';
import type { Bundle } from '../operations/backup/bundle/bundle';
import { type BackupPlace, describePlace, download, parsePlace } from '../operations/backup/destination';
import { openBundle } from '../operations/backup/bundle/open-bundle';
import {
  noteMadeDrive,
  planRestore,
  restoreIam,
  restoreMasterKeys,
  type RestorePlan,
  restoreState,
  surroundingsOf,
  withStateToCome,
} from '../operations/backup/restore/restore';
import { madeOn, staleness } from '../operations/backup/freshness';
import { noteBackup } from '../operations/backup/last-backup';
import { restoreTarget, type RestoreTarget } from '../operations/backup/restore/restore-target';
import { type Provenance, provenance } from '../operations/backup/bundle/signature';
import { printable } from '../operations/lib/text/printable';
import { dockerEngine } from '../operations/docker/docker';
import { HostsHere } from '../operations/docker/hosts/hosts-here';
import { judgeHosts, meetHosts, type SeenHost } from '../operations/docker/hosts/hosts-preflight';
import { meetEngine, rememberEngine, requireOwnEngine } from '../operations/docker/engine/engine-identity';
import { UsageError } from '../operations/lib/errors';
import { withLock } from '../operations/lib/lock';
import { hostSteps, removeEmptyStateFolder } from '../operations/docker/tear-down';
import { prepareToolchain, toolchainRequest } from '../operations/toolchain/prepare';
import type { Step } from '../operations/lib/step';
import { proveDeployedKeys } from '../operations/keys/verify-master-keys';
import { adoptKeyStoreStep, mayNeedAdoption } from '../operations/terraform/adopt-key-store';
import { certificatesStep } from '../operations/certificates/certificates-step';
import { EXIT_CODES_HELP, main, parseCommandLine } from './lib/command-line';
import { deployStep } from './lib/deploy';
import { hostImagesStep } from '../operations/docker/hosts/host-images-step';
import { noteHosts, requireBuildable } from '../operations/docker/hosts/hosts-step';
import { imagesStep } from '../operations/docker/images-step';
import { keyStoreSteps } from '../operations/keys/key-store-steps';
import { deploymentNoteStep, drivesStep } from '../operations/minio/drives/drives-step';
import { networksStep } from '../operations/docker/networks-step';
import { ENGINE_OPTION_HELP } from '../operations/docker/engine/own-engine-step';
import { portsStep } from '../operations/docker/ports-step';
import { showSteps } from './lib/progress';
import { orphansStep } from '../operations/docker/orphans-step';
import { showSummary } from './lib/pages/summary';

const HELP = `Usage: ./scripts/restore --from FILE --identity FILE [--signer KEY|FILE | --sha256 HEX] [environment]
                         [--replace NAME] [--engine ID] [--trust-environment SETTINGS] [--without-keys NAMES]
                         [--json] [--verbose]
       ./scripts/restore --from s3://BUCKET/KEY [--endpoint URL] [--region NAME] [--ca FILE] --identity FILE …

Rebuilds the environment of a backup: on a machine that has never seen it, with its data volumes or without, and into
another Vault or key store than the one that was lost. It deploys, writes the master keys where there are none, proves
each by its canary before MinIO is started, and ends with the post-deploy checks. An interrupted restore goes on when it
is run again. Everything that speaks against it is found before anything is touched.

  --from         the backup: a file, or an object of an S3 storage, with the AWS_… variables
  --identity     file with the age identity of one of its recipients
  --signer       by whom the backup must be signed: ed25519:… as ./scripts/backup prints it, or a file with such lines
                 (default: the lines "# signer: …" of the identity file)
  --sha256       SHA-256 of the file, as noted when it was made: in the place of a signer, for a backup that has none
  environment    a name in environments/ or the path of a YAML file, to restore into other settings, for example another
                 key store (default: the environment file of this clone if it is the same, else the one in the backup)
  --replace      the environment's name, to set aside what is here of it: containers are removed, the state folder is
                 renamed. Data volumes always stay
  ${ENGINE_OPTION_HELP}
  --trust-environment   settings of the environment file in the backup, with commas, that may reach outside of the
                 deployment, such as docker.host and state.directory. Asked for by name; without an environment argument
  --without-keys names of master keys, with commas, that this machine knows and the backup lacks, to give them up
  --endpoint, --region, --ca   of the S3 storage
  --json         print the summary as JSON
  --verbose      show everything that Terraform says
  -h, --help     this text

The summary goes to stdout, progress to stderr.

${EXIT_CODES_HELP}
`;

void main(async (args, signal) => {
  const { values, positionals } = parseCommandLine('restore', args, {
    from: { type: 'string' },
    identity: { type: 'string' },
    signer: { type: 'string' },
    sha256: { type: 'string' },
    replace: { type: 'string' },
    engine: { type: 'string' },
    'trust-environment': { type: 'string' },
    'without-keys': { type: 'string' },
    endpoint: { type: 'string' },
    region: { type: 'string' },
    ca: { type: 'string' },
    json: { type: 'boolean' },
    verbose: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const { from, identity, endpoint, region, ca: caFile, verbose = false } = values;
  if (from === undefined) throw new UsageError('--from: must be given, got nothing', 'See ./scripts/restore --help.');
  if (identity === undefined) {
    throw new UsageError(
      '--identity: must be given, got nothing',
      'it is the file with the secret half of the age key',
    );
  }
  const place = parsePlace('--from', from, { endpoint, region, caFile });
  const identities = readIdentities(identity);
  const ours = provenance(values, identity);
  if (values['trust-environment'] !== undefined && positionals[0] !== undefined) {
    throw new UsageError(
      '--trust-environment: is about the environment file in the backup, which does not count beside an environment that is given',
      'leave one of both away',
    );
  }
  const given = positionals[0] === undefined ? undefined : loadEnvironment(positionals[0]);
  const bundle = await fetchBundle(place, identities, ours);
  process.stderr.write(
    `backup of ${bundle.header.environment}, ${madeOn(bundle, new Date())}, with ${bundle.header.masterKeys.length} master key(s): whole, ` +
      `${bundle.signer === undefined ? 'with the SHA-256 that was asked for' : `signed by ${bundle.signer}`}\n`,
  );

  if (given === undefined) {
    process.stderr.write(
      `the environment file in it:\n${printable(bundle.environmentFile).replaceAll(/^/gm, '  | ')}\n`,
    );
  }
  const into = restoreTarget(bundle, given, names(values['trust-environment']));
  const { environment, file, state } = into.target;
  if (into.writeEnvironmentFile) process.stderr.write(`it is restored as ${file}\n`);
  for (const warning of staleness(bundle, state)) process.stderr.write(`warning: ${warning}\n`);
  pinEngines(environment);
  if (environment.hosts === undefined)
    requireReachablePorts(environment, resolveEngine(environment.docker, process.env));
  mkdirSync(state.root, { recursive: true, mode: 0o700 });
  const what = `restoring ${environment.name}`;
  try {
    // the first one is beside the folder, which may be renamed
    await withLock(`${state.root}.restore-lock`, what, () =>
      withLock(state.lock, what, async () => {
        const { plan, met } = await planned(bundle, into, values, signal);
        await withStateToCome(plan, (loaded) => showSteps(preflightSteps(loaded, bundle), signal, { plain: verbose }));
        await showSteps(await restoreSteps(plan, met, describePlace(place), verbose), signal, { plain: verbose });
      }),
    );
  } finally {
    removeEmptyStateFolder(state);
  }
  await showSummary(into.target, values.json ?? false);
});

async function fetchBundle(place: BackupPlace, identities: readonly string[], ours: Provenance): Promise<Bundle> {
  if (place.kind === 'file') return openBundle(place.file, identities, ours);
  process.stderr.write(`fetching ${describePlace(place)}\n`);
  return withTemporaryFolder(tmpdir(), async (folder) => {
    const file = path.join(folder, 'backup.age');
    await download(place, file);
    return openBundle(file, identities, ours);
  });
}

/** What was chosen on the command line. */
interface RestoreChoices {
  readonly replace?: string;
  readonly engine?: string;
  readonly 'without-keys'?: string;
}

/** A plan needs Docker, to see which volumes are there; a new machine gets it first. */
async function planned(
  bundle: Bundle,
  into: RestoreTarget,
  { replace, engine: accepted, 'without-keys': without }: RestoreChoices,
  signal: AbortSignal,
): Promise<{ readonly plan: RestorePlan; readonly met: readonly SeenHost[] }> {
  const { target } = into;
  const { name, keyStore, hosts } = target.environment;
  requireHarmlessVaultVariables(keyStore, process.env);
  const { prerequisites, engine } = prepareToolchain({ images: 'registry', ownEngine: hosts === undefined });
  await showSteps([prerequisites, ...(hosts === undefined ? [engine] : [])], signal);
  const met = hosts === undefined ? [] : await meetEveryHost(target, accepted);
  if (hosts === undefined) await requireOwnEngine(target, { accepted });
  const around = surroundingsOf(into, { name: ENVIRONMENT_LABEL, value: name });
  return { plan: await planRestore(bundle, into, replace, around, names(without)), met };
}

/** Each of several hosts names its engine, so that another one there is a machine that took the place of the old one. */
async function meetEveryHost(target: LoadedEnvironment, engine: string | undefined): Promise<readonly SeenHost[]> {
  if (engine !== undefined) {
    throw new UsageError(`--engine: must not be given with hosts, which name their engines, got: ${engine}`);
  }
  const met = await meetHosts(target.environment);
  for (const warning of judgeHosts(met, 'a restore needs every host').warnings) {
    process.stderr.write(`warning: ${warning}\n`);
  }
  requireBuildable(target, met);
  return met;
}

/** A list with commas. */
function names(list = ''): string[] {
  return list.split(',').filter((name) => name !== '');
}

/** What `up` asks before it deploys; of the ports those count as free that the environment's own containers hold. */
function preflightSteps(loaded: LoadedEnvironment, { header }: Bundle): Step[] {
  return [
    drivesStep(loaded, header.minioDeployment),
    portsStep(loaded),
    networksStep(loaded),
    ...imagesStep(loaded.environment),
    // keys that were lost are what is to be written
    ...keyStoreSteps(loaded, []),
    ...certificatesStep(loaded),
  ];
}

async function restoreSteps(
  plan: RestorePlan,
  met: readonly SeenHost[],
  destination: string,
  verbose: boolean,
): Promise<Step[]> {
  const { target, bundle } = plan;
  const { environment, state } = target;
  // main.ts lets this deploy through, and no other until the restore has ended
  process.env.EBS_RESTORE = environment.name;
  const { prerequisites, builds } = prepareToolchain(toolchainRequest(environment));
  const owner = { name: ENVIRONMENT_LABEL, value: environment.name };
  // one that was killed may have made mounts that Terraform had no time to write down
  const keyStore =
    isLoadedInVault(target) && (plan.vaultSurvived || (plan.resumed && (await mayNeedAdoption(target))))
      ? [
          deployStep(target, verbose, { to: 'vault' }),
          adoptKeyStoreStep(target),
          deployStep(target, verbose, { from: 'keystore', to: 'keystore' }),
        ]
      : [deployStep(target, verbose, { to: 'keystore' })];
  // from where the configuration of KES is written: the canaries, which are there by now, tell of keys that are retired
  const storage =
    plan.drive === 'empty'
      ? [
          deployStep(target, verbose, { from: 'keystore', to: 'minio' }),
          {
            title: 'MinIO',
            run: async () => {
              await noteMadeDrive(plan);
              return restoreIam(plan);
            },
          },
          deployStep(target, verbose, { from: 'checks' }),
        ]
      : [deployStep(target, verbose, { from: 'keystore' })];
  return [
    prerequisites,
    ...builds,
    ...(plan.replace
      ? nodesOf(environment).flatMap((node) =>
          hostSteps({ docker: dockerEngine(node.docker), owner, deleteData: false }, onHost(node)),
        )
      : []),
    {
      title: 'State',
      run: async () => {
        const restored = await restoreState(plan);
        if (environment.hosts === undefined) {
          rememberEngine(
            state.engine,
            await meetEngine(resolveEngine(environment.docker, process.env), dockerEngine(environment.docker)),
          );
        } else noteHosts(target, met);
        return restored;
      },
    },
    orphansStep(target),
    hostImagesStep(target, new HostsHere()),
    ...keyStore,
    { title: 'Master keys', run: () => restoreMasterKeys(plan) },
    ...storage,
    { title: 'Master keys after the deploy', run: () => proveDeployedKeys(environment, state) },
    deploymentNoteStep(target),
    {
      title: 'Restored',
      run: async () => {
        noteBackup(state, bundle.header, { destination, ...bundle });
        await rm(state.restore);
        return `as of ${bundle.header.createdAt}`;
      },
    },
  ];
}
