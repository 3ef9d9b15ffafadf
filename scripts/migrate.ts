/** `./scripts/migrate`: moves the master keys of an environment to another key store. The data stays where it is. */
import { copyFileSync, existsSync, rmSync } from 'node:fs';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { ENVIRONMENT_LABEL } from '../config/deployment-names';
import { requireIntactState } from '../config/intact-state';
import { masterKeys, reachableAddress } from '../config/environment';
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
import { type LoadedEnvironment, loadEnvironment } from '../config/load';

import { ExternalError, UsageError } from '../operations/errors';
import { withLock } from '../operations/lock';
import { copyKeys, type Migration, proveKeysInTarget } from '../operations/migrate/copy-keys';
import { forgetSource } from '../operations/migrate/forget-source';
import { differing, type Samples, takeSamples } from '../operations/migrate/samples';
import { readCredentials, s3Client } from '../operations/s3-client';
import { prepareToolchain } from '../operations/toolchain/prepare';
import type { Step } from '../operations/toolchain/step';
import { proveDeployedKeys } from '../operations/verify-master-keys';
import { PROGRAM_PATHS } from '../stacks/deployment';
import { EXIT_CODES_HELP, main, parseCommandLine } from './lib/command-line';
import { deployStep } from './lib/deploy';
import { keyStoreSteps } from './lib/key-store-steps';
import { showSteps } from './lib/progress';

const HELP = `Usage: ./scripts/migrate [environment] --to FILE [--verbose]

Moves the master keys of a deployed environment to another key store and deploys it with that. Objects stay where they
are and can be read and written all the time. Nothing is deleted at the old place, and a key that exists at the new one
is never overwritten: if it is another, its canary says so before anything uses it.

  environment   as it is deployed: a name in environments/ or the path of a YAML file (default: EBS_ENVIRONMENT, else local)
  --to          the environment file as it shall become: of the same name, with another keyStore
  --verbose     show everything that cdktf prints
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
  requireSameEnvironment(source, target);
  requireIntactState(source.environment.name, state);
  if (source.environment.docker.host !== undefined) process.env.DOCKER_HOST = source.environment.docker.host;
  const variables = vaultVariables(process.env);
  const from = declaredPlace(source.environment, variables);
  const to = declaredPlace(target.environment, variables);

  await withLock(state.lock, `moving the master keys of ${source.environment.name}`, async () => {
    const note = readKeyStoreNote(state);
    if (note !== undefined && note.migration === undefined && samePlace(note.place, to)) {
      process.stderr.write(`the master keys are already in ${describePlace(to)}\n`);
      await showSteps([provenStep('Master keys', target)], signal);
      return;
    }
    requirePossible(source.environment.name, note, from, to);
    const migration: Migration = {
      source,
      target,
      owner: { name: ENVIRONMENT_LABEL, value: source.environment.name },
      variables,
      program: PROGRAM_PATHS.kes,
    };
    process.env[MIGRATION_VARIABLE] = '1';
    await showSteps(steps(migration, from, to, values.verbose ?? false), signal, { plain: values.verbose ?? false });
  });
  process.stdout.write(whatIsLeft(target, from, to));
});

/** In this order, so that KES goes over to the new place only when every key is proven there. */
function steps(migration: Migration, from: KeyStorePlace, to: KeyStorePlace, verbose: boolean): Step[] {
  const { source, target } = migration;
  const { state, environment } = target;
  const sameVault = inSameVault(from, to);
  const forgotten = readKeyStoreNote(state)?.migration?.sourceForgotten === true;
  const declaring = ({ environment: { vault } }: LoadedEnvironment): string[] => [
    'foundation',
    ...(vault.mode === 'embedded' ? ['vault'] : []),
    'keystore',
  ];
  let before: Samples = {};
  const { prerequisites, engine, builds } = prepareToolchain({
    images: environment.images.source,
    providers: environment.providers,
  });
  const letOut: Step[] = [
    {
      title: 'Way back in',
      run: async () => {
        // until the end, KES reads the old place with it
        if (!existsSync(state.secret.migrationSource)) {
          copyFileSync(state.secret.kesConfiguration, state.secret.migrationSource);
        }
        writeKeyStoreNote(state.keyStore, from, { to, sourceForgotten: false });
        return Promise.resolve('the login of KES at the old place is kept until the end');
      },
    },
    deployStep(source, verbose, declaring(source)),
    {
      title: 'Old place',
      run: async ({ signal }) => {
        const count = await forgetSource({
          folder: path.join(state.cdktfOut, 'stacks', `${environment.name}-keystore`),
          logFile: path.join(state.logs, 'deploy.log'),
          onlyMount: sameVault,
          signal,
        });
        writeKeyStoreNote(state.keyStore, from, { to, sourceForgotten: true });
        return `Terraform leaves ${count} resources alone from now on`;
      },
    },
  ];
  return [
    prerequisites,
    engine,
    ...keyStoreSteps(target, []),
    provenStep('Master keys', source),
    {
      title: 'Sample of objects',
      run: async () => {
        before = await samples(source);
        return `${Object.keys(before).length} read`;
      },
    },
    ...builds,
    ...(forgotten ? [] : letOut),
    deployStep(target, verbose, declaring(target)),
    { title: 'Copy', run: () => copyKeys(migration) },
    { title: 'Proof', run: () => proveKeysInTarget(migration) },
    // in one Vault the checks come after what KES was allowed for the way is taken back
    deployStep(target, verbose, sameVault ? [...declaring(target), 'kes'] : []),
    provenStep('Master keys after the deploy', target),
    {
      title: 'The same objects',
      run: async () => {
        const broken = differing(before, await samples(target));
        if (broken.length > 0) {
          throw new ExternalError(
            `${broken.join(', ')} cannot be read as before`,
            'the keys open their canaries, so this is something else: look at the log of MinIO',
          );
        }
        return `${Object.keys(before).length} read as before`;
      },
    },
    {
      title: 'New place',
      run: async () => {
        writeKeyStoreNote(state.keyStore, to);
        rmSync(state.secret.migrationSource, { force: true });
        return Promise.resolve(describePlace(to));
      },
    },
    ...(sameVault ? [deployStep(target, verbose)] : []),
  ];
}

function provenStep(title: string, { environment, state }: LoadedEnvironment): Step {
  return { title, run: () => proveDeployedKeys(environment, state) };
}

async function samples({ environment, state }: LoadedEnvironment): Promise<Samples> {
  const s3 = s3Client({
    endpoint: {
      url: `https://${reachableAddress(environment)}:${environment.minio.port}`,
      caFile: state.caCertificate,
    },
    region: environment.minio.region,
    credentials: readCredentials(state.secret.minioRoot),
  });
  try {
    return await takeSamples(s3);
  } finally {
    s3.destroy();
  }
}

/** Only the way to the keys may differ: everything else is for a deploy, before or after. */
function requireSameEnvironment(source: LoadedEnvironment, target: LoadedEnvironment): void {
  const rest = ({ environment }: LoadedEnvironment) => ({ ...environment, keyStore: undefined, vault: undefined });
  const one = rest(source);
  const other = rest(target);
  const different = Object.keys({ ...one, ...other }).filter(
    (setting) => !isDeepStrictEqual(one[setting as keyof typeof one], other[setting as keyof typeof other]),
  );
  if (different.length > 0) {
    throw new UsageError(
      `--to: ${target.file} must differ from ${source.file} in keyStore and vault only, got other ${different.join(', ')}`,
      'change the rest by ./scripts/up, before or after',
    );
  }
  if (masterKeys(source.environment).length === 0) throw new Error('an environment without master keys');
}

function requirePossible(
  name: string,
  note: ReturnType<typeof readKeyStoreNote>,
  from: KeyStorePlace,
  to: KeyStorePlace,
): void {
  if (note === undefined) {
    throw new UsageError(`environment ${name} is not deployed, so there are no keys to move`, `./scripts/up ${name}`);
  }
  if (!samePlace(note.place, from)) {
    throw new UsageError(
      `keyStore: environment ${name} keeps its master keys in ${describePlace(note.place)}, got: ${describePlace(from)}`,
      'name the environment file with which it was deployed',
    );
  }
  if (samePlace(from, to)) {
    throw new UsageError(`--to: must name another key store, got: ${describePlace(to)}`, 'change its keyStore');
  }
  if (note.migration !== undefined && !samePlace(note.migration.to, to)) {
    throw new UsageError(
      `the master keys are on their way to ${describePlace(note.migration.to)}, got: ${describePlace(to)}`,
      'finish that first',
    );
  }
  if (from.type === 'vault' && to.type === 'vault' && inSameVault(from, to) && from.mount === to.mount) {
    throw new UsageError(
      `--to: keyStore.mount must be another one in the same Vault, got: ${to.mount}`,
      'a mount has one version of KV, and one that keys were moved out of can be removed as a whole',
    );
  }
}

function whatIsLeft({ file }: LoadedEnvironment, from: KeyStorePlace, to: KeyStorePlace): string {
  return `The master keys are in ${describePlace(to)}. Deploy with ${file} from now on.

They are still in ${describePlace(from)}, too: nothing was deleted there. Keep it until backups are made
of the new place, then remove it by hand; docs/key-stores.md says how.
`;
}
