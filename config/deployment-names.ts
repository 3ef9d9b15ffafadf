/** Names of what an environment has in Vault, in KES and in MinIO; those of its hosts are in node.ts. */
import type { Environment } from './environment';

/** The label by which a container, volume or network says to which environment it belongs. */
export const ENVIRONMENT_LABEL = 'encrypted-backup-storage.environment';

/** What belongs to one environment in Vault, by its name there. */
export interface VaultNames {
  readonly kesPolicy: string;
  readonly kesRole: string;
  readonly provisionerPolicy: string;
}

export function vaultNames({ name }: Pick<Environment, 'name'>): VaultNames {
  return { kesPolicy: `ebs-${name}-kes`, kesRole: `ebs-${name}-kes`, provisionerPolicy: `ebs-${name}-provisioner` };
}

/** Bucket of the objects that a deploy leaves, to see later whether they still open. */
export const EARLIER_OBJECTS_BUCKET = 'ebs-earlier-objects';

/** Clients of KES: the names of their policies, of their certificates, and of the files of those. */
export const CLIENTS = {
  minio: 'minio',
  keyCreator: 'key-creator',
  keyProver: 'key-prover',
  health: 'health',
} as const;

/** The same of a client of KES that the environment file names. */
export const clientLeaf = (name: string): string => `client-${name}`;
