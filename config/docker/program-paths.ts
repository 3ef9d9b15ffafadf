import type { Environment } from '../environment';

/** Where a program is in its image: where HashiCorp, OpenBao, MinIO and HAProxy have it in theirs, and so in ours. */
export const PROGRAM_PATHS = {
  vault: '/bin/vault',
  openbao: '/bin/bao',
  kes: '/kes',
  minio: '/usr/bin/minio',
  mc: '/usr/bin/mc',
  haproxy: '/usr/local/sbin/haproxy',
} as const;

/** The same for the images of an environment. */
export function programPaths({
  images,
}: Pick<Environment, 'images'>): Readonly<Record<keyof typeof PROGRAM_PATHS, string>> {
  return images.source === 'registry' ? images.programs : PROGRAM_PATHS;
}
