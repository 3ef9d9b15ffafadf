import type { RetiredKeys } from '../config/kes/kes-clients';
import type { EngineAddress } from '../config/docker/docker-engine';
import type { Environment, VaultEnvironment } from '../config/environment';
import { isInVault as hasKeysInVault } from '../config/vault/vault';
import type { KeyLocation } from '../config/vault/vault-policies';
import type { VaultVariables } from '../config/vault/external-vault';
import { registryOf } from '../config/docker/image-registry';
import type { StateLayout } from '../config/state/layout';
import type { Toolchain } from '../config/toolchain';
import type { ImageSource } from '../constructs/docker';
import type { OperationRunner } from '../constructs/operation';
import { UsageError } from '../operations/lib/errors';

/** Everything that the stacks of one environment have in common. */
export interface Deployment<Declared extends Environment = Environment> {
  readonly environment: Declared;
  /** The Docker engine that it is deployed to. */
  readonly engine: EngineAddress;
  /** Absolute path of the environment file. */
  readonly environmentFile: string;
  readonly state: StateLayout;
  readonly toolchain: Toolchain;
  /** Master keys that have a canary and are no longer declared: they stay readable. */
  readonly retiredKeys: RetiredKeys;
  readonly runner: OperationRunner;
  /** The place in this Vault that a migration takes the keys from. @default - none is under way */
  readonly migrationSource?: KeyLocation;
  /** The external Vault as `VAULT_ADDR` and its kin describe it; the environment file wins. */
  readonly vaultVariables: VaultVariables;
}

export type VaultDeployment = Deployment<VaultEnvironment>;

export function isInVault(deployment: Deployment): deployment is VaultDeployment {
  return hasKeysInVault(deployment.environment);
}

/** The programs of the deployment. */
export type Program = 'vault' | 'kes' | 'minio';

/**
 * Where the image of a program comes from.
 *
 * @throws UsageError if images are to be built and the toolchain step has not run
 */
export function imageSource(
  { environment, toolchain }: Pick<Deployment, 'environment' | 'toolchain'>,
  program: Program,
): ImageSource {
  if (environment.images.source === 'registry') {
    const reference = environment.images[program];
    if (reference === undefined) throw new UsageError(`images.${program}: must be given, got nothing`);
    return { kind: 'registry', reference };
  }
  if (toolchain.images === undefined) {
    throw new UsageError(
      'the images of this environment are to be built, but nothing was built yet',
      'run ./scripts/toolchain (./scripts/up does it, too)',
    );
  }
  return { kind: 'build', repository: `encrypted-backup-storage/${program}`, ...toolchain.images[program] };
}

/** The registries from which images are pulled with a login. */
export function registryLogins({ images }: Environment): { address: string; configFile: string }[] {
  if (images.source !== 'registry' || images.dockerConfigFile === undefined) return [];
  const { dockerConfigFile } = images;
  const registries = [images.vault, images.kes, images.minio].flatMap((reference) =>
    reference === undefined ? [] : [registryOf(reference) ?? 'registry-1.docker.io'],
  );
  return [...new Set(registries)].map((address) => ({ address, configFile: dockerConfigFile }));
}
