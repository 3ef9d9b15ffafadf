/** Finds programs that really run: a version manager's shim may stand for nothing. */
import path from 'node:path';
import { capture } from '../../../operations/lib/command';

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

/** Debian's packages of these start services that listen on every address. */
export const LONG_RUN_ONLY: ReadonlySet<ClientProgram> = new Set(['prometheus', 'node-exporter']);

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
  const folders = ['/usr/bin', '/usr/local/bin', ...(process.env.PATH ?? '').split(path.delimiter)];
  return folders
    .filter((folder) => path.isAbsolute(folder))
    .flatMap((folder) => names.map((name) => path.join(folder, name)))
    .find((file) => capture(file, [versionArgument]) !== undefined);
}
