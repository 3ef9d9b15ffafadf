/**
 * Where the state and the secrets of an environment live: outside the clone, so that `git clean`, a second clone or a
 * CI workspace can neither lose nor confuse a deployment.
 */
import { homedir } from 'node:os';
import path from 'node:path';

/** Absolute paths of everything that belongs to one environment. */
export interface StateLayout {
  /** The folder of the environment. */
  readonly root: string;
  /** Private keys, unseal shares, tokens, SecretIDs and root credentials: 0700, files 0600. */
  readonly secrets: string;
  /** Certificates and their dates; nothing secret. */
  readonly tls: string;
  /** The certificate of the private CA: what an S3 client must trust in self-signed mode. */
  readonly caCertificate: string;
  /** The CA of those who may connect to the Vaults of several hosts, with their certificates. */
  readonly vaultClients: string;
  /** The `trustedCAs` of the environment in one file. */
  readonly trustedCAs: string;
  /** The same, and the CAs that every system trusts. */
  readonly publicTrust: string;
  /** Terraform's local state, one file per stack. */
  readonly terraform: string;
  /** The settings of a deployment that an app declared without an environment file: it is one then. Nothing secret. */
  readonly environment: string;
  /** The canaries of the master keys: ciphertext and a SHA-256, nothing secret. */
  readonly canaries: string;
  /** The Docker engine that the deployment is on; nothing secret. */
  readonly engine: string;
  /** Folder with the same of each of several hosts. */
  readonly engines: string;
  /** Which change of Terraform's state in S3 this folder was at last part of; nothing secret. */
  readonly turn: string;
  /** Where the master keys are; nothing secret. */
  readonly keyStore: string;
  /** Which seal opens an embedded Vault; absent: unseal shares do. Nothing secret. */
  readonly vaultSeal: string;
  /** Which drives MinIO has, where it is not one volume; nothing secret. */
  readonly drives: string;
  /** Which objects deploys left in MinIO to be read again later, with their SHA-256; nothing secret. */
  readonly earlierObjects: string;
  /** Which drives were seen away, and have not been healed since; nothing secret. */
  readonly awayDrives: string;
  /** Held by a heal. */
  readonly healLock: string;
  /** What the heal says that a check has started. */
  readonly healLog: string;
  /** `{generation, renewAfter, expires}` of the SecretID of KES, if it ends. */
  readonly secretIdNote: string;
  /** `{generation, renewAfter}` of the access keys of clients, if one of them ends. Nothing secret. */
  readonly clientsNote: string;
  /** Accessors of SecretIDs that another has replaced and that must be destroyed; gone when they are. Nothing secret. */
  readonly outdatedSecretIds: string;
  /** `{generation, renewAfter, expires}` of the token that reads MinIO's metrics; nothing secret. */
  readonly minioMetricsNote: string;
  /** `{generation, renewAfter}` of the users of MinIO by which the project acts; nothing secret. */
  readonly identitiesNote: string;
  /** Reports of the post-deploy checks. */
  readonly reports: string;
  /** A signed record of each of them, in a chain; nothing secret. */
  readonly evidence: string;
  /** Held by who adds one. */
  readonly evidenceLock: string;
  /** What the newest backup holds, and where it went; nothing secret. */
  readonly lastBackup: string;
  /** The version of this folder, and which versions were deployed; nothing secret. */
  readonly versions: string;
  /** Says that a restore is under way; gone when it has ended well. */
  readonly restore: string;
  /** The rotation that is under way and how far it is; gone when it has ended well. Nothing secret. */
  readonly rotation: string;
  /** What was ever rotated: JSON lines, only appended to. Nothing secret. */
  readonly rotationsLog: string;
  /** Logs of deployments, 0600. */
  readonly logs: string;
  /** The synthesized stacks of `./scripts/up`; plain `cdktf deploy` uses `cdktf.out` in the clone. */
  readonly cdktfOut: string;
  /** What says of each operation of a deploy whether it came to its end. */
  readonly operations: string;
  /** Held by whoever is changing the environment. */
  readonly lock: string;
  /** Held by a scheduled run, so that no two of them overlap. */
  readonly scheduleLock: string;
  /** Says that `secrets` belongs to this deployment; a copy lies in `secrets`. */
  readonly deployment: string;
  /** Every secret file. No path is written a second time. */
  readonly secret: {
    readonly deployment: string;
    readonly tls: string;
    readonly vaultClients: string;
    /** Folder with the key of the account at each ACME authority. */
    readonly acme: string;
    readonly unsealShare: (number: number) => string;
    /** Of a Vault that a seal opens: they open nothing, and make a root token. */
    readonly recoveryShare: (number: number) => string;
    readonly rootToken: string;
    readonly provisionerToken: string;
    readonly kesConfiguration: string;
    /** The configuration of KES for the key store that a migration takes the keys from: how it logs in there. */
    readonly migrationSource: string;
    /** Credentials of KES at AWS. */
    readonly awsCredentials: string;
    /** By which the deployment signs its backups; made with the first one. */
    readonly backupSigningKey: string;
    /** By which it signs the records of its reports; made with the first one. */
    readonly evidenceSigningKey: string;
    readonly minioConfigEnv: string;
    readonly minioRoot: string;
    /** Users and access keys of MinIO as they were before they were imported to be encrypted; gone when all of them are back. */
    readonly iamExport: string;
    /** The users of MinIO by which the project acts: config/minio/own-identities.ts. */
    readonly minioOperations: string;
    readonly minioIam: string;
    readonly minioObjects: string;
    /** The token that reads the metrics of an embedded Vault. */
    readonly vaultMetricsToken: string;
    /** The user of MinIO that reads metrics, and the token that is made of its secret key. */
    readonly minioMetricsUser: string;
    readonly minioMetricsToken: string;
    /** Folder with the access keys of each client of the S3 API. It stays when the last client is gone. */
    readonly clients: string;
  };
}

/** What follows the name of the state folder where a restore shows the preflights the secrets to come. One that was killed leaves it. */
export const RESTORE_PREVIEW = '.restore-preflight';

/** How folders in the state folder begin in which a backup is made that goes elsewhere. One that was killed leaves it. */
export const UNFINISHED_BACKUP = 'unfinished-backup-';

/** The note of the Docker engine of one of several hosts. */
export const hostEngine = ({ engines }: StateLayout, host: string): string => path.join(engines, `${host}.json`);

/** `$XDG_STATE_HOME/encrypted-backup-storage`, by default `~/.local/state/encrypted-backup-storage`. */
export function defaultStateHome(env: NodeJS.ProcessEnv = process.env): string {
  const home = env.XDG_STATE_HOME;
  const base = home !== undefined && path.isAbsolute(home) ? home : path.join(homedir(), '.local', 'state');
  return path.join(base, 'encrypted-backup-storage');
}

/**
 * The layout of one environment's folder.
 *
 * @param environment name of the environment
 * @param directory the folder itself; default: named like the environment under {@link defaultStateHome}
 */
export function stateLayout(environment: string, directory?: string): StateLayout {
  const root = directory ?? path.join(defaultStateHome(), environment);
  const secrets = path.join(root, 'secrets');
  return {
    root,
    secrets,
    tls: path.join(root, 'tls'),
    caCertificate: path.join(root, 'tls', 'ca.crt'),
    vaultClients: path.join(root, 'vault-clients'),
    trustedCAs: path.join(root, 'tls', 'trusted-cas.crt'),
    publicTrust: path.join(root, 'tls', 'public-trust.crt'),
    terraform: path.join(root, 'terraform'),
    environment: path.join(root, 'deployment-settings.yaml'),
    canaries: path.join(root, 'keys.json'),
    earlierObjects: path.join(root, 'objects.json'),
    engine: path.join(root, 'engine.json'),
    engines: path.join(root, 'engines'),
    turn: path.join(root, 'turn.json'),
    keyStore: path.join(root, 'key-store.json'),
    vaultSeal: path.join(root, 'vault-seal.json'),
    drives: path.join(root, 'drives.json'),
    awayDrives: path.join(root, 'away-drives.json'),
    healLock: path.join(root, 'heal.lock'),
    healLog: path.join(root, 'logs', 'heal.log'),
    secretIdNote: path.join(root, 'secret-id.json'),
    clientsNote: path.join(root, 'clients.json'),
    outdatedSecretIds: path.join(root, 'outdated-secret-ids.json'),
    minioMetricsNote: path.join(root, 'minio-metrics-token.json'),
    identitiesNote: path.join(root, 'minio-identities.json'),
    reports: path.join(root, 'reports'),
    evidence: path.join(root, 'reports', 'evidence.jsonl'),
    evidenceLock: path.join(root, 'evidence.lock'),
    lastBackup: path.join(root, 'last-backup.json'),
    versions: path.join(root, 'versions.json'),
    restore: path.join(root, 'restore.json'),
    rotation: path.join(root, 'rotation.json'),
    rotationsLog: path.join(root, 'rotations.log'),
    logs: path.join(root, 'logs'),
    cdktfOut: path.join(root, 'cdktf.out'),
    operations: path.join(root, 'operations'),
    lock: path.join(root, 'lock'),
    scheduleLock: path.join(root, 'schedule.lock'),
    deployment: path.join(root, 'deployment.json'),
    secret: {
      deployment: path.join(secrets, 'deployment.json'),
      tls: path.join(secrets, 'tls'),
      vaultClients: path.join(secrets, 'vault-clients'),
      acme: path.join(secrets, 'acme'),
      unsealShare: (number) => path.join(secrets, 'vault', `unseal-share-${number}`),
      recoveryShare: (number) => path.join(secrets, 'vault', `recovery-share-${number}`),
      rootToken: path.join(secrets, 'vault', 'root-token'),
      provisionerToken: path.join(secrets, 'vault', 'provisioner-token'),
      kesConfiguration: path.join(secrets, 'kes', 'server-config.yaml'),
      awsCredentials: path.join(secrets, 'aws', 'credentials.json'),
      migrationSource: path.join(secrets, 'kes', 'migration-source.yaml'),
      backupSigningKey: path.join(secrets, 'backup', 'signing.pem'),
      evidenceSigningKey: path.join(secrets, 'evidence', 'signing.pem'),
      minioConfigEnv: path.join(secrets, 'minio', 'config.env'),
      minioRoot: path.join(secrets, 'minio', 'root.json'),
      iamExport: path.join(secrets, 'minio', 'iam-export.zip'),
      minioOperations: path.join(secrets, 'minio', 'operations.json'),
      minioIam: path.join(secrets, 'minio', 'iam.json'),
      minioObjects: path.join(secrets, 'minio', 'objects.json'),
      vaultMetricsToken: path.join(secrets, 'metrics', 'vault-token'),
      minioMetricsUser: path.join(secrets, 'metrics', 'minio-user.json'),
      minioMetricsToken: path.join(secrets, 'metrics', 'minio-token'),
      clients: path.join(secrets, 'clients'),
    },
  };
}

/** The file of a client in the folder of the access keys of clients, see {@link StateLayout.secret}. */
export function clientFile(folder: string, name: string): string {
  return path.join(folder, `${name}.json`);
}
