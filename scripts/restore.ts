/** `./scripts/restore`: from a backup and whatever is left to storage that has proved itself. */
import { mkdirSync } from 'node:fs';
import { ENVIRONMENT_LABEL } from '../config/deployment-names';
import { pinEngines, resolveEngine } from '../config/docker/docker-engine';
import { requireHarmlessVaultVariables } from '../config/vault/external-vault';
import { readIdentities } from '../operations/backup/age/age-keys';
import { provenance } from '../operations/backup/bundle/signature';
import { describePlace, parsePlace } from '../operations/backup/destination';
import { madeOn, staleness } from '../operations/backup/freshness';
import { fetchBundle } from '../operations/backup/restore/fetch-bundle';
import { planRestore, surroundingsOf, withStateToCome } from '../operations/backup/restore/restore';
import {
  meetEngines,
  restorePreflight,
  restoreSteps,
  restoreToolchain,
} from '../operations/backup/restore/restore-steps';
import { restoreTarget } from '../operations/backup/restore/restore-target';
import { ENGINE_OPTION_HELP } from '../operations/docker/engine/own-engine-step';
import { requireReachablePorts } from '../operations/docker/engine/remote-engine';
import { removeEmptyStateFolder } from '../operations/docker/tear-down';
import { UsageError } from '../operations/lib/errors';
import { withLock } from '../operations/lib/lock';
import { printable } from '../operations/lib/text/printable';
import { loadEnvironment } from '../operations/state/load';
import { command, EXIT_CODES_HELP, FLAG, TEXT } from './lib/command-line';
import { deployOf } from './lib/deploy';
import { showSummary } from './lib/pages/summary';
import { showSteps } from './lib/progress';

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

const OPTIONS = {
  from: TEXT,
  identity: TEXT,
  signer: TEXT,
  sha256: TEXT,
  replace: TEXT,
  engine: TEXT,
  'trust-environment': TEXT,
  'without-keys': TEXT,
  endpoint: TEXT,
  region: TEXT,
  ca: TEXT,
  json: FLAG,
  verbose: FLAG,
};

void command('restore', HELP, OPTIONS, async ({ values, positionals, signal }) => {
  const { from, identity, endpoint, region, ca: caFile, verbose: plain = false } = values;
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
  if (place.kind === 's3') say(`fetching ${describePlace(place)}`);
  const bundle = await fetchBundle(place, identities, ours);
  const { header, signer } = bundle;
  say(
    `backup of ${header.environment}, ${madeOn(bundle, new Date())}, with ${header.masterKeys.length} master key(s): whole, ` +
      (signer === undefined ? 'with the SHA-256 that was asked for' : `signed by ${signer}`),
  );
  if (given === undefined) {
    say(`the environment file in it:\n${printable(bundle.environmentFile).replaceAll(/^/gm, '  | ')}`);
  }

  const into = restoreTarget(bundle, given, names(values['trust-environment']));
  const { environment, file, state } = into.target;
  const { name, docker, hosts, keyStore } = environment;
  if (into.writeEnvironmentFile) say(`it is restored as ${file}`);
  for (const warning of staleness(bundle, state)) warn(warning);
  pinEngines(environment);
  if (hosts === undefined) requireReachablePorts(environment, resolveEngine(docker, process.env));
  mkdirSync(state.root, { recursive: true, mode: 0o700 });
  const restore = async (): Promise<void> => {
    requireHarmlessVaultVariables(keyStore, process.env);
    await showSteps(restoreToolchain(environment), signal);
    const met = await meetEngines(into.target, values.engine, warn);
    const around = surroundingsOf(into, { name: ENVIRONMENT_LABEL, value: name });
    const plan = await planRestore(bundle, into, values.replace, around, names(values['without-keys']));
    await withStateToCome(plan, (loaded) => showSteps(restorePreflight(loaded, bundle), signal, { plain }));
    const steps = await restoreSteps(plan, deployOf(into.target, plain), met, describePlace(place));
    await showSteps(steps, signal, { plain });
  };
  try {
    // the first one is beside the folder, which may be renamed
    await withLock(`${state.root}.restore-lock`, `restoring ${name}`, () =>
      withLock(state.lock, `restoring ${name}`, restore),
    );
  } finally {
    removeEmptyStateFolder(state);
  }
  await showSummary(into.target, values.json ?? false);
});

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

function warn(warning: string): void {
  say(`warning: ${warning}`);
}

/** A list with commas. */
function names(list = ''): string[] {
  return list.split(',').filter((name) => name !== '');
}
