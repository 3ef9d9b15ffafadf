/** Finds programs that really run: a version manager's shim may stand for nothing. */
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { capture } from '../../../../operations/lib/command';

interface Program {
  /** What it may be called. */
  readonly names: readonly string[];
  readonly versionArgument: string;
  /** The packages of Debian and Ubuntu that bring it. */
  readonly aptPackages: readonly string[];
  readonly what: string;
}

/** What the end-to-end tests drive. */
export const CLIENT_PROGRAMS = {
  aws: {
    names: ['aws'],
    versionArgument: '--version',
    aptPackages: ['awscli'],
    what: 'aws, a client that writes backups',
  },
  restic: {
    names: ['restic'],
    versionArgument: 'version',
    aptPackages: ['restic'],
    what: 'restic, a client that writes backups',
  },
  rclone: {
    names: ['rclone'],
    versionArgument: 'version',
    aptPackages: ['rclone'],
    what: 'rclone, a client that writes backups',
  },
  s3cmd: {
    names: ['s3cmd'],
    versionArgument: '--version',
    aptPackages: ['s3cmd'],
    what: 's3cmd, a client that writes backups',
  },
  duplicity: {
    names: ['duplicity'],
    versionArgument: '--version',
    aptPackages: ['duplicity', 'python3-boto3'],
    what: 'duplicity, a client that writes backups',
  },
  s3fs: {
    names: ['s3fs'],
    versionArgument: '--version',
    aptPackages: ['s3fs'],
    what: 's3fs, which mounts a bucket',
  },
  pgbackrest: {
    names: ['pgbackrest'],
    versionArgument: 'version',
    aptPackages: ['pgbackrest'],
    what: 'pgBackRest, a client that writes backups of PostgreSQL',
  },
  postgres: {
    names: ['postgres'],
    versionArgument: '--version',
    aptPackages: ['postgresql'],
    what: 'PostgreSQL, of which pgBackRest writes backups',
  },
  chromium: {
    names: ['chromium', 'chromium-browser', 'google-chrome'],
    versionArgument: '--version',
    // without any font a browser shows boxes
    aptPackages: ['chromium', 'fonts-dejavu-core'],
    what: 'chromium, in which the page of the checks is looked at',
  },
  'docker-registry': {
    names: ['docker-registry'],
    versionArgument: '--version',
    aptPackages: ['docker-registry'],
    what: 'docker-registry, from which images are pulled',
  },
  prometheus: {
    names: ['prometheus'],
    versionArgument: '--version',
    // brings promtool, too
    aptPackages: ['prometheus'],
    what: 'prometheus, which reads the metrics',
  },
  'node-exporter': {
    names: ['prometheus-node-exporter', 'node_exporter'],
    versionArgument: '--version',
    aptPackages: ['prometheus-node-exporter'],
    what: 'node_exporter, which passes on what only we know',
  },
} as const satisfies Readonly<Record<string, Program>>;
export type ClientProgram = keyof typeof CLIENT_PROGRAMS;

/** What only tests of the long run drive. Debian's packages of Prometheus and PostgreSQL start services. */
export const LONG_RUN_ONLY: ReadonlySet<ClientProgram> = new Set([
  ...(['prometheus', 'node-exporter'] as const),
  ...(['duplicity', 's3fs', 'pgbackrest', 'postgres'] as const),
]);

/** Keeps `aws` from what whoever runs the tests has set up for it. */
export const NO_AWS_SETTINGS = {
  AWS_CONFIG_FILE: '/dev/null',
  AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
  AWS_PROFILE: undefined,
  AWS_SESSION_TOKEN: undefined,
  AWS_EC2_METADATA_DISABLED: 'true',
  AWS_PAGER: '',
} as const;

export function findClient(client: ClientProgram): string | undefined {
  const { names, versionArgument }: Program = CLIENT_PROGRAMS[client];
  const folders = [
    '/usr/bin',
    '/usr/local/bin',
    ...postgresFolders(),
    ...(process.env.PATH ?? '').split(path.delimiter),
  ];
  return folders
    .filter((folder) => path.isAbsolute(folder))
    .flatMap((folder) => names.map((name) => path.join(folder, name)))
    .find((file) => capture(file, [versionArgument]) !== undefined);
}

/** Where Debian has the programs of the server, newest first. */
function postgresFolders(): string[] {
  const root = '/usr/lib/postgresql';
  if (!existsSync(root)) return [];
  const versions = readdirSync(root).sort((one, other) => Number(other) - Number(one));
  return versions.map((version) => path.join(root, version, 'bin'));
}
