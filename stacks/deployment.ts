import type { Environment } from '../config/environment';
import type { VaultVariables } from '../config/external-vault';
import type { StateLayout } from '../config/state';
import type { Toolchain } from '../config/toolchain';
import type { ImageSource } from '../constructs/docker';
import type { OperationRunner } from '../constructs/operation';
import { UsageError } from '../operations/errors';

/** Everything that the stacks of one environment have in common. */
export interface Deployment {
  readonly environment: Environment;
  /** Absolute path of the environment file. */
  readonly environmentFile: string;
  readonly state: StateLayout;
  readonly toolchain: Toolchain;
  readonly runner: OperationRunner;
  /** The external Vault as `VAULT_ADDR` and its kin describe it; the environment file wins. */
  readonly vaultVariables: VaultVariables;
}

/** Names of what an environment has on a Docker host and in Vault: one place, so that they never differ. */
export function namesOf(environment: Environment): {
  readonly prefix: string;
  readonly network: string;
  readonly dataVolume: string;
  readonly kesPolicy: string;
  readonly kesRole: string;
  readonly provisionerPolicy: string;
  readonly keyPrefix: string;
} {
  const prefix = `ebs-${environment.name}`;
  return {
    prefix,
    network: prefix,
    dataVolume: `${prefix}-minio-data`,
    kesPolicy: `${prefix}-kes`,
    kesRole: `${prefix}-kes`,
    provisionerPolicy: `${prefix}-provisioner`,
    keyPrefix: environment.keyStore.prefix ?? environment.name,
  };
}

/** The programs of the deployment. */
export type Program = 'vault' | 'kes' | 'minio';

/** Where a program is in its image: ours, and those that HashiCorp and MinIO publish. */
const PROGRAM_PATHS = {
  build: { vault: '/usr/bin/vault', kes: '/usr/bin/kes', minio: '/usr/bin/minio', mc: '/usr/bin/mc' },
  registry: { vault: '/bin/vault', kes: '/kes', minio: '/usr/bin/minio', mc: '/usr/bin/mc' },
} as const;

/** Path of a program in its image. */
export function programPath(environment: Environment, program: Program | 'mc'): string {
  return PROGRAM_PATHS[environment.images.source][program];
}

/**
 * Where the image of a program comes from.
 *
 * @throws UsageError if images are to be built and the toolchain step has not run
 */
export function imageSource({ environment, toolchain }: Deployment, program: Program): ImageSource {
  if (environment.images.source === 'registry') return { kind: 'registry', reference: environment.images[program] };
  if (toolchain.images === undefined) {
    throw new UsageError(
      'the images of this environment are to be built, but nothing was built yet',
      'run ./scripts/toolchain (./scripts/up does it, too)',
    );
  }
  return { kind: 'build', repository: `encrypted-backup-storage/${program}`, ...toolchain.images[program] };
}
