/** Names of what an environment has on a Docker host and in Vault: one place, so that they never differ. */
import type { Environment } from './environment';

/** The label by which a container, volume or network says to which environment it belongs. */
export const ENVIRONMENT_LABEL = 'encrypted-backup-storage.environment';

/** What belongs to one environment, by its name there. */
export interface DeploymentNames {
  /** Containers are `<prefix>-<alias>`. */
  readonly prefix: string;
  /** MinIO and KES are in it. */
  readonly network: string;
  /** An embedded Vault, its unsealer and KES are in it, and nothing else: MinIO cannot reach Vault. */
  readonly vaultNetwork: string;
  readonly dataVolume: string;
  /** What MinIO reads, its certificates among it. */
  readonly minioFiles: string;
  readonly kesPolicy: string;
  readonly kesRole: string;
  readonly provisionerPolicy: string;
  /** Master keys as files, with `keyStore.type: filesystem`. */
  readonly keyVolume: string;
}

export function namesOf(environment: Environment): DeploymentNames {
  const prefix = `ebs-${environment.name}`;
  const { tls } = environment;
  const publicCertificates = tls.mode === 'self-signed' ? 0 : 1 + tls.additional.length;
  return {
    prefix,
    network: prefix,
    vaultNetwork: `${prefix}-${VAULT_ALIAS}`,
    dataVolume: `${prefix}-minio-data`,
    // MinIO looks for certificates when it starts, and a volume keeps what was once in it: others are another volume
    minioFiles: `${prefix}-minio${publicCertificates === 0 ? '' : `-${publicCertificates}-certificates`}-files`,
    kesPolicy: `${prefix}-kes`,
    kesRole: `${prefix}-kes`,
    provisionerPolicy: `${prefix}-provisioner`,
    keyVolume: `${prefix}-kes-keys`,
  };
}

/** Bucket of the objects that a deploy leaves, to see later whether they still open. */
export const EARLIER_OBJECTS_BUCKET = 'ebs-earlier-objects';

/** How the services find each other in the networks of their environment. */
export const VAULT_ALIAS = 'vault';
export const KES_ALIAS = 'kes';
export const MINIO_ALIAS = 'minio';

/** Their ports there. */
export const VAULT_PORT = 8200;
export const KES_PORT = 7373;
export const MINIO_PORT = 9000;

/** Names of the certificates, which are also the names of their files. */
export const LEAVES = {
  vault: 'vault-server',
  kes: 'kes-server',
  minio: 'minio-server',
  /** Clients of KES: the names of their policies. */
  minioClient: 'minio',
  keyCreator: 'key-creator',
  keyProver: 'key-prover',
  health: 'health',
} as const;

/** The same of a client of KES that the environment file names. */
export const clientLeaf = (name: string): string => `client-${name}`;
