/** What runs regularly: which command, and when. */
import path from 'node:path';
import type { Environment } from '../../config/environment';
import { type Job, JOBS } from '../../config/schema/runs';
import { projectRoot } from '../lib/project-root';

export interface JobTimes {
  /** For people. */
  readonly title: string;
  /**
   * As `systemd.time(7)` has it. A random delay of {@link RANDOM_DELAY_MINUTES} comes on top.
   *
   * @default - once after each boot
   */
  readonly calendar?: string;
  /** Hour and day of month, month and week, as `crontab(5)` has them after the minute; or the whole of it. */
  readonly cron: string;
}

/** What boots comes first. Backup before checks before deploy, so that what a deploy breaks is saved. They wait for each other. */
export const JOB_TIMES: Readonly<Record<Job, JobTimes>> = {
  start: { title: 'start after a boot', cron: '@reboot' },
  backup: { title: 'nightly backup of keys and settings', calendar: '*-*-* 01:00:00', cron: '1 * * *' },
  check: { title: 'nightly checks', calendar: '*-*-* 02:00:00', cron: '2 * * *' },
  deploy: { title: 'weekly deploy, which renews', calendar: 'Sun *-*-* 03:00:00', cron: '3 * * 0' },
  drill: { title: 'monthly drill', calendar: '*-*-01 04:00:00', cron: '4 1 * *' },
  versions: { title: 'weekly look at versions', calendar: 'Mon *-*-* 05:00:00', cron: '5 * * 1' },
};

export const RANDOM_DELAY_MINUTES = 30;

/** The jobs of an environment, in the order in which they run in a night. */
export function jobsOf({ schedule }: Environment): Job[] {
  const wanted = (job: Job): boolean =>
    schedule.jobs.includes(job) && (job !== 'backup' || schedule.backup !== undefined);
  return (Object.keys(JOB_TIMES) as Job[]).filter(wanted);
}

export const isJob = (word: string): word is Job => (JOBS as readonly string[]).includes(word);

/**
 * The command of a job, as a person would call it.
 *
 * @param file absolute path of the environment file
 */
export function commandOf(job: Job, file: string, environment: Environment, now: Date): [string, ...string[]] {
  const script = (name: string): string => path.join(projectRoot, 'scripts', name);
  switch (job) {
    case 'deploy':
      return [script('up'), file];
    case 'start':
    case 'check':
    case 'drill':
    case 'versions':
      return [script(job), file];
    case 'backup': {
      const { backup } = environment.schedule;
      if (backup === undefined) throw new Error('there is no schedule.backup');
      const { endpoint, region, caFile: ca } = backup;
      const to = backupTarget(environment.name, backup, now);
      const more = Object.entries({ endpoint, region, ca }).flatMap(([option, value]) =>
        value === undefined ? [] : [`--${option}`, value],
      );
      return [
        script('backup'),
        file,
        ...['--to', to],
        ...more,
        ...backup.recipients.flatMap((recipient) => ['--recipient', recipient]),
      ];
    }
  }
}

/** Path or `s3://bucket/key` of a backup that `schedule.backup` has made. */
export function backupTarget(environment: string, { to }: { readonly to: string }, now: Date): string {
  const name = backupName(environment, now);
  return to.startsWith('s3://') ? `${to}${name}` : path.join(to, name);
}

/** `local-20260131T010203Z.age`: sorted by name they are sorted by time. */
function backupName(environment: string, now: Date): string {
  return `${environment}-${now.toISOString().replace(/[-:]|\.\d{3}/g, '')}.age`;
}

/** Whether a file is a scheduled backup of an environment. */
export function isBackupName(environment: string, file: string): boolean {
  return file.startsWith(`${environment}-`) && /^\d{8}T\d{6}Z\.age$/.test(file.slice(environment.length + 1));
}
