/** What a restore does, in its order: {@link planRestore} says why it is that. */
import { rm } from 'node:fs/promises';
import { ENVIRONMENT_LABEL } from '../../../config/deployment-names';
import { resolveEngine } from '../../../config/docker/docker-engine';
import { nodesOf, onHost } from '../../../config/node';
import { certificatesStep } from '../../certificates/certificates-step';
import { dockerEngine } from '../../docker/docker';
import { meetEngine, rememberEngine, requireOwnEngine } from '../../docker/engine/engine-identity';
import { requireOneHost } from '../../docker/engine/own-engine-step';
import { hostImagesStep } from '../../docker/hosts/host-images-step';
import { HostsHere } from '../../docker/hosts/hosts-here';
import { judgeHosts, meetHosts, type SeenHost } from '../../docker/hosts/hosts-preflight';
import { noteHosts, requireBuildable } from '../../docker/hosts/hosts-step';
import { imagesStep } from '../../docker/images-step';
import { networksStep } from '../../docker/networks-step';
import { orphansStep } from '../../docker/orphans-step';
import { portsStep } from '../../docker/ports-step';
import { hostSteps } from '../../docker/tear-down';
import { keyStoreSteps } from '../../keys/key-store-steps';
import { proveDeployedKeys } from '../../keys/verify-master-keys';
import type { Step } from '../../lib/step';
import { deploymentNoteStep, drivesStep } from '../../minio/drives/drives-step';
import { isLoadedInVault, type LoadedEnvironment } from '../../state/load';
import { adoptKeyStoreStep, mayNeedAdoption } from '../../terraform/adopt-key-store';
import type { Deploy } from '../../terraform/deploy-step';
import { prepareToolchain, toolchainRequest } from '../../toolchain/prepare';
import type { Bundle } from '../bundle/bundle';
import { noteBackup } from '../last-backup';
import { noteMadeDrive, restoreIam, restoreMasterKeys, type RestorePlan, restoreState } from './restore';

/** Looking at what is there needs Docker; a new machine gets it first. */
export function restoreToolchain({ hosts }: LoadedEnvironment['environment']): Step[] {
  const { prerequisites, engine } = prepareToolchain({ images: 'registry', ownEngine: hosts === undefined });
  return hosts === undefined ? [prerequisites, engine] : [prerequisites];
}

/**
 * The engines that the restore is for.
 *
 * @param accepted what `--engine` says
 * @returns the hosts of a deployment that declares some
 * @throws UsageError or ExternalError where one is another than was deployed to, or does not answer
 */
export async function meetEngines(
  target: LoadedEnvironment,
  accepted: string | undefined,
  warn: (warning: string) => void,
): Promise<readonly SeenHost[]> {
  if (target.environment.hosts === undefined) {
    await requireOwnEngine(target, { accepted });
    return [];
  }
  requireOneHost(target.environment, accepted);
  const met = await meetHosts(target.environment);
  for (const warning of judgeHosts(met, 'a restore needs every host').warnings) warn(warning);
  requireBuildable(target, met);
  return met;
}

/** What `up` asks before it deploys; of the ports those count as free that the environment's own containers hold. */
export function restorePreflight(loaded: LoadedEnvironment, { header }: Bundle): Step[] {
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

/**
 * @param met what {@link meetEngines} found
 * @param destination where the backup is, for people
 */
export async function restoreSteps(
  plan: RestorePlan,
  deploy: Deploy,
  met: readonly SeenHost[],
  destination: string,
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
      ? [deploy({ to: 'vault' }), adoptKeyStoreStep(target), deploy({ from: 'keystore', to: 'keystore' })]
      : [deploy({ to: 'keystore' })];
  // from where the configuration of KES is written: the canaries, which are there by now, tell of keys that are retired
  const storage =
    plan.drive === 'empty'
      ? [
          deploy({ from: 'keystore', to: 'minio' }),
          {
            title: 'MinIO',
            run: async () => {
              await noteMadeDrive(plan);
              return restoreIam(plan);
            },
          },
          deploy({ from: 'checks' }),
        ]
      : [deploy({ from: 'keystore' })];
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
