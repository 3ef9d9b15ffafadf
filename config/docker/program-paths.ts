/** Where a program is in its image: where HashiCorp, OpenBao, MinIO and HAProxy have it in theirs, and so in ours. */
export const PROGRAM_PATHS = {
  vault: '/bin/vault',
  openbao: '/bin/bao',
  kes: '/kes',
  minio: '/usr/bin/minio',
  mc: '/usr/bin/mc',
  haproxy: '/usr/local/sbin/haproxy',
} as const;

type ProgramPaths = Readonly<Record<keyof typeof PROGRAM_PATHS, string>>;

interface OfImages {
  readonly images: { readonly source: 'build' } | { readonly source: 'registry'; readonly programs: ProgramPaths };
}

/** The same for the images of an environment. */
export function programPaths({ images }: OfImages): ProgramPaths {
  return images.source === 'registry' ? images.programs : PROGRAM_PATHS;
}
