/** `./scripts/migrate`: moves the master keys of an environment to another key store. The data stays where it is. */
import { rmSync } from 'node:fs';
import { pinEngines } from '../config/docker/docker-engine';
import { declaredPlace, describePlace, type KeyStorePlace, samePlace } from '../config/keys/key-store-place';
import { vaultVariables } from '../config/vault/external-vault';
import { requireOwnEngine } from '../operations/docker/engine/engine-identity';
import { requireEveryHost } from '../operations/docker/hosts/hosts-step';
import { requireSameVaults } from '../operations/docker/hosts/same-vaults';
import { migratedSteps, migrationSteps } from '../operations/keys/migrate/migration-steps';
import { requirePossible, requireSameEnvironment } from '../operations/keys/migrate/require-possible';
import { UsageError } from '../operations/lib/errors';
import { withDeploymentLock } from '../operations/state/deployment-lock';
import { requireIntactState } from '../operations/state/intact-state';
import { type LoadedEnvironment, loadEnvironment } from '../operations/state/load';
import { MIGRATION_VARIABLE, readKeyStoreNote } from '../operations/state/notes/key-store-note';
import { requireSameSeal } from '../operations/state/notes/seal-note';
import { warnOfBackupCoverage } from './lib/backup-coverage';
import { command, EXIT_CODES_HELP, FLAG, TEXT } from './lib/command-line';
import { deployOf } from './lib/deploy';
import { showSteps } from './lib/progress';
import { synthesize } from './lib/synthesize';

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

const OPTIONS = { to: TEXT, verbose: FLAG };

void command('migrate', HELP, OPTIONS, async ({ values, positionals, signal }) => {
  if (values.to === undefined)
    throw new UsageError('--to must name the environment file as it shall become, got nothing');
  const source = loadEnvironment(positionals[0]);
  const target = loadEnvironment(values.to);
  const { state } = source;
  const plain = values.verbose ?? false;
  requireSameEnvironment(source, target);
  requireIntactState(source.environment.name, state);
  pinEngines(source.environment);
  if (source.environment.hosts === undefined) await requireOwnEngine(source);
  else await requireEveryHost(source, './scripts/migrate');
  const variables = vaultVariables(process.env);
  const from = declaredPlace(source.environment, variables);
  const to = declaredPlace(target.environment, variables);
  const deploy = deployOf(target, plain);

  await withDeploymentLock(state, `moving the master keys of ${source.environment.name}`, async () => {
    const note = readKeyStoreNote(state);
    if (note !== undefined && note.migration === undefined && samePlace(note.place, to)) {
      process.stderr.write(`the master keys are already in ${describePlace(to)}\n`);
      rmSync(state.secret.migrationSource, { force: true });
      await showSteps(await migratedSteps(target, deploy), signal, { plain });
      return;
    }
    requirePossible(source, note, from, to);
    requireSameSeal(target.environment, state);
    await requireSameVaults(target);
    process.env[MIGRATION_VARIABLE] = '1';
    const steps = await migrationSteps({ source, target, from, to }, deploy, synthesize);
    await showSteps(steps, signal, { plain });
    process.stdout.write(whatIsLeft(target, from, to));
  });
  warnOfBackupCoverage(target);
});

function whatIsLeft({ file }: LoadedEnvironment, from: KeyStorePlace, to: KeyStorePlace): string {
  return `The master keys are in ${describePlace(to)}. Deploy with ${file} from now on.

They are still in ${describePlace(from)}, too: nothing was deleted there. Keep it until backups are made
of the new place, then remove it by hand; docs/key-stores.md says how.
`;
}
