import type { Environment } from '../environment';

/** The master keys under which MinIO encrypts: the default key first, then the buckets' own and further ones, each once. */
export function minioKeys({ minio, buckets }: Pick<Environment, 'minio' | 'buckets'>): string[] {
  const ofBuckets = buckets.flatMap(({ encryption: e }) => (e.type === 'sse-kms' ? [e.key] : []));
  return [...new Set([minio.defaultKey, ...ofBuckets, ...minio.keys])];
}

/** Every master key of an environment: those of MinIO first, then those of other clients of KES. */
export function masterKeys(environment: Pick<Environment, 'minio' | 'buckets' | 'kes'>): string[] {
  return [...minioKeys(environment), ...environment.kes.clients.flatMap(({ keys }) => keys)];
}
