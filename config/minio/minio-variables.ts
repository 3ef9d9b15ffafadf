import type { Environment } from '../environment';
import { nodesOf } from '../node';

/** Where the records that MinIO could not send yet are in its container. */
export const AUDIT_QUEUE_FOLDER = '/audit-queue';

/** The same of events of buckets. */
export const EVENT_QUEUE_FOLDER = '/event-queue';

/** How MinIO gets its data keys. */
export interface MinioKms {
  /** `https://` addresses of KES, as MinIO reaches them. */
  readonly endpoints: readonly string[];
  readonly defaultKey: string;
  readonly autoEncryption: boolean;
}

/** The KMS of an environment's MinIO. */
export function minioKms(environment: Environment): MinioKms {
  const { defaultKey, autoEncryption } = environment.minio;
  return { endpoints: [nodesOf(environment)[0].kes.sharedUrl], defaultKey, autoEncryption };
}

/**
 * The environment variables of MinIO's container. They name files where something is secret.
 *
 * @param domain below which names mean buckets. Default: names mean none
 * @param parity drives that may be lost without a loss of objects. Default: MinIO's own
 * @param rootAccess true: root is let in, even if MinIO has stored otherwise. Default: as MinIO has stored it
 * @param isCluster whether there are other nodes
 */
export function minioVariables(
  {
    region,
    domain,
    parity,
    rootAccess,
  }: {
    readonly region: string;
    readonly domain?: string | undefined;
    readonly parity?: number | undefined;
    readonly rootAccess?: boolean | undefined;
  },
  kms: MinioKms,
  isCluster = false,
): Readonly<Record<string, string>> {
  return {
    MINIO_CONFIG_ENV_FILE: '/files/config.env',
    MINIO_REGION: region,
    ...(domain === undefined ? {} : { MINIO_DOMAIN: domain }),
    ...(parity === undefined ? {} : { MINIO_STORAGE_CLASS_STANDARD: `EC:${parity}` }),
    // it wins over what MinIO has stored
    ...(rootAccess === true ? { MINIO_API_ROOT_ACCESS: 'on' } : {}),
    MINIO_BROWSER: 'off',
    MINIO_UPDATE: 'off',
    MINIO_KMS_KES_ENDPOINT: kms.endpoints.join(','),
    MINIO_KMS_KES_KEY_NAME: kms.defaultKey,
    MINIO_KMS_KES_CERT_FILE: '/files/kes/client.crt',
    MINIO_KMS_KES_KEY_FILE: '/files/kes/client.key',
    MINIO_KMS_KES_CAPATH: '/files/certs/CAs',
    MINIO_KMS_AUTO_ENCRYPTION: kms.autoEncryption ? 'on' : 'off',
    ...(isCluster ? LOST_PEERS : {}),
  };
}

/**
 * MinIO's own limit (--conn-user-timeout, hidden) is TCP_USER_TIMEOUT. Linux ends a connection by it as well whose other end
 * lives and reads nothing for that long, such as that of a client that pauses.
 */
const LOST_PEERS = { MINIO_CONN_USER_TIMEOUT: '0s' };

/**
 * By default Linux waits a quarter of an hour for a host that lost its power, and requests of MinIO wait with it. With these it
 * takes 1.5 to 3 s for a connection that was open, and 3 s for a new one. An end that lives and reads nothing is waited for.
 */
export const LOST_PEERS_KERNEL = { 'net.ipv4.tcp_retries2': '2', 'net.ipv4.tcp_syn_retries': '1' };
