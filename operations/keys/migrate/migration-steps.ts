/** What a migration does, with what is asked before and after {@link moveKeys}. */
import path from 'node:path';
import { orphansStep } from '../../docker/orphans-step';
import { portsStep } from '../../docker/ports-step';
import { CommandError } from '../../lib/command';
import { ExternalError } from '../../lib/errors';
import type { Step } from '../../lib/step';
import type { LoadedEnvironment } from '../../state/load';
import { readKeyStoreNote } from '../../state/notes/key-store-note';
import { adoptingDeploy } from '../../terraform/adopting-deploy';
import type { Deploy, Synthesize } from '../../terraform/deploy-step';
import { howToUnlock } from '../../terraform/state-lock';
import { providerCache, thisTerraform } from '../../terraform/terraform';
import { turnStep } from '../../terraform/turn-step';
import { prepareToolchain, toolchainRequest } from '../../toolchain/prepare';
import { keyStoreSteps } from '../key-store-steps';
import { proveDeployedKeys } from '../verify-master-keys';
import { requireNoOtherKeys, requireReadableKeys } from './copy-keys';
import { forgetSource } from './forget-source';
import { leavesBalancedVaults, type Migration, moveKeys } from './move-keys';

/** Where the keys are in the new place already: the end of a migration may have been interrupted. */
export async function migratedSteps(target: LoadedEnvironment, deploy: Deploy): Promise<Step[]> {
  const { prerequisites, engine, builds } = toolchainOf(target);
  return [
    prerequisites,
    ...engine,
    orphansStep(target),
    provenStep('Master keys', target),
    ...builds,
    ...(await adoptingDeploy(target, deploy)),
  ];
}

/** @param deploy deploys the target */
export async function migrationSteps(migration: Migration, deploy: Deploy, synthesize: Synthesize): Promise<Step[]> {
  const { source, target } = migration;
  const { state, environment } = target;
  const interrupted = readKeyStoreNote(state)?.migration;
  const { prerequisites, engine, builds } = toolchainOf(target);
  return [
    prerequisites,
    ...engine,
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
      keyStore: leavesBalancedVaults(migration)
        ? [
            deploy({ to: 'foundation' }),
            ...(await adoptingDeploy(target, deploy, { from: 'keystore', to: 'keystore' })),
          ]
        : await adoptingDeploy(target, deploy, { to: 'keystore' }),
      deploy,
      prove: () => proveDeployedKeys(environment, state),
    }),
  ];
}

function toolchainOf({ environment }: LoadedEnvironment) {
  const { engine, ...others } = prepareToolchain(toolchainRequest(environment));
  // each of several hosts names its engine
  return { ...others, engine: environment.hosts === undefined ? [engine] : [] };
}

function provenStep(title: string, { environment, state }: LoadedEnvironment): Step {
  return { title, run: () => proveDeployedKeys(environment, state) };
}
