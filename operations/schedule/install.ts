/** Units of a schedule where systemd finds them. */
import { accessSync, constants, existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import path from 'node:path';
import type { Environment } from '../../config/environment';
import { JOBS } from '../../config/schema/runs';
import { readRecipients } from '../backup/age/age-keys';
import { ExternalError, messageOf, UsageError } from '../lib/errors';
import { readIfExists, writeFileAtomically } from '../lib/files';
import type { LoadedEnvironment } from '../state/load';
import { JOB_TIMES, jobsOf } from './jobs';
import { webhookUrl } from './notify';
import { type Caller, systemdUnits, unitName } from './units';

/** Where units go, and how systemd is asked. */
export interface Systemd {
  readonly folder: string;
  /** Runs `systemctl` of the system or of the user. */
  readonly systemctl: (...args: readonly string[]) => Promise<void>;
}

/** Root installs units of the system, everybody else their own. */
export function unitFolder(): string {
  if (userInfo().uid === 0) return '/etc/systemd/system';
  return path.join(process.env.XDG_CONFIG_HOME ?? path.join(homedir(), '.config'), 'systemd', 'user');
}

/**
 * Variables that decide where state, caches, the Docker engine and an external Vault are. Units can be read by everybody, so
 * none that holds a secret: no token, and no proxy, whose address may hold a password.
 */
const KEPT = [
  ...['XDG_STATE_HOME', 'XDG_CACHE_HOME'],
  ...['DOCKER_CONFIG', 'DOCKER_HOST', 'DOCKER_CONTEXT', 'DOCKER_CERT_PATH', 'DOCKER_TLS_VERIFY'],
  ...['VAULT_ADDR', 'VAULT_NAMESPACE', 'VAULT_CACERT'],
];

/** This process, as a unit is to run. */
export function thisCaller(): Caller {
  const { uid, username } = userInfo();
  return {
    ...(uid === 0 ? { user: username } : {}),
    nodeFolder: path.dirname(process.execPath),
    variables: Object.fromEntries(
      KEPT.flatMap((name) => {
        const value = process.env[name];
        return value === undefined ? [] : [[name, value]];
      }),
    ),
  };
}

/**
 * Writes the units of every job and starts their timers; those of jobs that are no longer declared go.
 *
 * @returns what runs when
 */
export async function installUnits(loaded: LoadedEnvironment, caller: Caller, systemd: Systemd): Promise<string[]> {
  const { environment } = loaded;
  requireUsable(environment);
  const jobs = jobsOf(environment);
  const others = JOBS.filter((job) => !jobs.includes(job));
  await removeUnits(environment, systemd, others);
  mkdirSync(systemd.folder, { recursive: true });
  for (const { file, content } of systemdUnits(loaded, caller)) {
    writeFileAtomically(path.join(systemd.folder, file), content, 0o644);
  }
  await systemd.systemctl('daemon-reload');
  await systemd.systemctl('enable', '--now', ...jobs.map((job) => `${unitName(environment.name, job)}.timer`));
  return jobs.map(
    (job) =>
      `${unitName(environment.name, job)}.timer: ${JOB_TIMES[job].title}, ${JOB_TIMES[job].calendar ?? 'each time'}`,
  );
}

/** @returns the files that were removed */
export async function removeUnits(
  { name }: Pick<Environment, 'name'>,
  { folder, systemctl }: Systemd,
  jobs: readonly (typeof JOBS)[number][] = JOBS,
): Promise<string[]> {
  const there = existsSync(folder) ? readdirSync(folder) : [];
  const files = jobs
    .flatMap((job) => [`${unitName(name, job)}.timer`, `${unitName(name, job)}.service`])
    .filter((file) => there.includes(file));
  if (files.length === 0) return [];
  await systemctl('disable', '--now', ...files.filter((file) => file.endsWith('.timer')));
  for (const file of files) rmSync(path.join(folder, file));
  await systemctl('daemon-reload');
  return files;
}

/**
 * Refuses what a run at night would stumble over.
 *
 * @throws UsageError or ExternalError
 */
export function requireUsable({ schedule: { backup, variablesFile }, notify }: Environment): void {
  if (variablesFile !== undefined) requirePrivate('schedule.variablesFile', variablesFile);
  if (backup !== undefined) {
    readRecipients(backup.recipients);
    if (!backup.to.startsWith('s3://')) requireFolder(backup.to);
  }
  if (notify?.type === 'webhook') {
    requirePrivate('notify.urlFile', notify.urlFile);
    webhookUrl(notify.urlFile);
  }
  if (notify?.type === 'command') {
    const [program] = notify.command;
    try {
      accessSync(program, constants.X_OK);
    } catch (error) {
      throw new UsageError(
        `notify.command: ${program} cannot be run: ${messageOf(error)}`,
        'name a program that is there',
      );
    }
  }
}

function requirePrivate(setting: string, file: string): void {
  if (readIfExists(file) === undefined) {
    throw new UsageError(`${setting}: there is no file ${file}`, 'write it with mode 0600');
  }
  const mode = statSync(file).mode & 0o777;
  if ((mode & 0o077) === 0) return;
  throw new UsageError(
    `${setting}: ${file} must be readable by its owner alone, got mode 0${mode.toString(8)}`,
    `chmod 0600 ${file}`,
  );
}

function requireFolder(folder: string): void {
  try {
    if (!statSync(folder).isDirectory()) throw new Error('it is no folder');
    accessSync(folder, constants.W_OK);
  } catch (error) {
    throw new ExternalError(
      `schedule.backup.to: no backup can be written to ${folder}: ${messageOf(error)}`,
      `mkdir -p ${folder}, on a disk that is not the one of the keys`,
    );
  }
}
