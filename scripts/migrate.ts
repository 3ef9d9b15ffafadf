/** `./scripts/migrate`: moves the master keys of an environment to another key store. The data stays where it is. */
import { rmSync } from 'node:fs';
import path from 'node:path';
import { requireIntactState } from '../operations/state/intact-state';
import { vaultVariables } from '../config/vault/external-vault';
import { declaredPlace, describePlace, type KeyStorePlace, samePlace } from '../config/keys/key-store-place';
import { MIGRATION_VARIABLE, readKeyStoreNote } from '../operations/state/notes/key-store-note';
import { requireSameSeal } from '../operations/state/notes/seal-note';
import { pinEngines } from '../config/docker/docker-engine';
import { type LoadedEnvironment, loadEnvironment } from '../operations/state/load';
import { requireOneHost } from '../operations/state/one-host';
import { requireOwnEngine } from '../operations/docker/engine/engine-identity';
import { CommandError } from '../operations/lib/command';
import { ExternalError, UsageError } from '../operations/lib/errors';
import { withDeploymentLock } from '../operations/state/deployment-lock';
import { requireNoOtherKeys, requireReadableKeys } from '../operations/keys/migrate/copy-keys';
import { forgetSource } from '../operations/keys/migrate/forget-source';
import { type Migration, moveKeys } from '../operations/keys/migrate/move-keys';
import { requirePossible, requireSameEnvironment } from '../operations/keys/migrate/require-possible';
import { providerCache, thisTerraform } from '../operations/terraform/terraform';
import { prepareToolchain, toolchainRequest } from '../operations/toolchain/prepare';
import type { Step } from '../operations/lib/step';
import { proveDeployedKeys } from '../operations/keys/verify-master-keys';
import { adoptingDeploy } from './lib/adopting-deploy';
import { EXIT_CODES_HELP, main, parseCommandLine } from './lib/command-line';
import { deployStep } from './lib/deploy';
import { warnOfBackupCoverage } from './lib/backup-coverage';
import { keyStoreSteps } from '../operations/keys/key-store-steps';
import { portsStep } from '../operations/docker/ports-step';
import { showSteps } from './lib/progress';
import { orphansStep } from '../operations/docker/orphans-step';
import { howToUnlock } from '../operations/terraform/state-lock';
import { synthesize } from './lib/synthesize';
import { turnStep } from '../operations/terraform/turn-step';

const HELP = `Usage: ./scripts/migrate [environment] --to FILE [--verbose]

Copies the master keys of a deployed environment to another key store and deploys it with that. Objects stay where they
are; requests wait or fail for the seconds in which KES goes over. Nothing is deleted at the old place. A key that exists
at the new one is never overwritten: if it is another, its canary says so before anything uses it.

  environment   as it is deployed: a name in environments/ or the path of a YAML file (default: EBS_ENVIRONMENT, else local)
  --to          the environment file as it shall become: of the same name, with another keyStore
  --verbose     show everything that Terraform says
  -h, --help    this text

Interrupt it anywhere and run it again; until it is done, nothing else deploys this environment. The new place, and what
is left at the old one, go to stdout, progress to stderr.

${EXIT_CODES_HELP}
`;

void main(async (args, signal) => {
  const { values, positionals } = parseCommandLine('migrate', args, {
    to: { type: 'string' },
    verbose: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  if (values.to === undefined)
    throw new UsageError('--to must name the environment file as it shall become, got nothing');
  const source = loadEnvironment(positionals[0]);
  const target = loadEnvironment(values.to);
  const { state } = source;
  const verbose = values.verbose ?? false;
  requireSameEnvironment(source, target);
  requireOneHost(source.environment, './scripts/migrate');
  requireIntactState(source.environment.name, state);
  pinEngines(source.environment);
  await requireOwnEngine(source);
  const variables = vaultVariables(process.env);
  const from = declaredPlace(source.environment, variables);
  const to = declaredPlace(target.environment, variables);

  await withDeploymentLock(state, `moving the master keys of ${source.environment.name}`, async () => {
    const note = readKeyStoreNote(state);
    if (note !== undefined && note.migration === undefined && samePlace(note.place, to)) {
      process.stderr.write(`the master keys are already in ${describePlace(to)}\n`);
      // the end of a migration may have been interrupted
      rmSync(state.secret.migrationSource, { force: true });
      const { prerequisites, engine, builds } = toolchainOf(target);
      const again = [prerequisites, engine, orphansStep(target), provenStep('Master keys', target), ...builds];
      await showSteps([...again, ...(await adoptingDeploy(target, verbose))], signal, { plain: verbose });
      return;
    }
    requirePossible(source, note, from, to);
    requireSameSeal(target.environment, state);
    process.env[MIGRATION_VARIABLE] = '1';
    await showSteps(await steps({ source, target, from, to }, verbose), signal, { plain: verbose });
    process.stdout.write(whatIsLeft(target, from, to));
  });
  warnOfBackupCoverage(target);
});

async function steps(migration: Migration, verbose: boolean): Promise<Step[]> {
  const { source, target } = migration;
  const { state, environment } = target;
  const interrupted = readKeyStoreNote(state)?.migration;
  const { prerequisites, engine, builds } = toolchainOf(target);
  return [
    prerequisites,
    engine,
    orphansStep(interrupted?.sourceForgotten === true ? target : source),
    portsStep(target),
    ...keyStoreSteps(target, []),
    // a run that was killed has proven them, and KES may be away since; the copy proves each once more
    ...(interrupted === undefined
      ? [provenStep('Master keys', source), { title: 'Keys of the old place', run: () => requireReadableKeys(source) }]
      : []),
    { title: 'Keys of the new place', run: () => requireNoOtherKeys(target) },
    ...builds,
    turnStep(target),
    ...moveKeys(migration, {
      forget: async ({ onlyMount, signal }) => {
        synthesize(source, state.cdktfOut);
        const forgotten = forgetSource({
          source,
          folder: path.join(state.cdktfOut, 'stacks', `${environment.name}-keystore`),
          terraform: thisTerraform(signal, { EBS_ENVIRONMENT: source.file, ...providerCache() }),
          onlyMount,
        });
        return forgotten.catch((error: unknown) => {
          if (!(error instanceof CommandError)) throw error;
          throw new ExternalError(
            `Terraform cannot forget the old place: ${error.describe()}`,
            howToUnlock(environment, error.tail) ?? 'correct what it names, and run this again',
            { cause: error },
          );
        });
      },
      keyStore: await adoptingDeploy(target, verbose, { to: 'keystore' }),
      deploy: (range) => deployStep(target, verbose, range),
      prove: () => proveDeployedKeys(environment, state),
    }),
  ];
}

function toolchainOf({ environment }: LoadedEnvironment): ReturnType<typeof prepareToolchain> {
  return prepareToolchain(toolchainRequest(environment));
}

function provenStep(title: string, { environment, state }: LoadedEnvironment): Step {
  return { title, run: () => proveDeployedKeys(environment, state) };
}

function whatIsLeft({ file }: LoadedEnvironment, from: KeyStorePlace, to: KeyStorePlace): string {
  return `The master keys are in ${describePlace(to)}. Deploy with ${file} from now on.

They are still in ${describePlace(from)}, too: nothing was deleted there. Keep it until backups are made
of the new place, then remove it by hand; docs/key-stores.md says how.
`;
}
