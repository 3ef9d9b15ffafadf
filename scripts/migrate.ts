/** `./scripts/migrate`: moves the master keys of an environment to another key store. The data stays where it is. */
import type { S3Client } from '@aws-sdk/client-s3';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { ENVIRONMENT_LABEL, KES_ALIAS, MINIO_ALIAS, namesOf } from '../config/deployment-names';
import { requireIntactState } from '../operations/state/intact-state';
import { vaultVariables } from '../config/external-vault';
import {
  declaredPlace,
  describePlace,
  inSameVault,
  type KeyStorePlace,
  MIGRATION_VARIABLE,
  readKeyStoreNote,
  samePlace,
  writeKeyStoreNote,
} from '../config/key-store-place';
import { pinEngine } from '../config/docker-engine';
import { type LoadedEnvironment, loadEnvironment } from '../config/load';
import { readToolchain } from '../config/toolchain';
import { programPaths } from '../config/program-paths';
import { imageReference } from '../constructs/docker';
import { dockerEngine } from '../operations/docker/docker';
import { requireOwnEngine } from '../operations/docker/engine-identity';
import { UsageError } from '../operations/lib/errors';
import { writeFileAtomically } from '../operations/lib/files';
import { withDeploymentLock } from '../operations/state/deployment-lock';
import { copyKeys, type Migration, proveKeysInTarget, requireNoOtherKeys } from '../operations/keys/migrate/copy-keys';
import { forgetSource, hasForgottenSource } from '../operations/keys/migrate/forget-source';
import { requirePossible, requireSameEnvironment } from '../operations/keys/migrate/require-possible';
import { requireSame, type Sample, takeSamples } from '../operations/keys/migrate/samples';
import { openS3 } from '../operations/minio/s3-client';
import { dockerResourcesOf } from '../operations/docker/tear-down';
import { prepareToolchain } from '../operations/toolchain/prepare';
import type { Step } from '../operations/lib/step';
import { proveDeployedKeys } from '../operations/keys/verify-master-keys';
import { imageSource } from '../stacks/deployment';
import { adoptingDeploy } from './lib/adopting-deploy';
import { EXIT_CODES_HELP, main, parseCommandLine } from './lib/command-line';
import { deployStep } from './lib/deploy';
import { warnOfBackupCoverage } from './lib/backup-coverage';
import { keyStoreSteps } from './lib/key-store-steps';
import { portsStep } from './lib/ports-step';
import { showSteps } from './lib/progress';
import { orphansStep } from './lib/orphans-step';
import { turnStep } from './lib/turn-step';

const HELP = `Usage: ./scripts/migrate [environment] --to FILE [--verbose]

Moves the master keys of a deployed environment to another key store and deploys it with that. Objects stay where they
are and can be read and written all the time. Nothing is deleted at the old place, and a key that exists at the new one
is never overwritten: if it is another, its canary says so before anything uses it.

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
  requireIntactState(source.environment.name, state);
  pinEngine(source.environment.docker);
  await requireOwnEngine(source);
  const variables = vaultVariables(process.env);
  const from = declaredPlace(source.environment, variables);
  const to = declaredPlace(target.environment, variables);

  await withDeploymentLock(state, `moving the master keys of ${source.environment.name}`, async () => {
    const note = readKeyStoreNote(state);
    if (note !== undefined && note.migration === undefined && samePlace(note.place, to)) {
      process.stderr.write(`the master keys are already in ${describePlace(to)}\n`);
      // the last deploy of a migration may have been interrupted
      const { prerequisites, engine, builds } = toolchainOf(target);
      const again = [prerequisites, engine, orphansStep(target), provenStep('Master keys', target), ...builds];
      await showSteps([...again, ...(await adoptingDeploy(target, verbose))], signal, { plain: verbose });
      return;
    }
    requirePossible(source, note, from, to);
    const migration: Migration = {
      source,
      target,
      owner: { name: ENVIRONMENT_LABEL, value: source.environment.name },
      variables,
      program: programPaths(target.environment).kes,
      image: () => imageReference(imageSource({ environment: target.environment, toolchain: readToolchain() }, 'kes')),
    };
    process.env[MIGRATION_VARIABLE] = '1';
    await showSteps(await steps(migration, from, to, verbose), signal, { plain: verbose });
    process.stdout.write(whatIsLeft(target, from, to));
  });
  warnOfBackupCoverage(target);
});

/** In this order, so that KES goes over to the new place only when every key is proven there. */
async function steps(migration: Migration, from: KeyStorePlace, to: KeyStorePlace, verbose: boolean): Promise<Step[]> {
  const { source, target } = migration;
  const { state, environment } = target;
  const sameVault = inSameVault(from, to);
  const forgotten = await hasForgottenSource(source, sameVault);
  const noteForgotten = (): void => {
    writeKeyStoreNote(state.keyStore, from, { to, sourceForgotten: true });
  };
  const interrupted = readKeyStoreNote(state)?.migration !== undefined;
  let before: readonly Sample[] = [];
  const { prerequisites, engine, builds } = toolchainOf(target);
  const detachSource: Step[] = [
    {
      title: 'Way back in',
      run: async () => {
        // until the end, KES reads the old place with it
        if (!existsSync(state.secret.migrationSource)) {
          writeFileAtomically(state.secret.migrationSource, readFileSync(state.secret.kesConfiguration));
        }
        writeKeyStoreNote(state.keyStore, from, { to, sourceForgotten: false });
        return Promise.resolve('the login of KES at the old place is kept until the end');
      },
    },
    ...(await adoptingDeploy(source, verbose, { from: 'keystore', to: 'keystore' })),
    {
      title: 'Old place',
      run: async ({ signal }) => {
        const count = await forgetSource({
          folder: path.join(state.cdktfOut, 'stacks', `${environment.name}-keystore`),
          logFile: path.join(state.logs, 'deploy.log'),
          onlyMount: sameVault,
          signal,
        });
        noteForgotten();
        return `Terraform leaves ${count} resources alone from now on`;
      },
    },
  ];
  const alreadyOut: Step = {
    title: 'Old place',
    run: async () => {
      // an earlier run may have been killed before it could
      noteForgotten();
      return Promise.resolve('Terraform leaves it alone already');
    },
  };
  return [
    prerequisites,
    engine,
    // whose mounts the state of the key store names
    orphansStep(forgotten ? target : source),
    portsStep(target),
    ...keyStoreSteps(target, []),
    {
      title: 'Master keys',
      run: async () =>
        interrupted && (await lacks(source, KES_ALIAS))
          ? NOT_THERE
          : proveDeployedKeys(source.environment, source.state),
    },
    { title: 'Keys of the new place', run: () => requireNoOtherKeys(migration) },
    {
      title: 'Sample of objects',
      run: async () => {
        if (interrupted && (await lacks(source, KES_ALIAS, MINIO_ALIAS))) return NOT_THERE;
        before = await withS3(source, takeSamples);
        return `${before.length} read`;
      },
    },
    ...builds,
    turnStep(target),
    ...(forgotten ? [alreadyOut] : detachSource),
    ...(await adoptingDeploy(target, verbose, { to: 'keystore' })),
    { title: 'Copy', run: () => copyKeys(migration) },
    { title: 'Proof', run: () => proveKeysInTarget(migration) },
    // in one Vault the checks come after what KES was allowed for the way is taken back
    deployStep(target, verbose, sameVault ? { from: 'kes', to: 'kes' } : { from: 'kes' }),
    provenStep('Master keys after the deploy', target),
    { title: 'The same objects', run: () => withS3(target, (s3) => requireSame(s3, before)) },
    {
      title: 'New place',
      run: async () => {
        writeKeyStoreNote(state.keyStore, to);
        rmSync(state.secret.migrationSource, { force: true });
        return Promise.resolve(describePlace(to));
      },
    },
    ...(sameVault ? [deployStep(target, verbose, { from: 'keystore' })] : []),
  ];
}

function toolchainOf({ environment }: LoadedEnvironment): ReturnType<typeof prepareToolchain> {
  return prepareToolchain({ images: environment.images.source, providers: environment.providers });
}

/** Said of a run that was killed before: the keys are proven at the new place, as always. */
const NOT_THERE = 'what would open them is not there, as after a kill; the deploys make it again';

/** Whether a service is not there: it was made when a run was killed, Terraform does not know it, and it was removed. */
async function lacks({ environment }: LoadedEnvironment, ...aliases: string[]): Promise<boolean> {
  const owner = { name: ENVIRONMENT_LABEL, value: environment.name };
  const { containers } = await dockerResourcesOf(dockerEngine(environment.docker), owner);
  const names = containers.map(({ name }) => name);
  return aliases.some((alias) => !names.includes(`${namesOf(environment).prefix}-${alias}`));
}

function provenStep(title: string, { environment, state }: LoadedEnvironment): Step {
  return { title, run: () => proveDeployedKeys(environment, state) };
}

async function withS3<T>(loaded: LoadedEnvironment, act: (s3: S3Client) => Promise<T>): Promise<T> {
  const s3 = openS3(loaded);
  try {
    return await act(s3);
  } finally {
    s3.destroy();
  }
}

function whatIsLeft({ file }: LoadedEnvironment, from: KeyStorePlace, to: KeyStorePlace): string {
  return `The master keys are in ${describePlace(to)}. Deploy with ${file} from now on.

They are still in ${describePlace(from)}, too: nothing was deleted there. Keep it until backups are made
of the new place, then remove it by hand; docs/key-stores.md says how.
`;
}
