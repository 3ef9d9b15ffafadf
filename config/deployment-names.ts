/** Names of what an environment has in Vault, in KES and in MinIO; those of its hosts are in node.ts. */
import type { Environment } from './environment';

/** The label by which a container, volume or network says to which environment it belongs. */
export const ENVIRONMENT_LABEL = 'encrypted-backup-storage.environment';

/** What belongs to one environment in Vault, by its name there. */
export interface VaultNames {
  readonly kesPolicy: string;
  readonly kesRole: string;
  readonly provisionerPolicy: string;
  /** Of the token that reads metrics. */
  readonly metricsPolicy: string;
}

export function vaultNames({ name }: Pick<Environment, 'name'>): VaultNames {
  return {
    kesPolicy: `ebs-${name}-kes`,
    kesRole: `ebs-${name}-kes`,
    provisionerPolicy: `ebs-${name}-provisioner`,
    metricsPolicy: `ebs-${name}-metrics`,
  };
}

/** What belongs to one environment in Prometheus and its kin, by its name there. */
export interface MonitoringNames {
  /** Scrape jobs. */
  readonly jobs: Readonly<Record<'vault' | 'kes' | 'minio', string>>;
  readonly ruleGroup: string;
  readonly dashboard: string;
  /** The file for the textfile collector. */
  readonly textfile: string;
}

export function monitoringNames({ name }: Pick<Environment, 'name'>): MonitoringNames {
  const own = `ebs-${name}`;
  return {
    jobs: { vault: `${own}-vault`, kes: `${own}-kes`, minio: `${own}-minio` },
    ruleGroup: own,
    dashboard: own,
    textfile: `${own}.prom`,
  };
}

/** Bucket of the objects that a deploy leaves, to see later whether they still open. */
export const EARLIER_OBJECTS_BUCKET = 'ebs-earlier-objects';

/** Who reads metrics of KES and of several Vaults, if `monitoring` is set; see {@link CLIENTS}, {@link VAULT_CLIENTS}. */
export const METRICS_CLIENT = 'monitoring';

/** The user of MinIO that reads metrics, and its policy. */
export const METRICS_USER = 'ebs-metrics';

/** Users of MinIO by which the project acts, each with a policy of its name: config/minio/own-identities.ts. */
export const OPERATIONS_USER = 'ebs-operations';
export const IAM_USER = 'ebs-iam';
export const OBJECTS_USER = 'ebs-objects';
export const INSPECTOR_USER = 'ebs-inspector';

/** Clients of KES: the names of their policies, of their certificates, and of the files of those. */
export const CLIENTS = {
  minio: 'minio',
  keyCreator: 'key-creator',
  keyProver: 'key-prover',
  health: 'health',
} as const;

/**
 * Who may connect to the Vaults of several hosts, by the names of their certificates. MinIO is not among them: any container
 * reaches what is published on a host, and this is what stands between MinIO and Vault.
 */
export const VAULT_CLIENTS = {
  /** The deploying machine. */
  operator: 'operator',
  /** The Vaults themselves, with their unsealers and health checks. */
  vault: 'vault',
  kes: 'kes',
  balancer: 'balancer',
} as const;

/** The same of a client of KES that the environment file names. */
export const clientLeaf = (name: string): string => `client-${name}`;

/** How users and policies of clients of the S3 API begin: what begins so in MinIO is ours. */
export const CLIENT_PREFIX = 'ebs-client-';

/** The user of a client of the S3 API, and its policy. */
export const clientUser = (name: string): string => `${CLIENT_PREFIX}${name}`;
