/** `./scripts/schedule`: what runs regularly, by systemd or cron. */
import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import { userInfo } from 'node:os';
import path from 'node:path';
import { JOBS } from '../config/schema/runs';
import { ExternalError, UsageError } from '../operations/lib/errors';
import { installUnits, removeUnits, type Systemd, thisCaller, unitFolder } from '../operations/schedule/install';
import { isJob, jobsOf } from '../operations/schedule/jobs';
import { runJob } from '../operations/schedule/run-job';
import { cronLines, systemdUnits } from '../operations/schedule/units';
import { type LoadedEnvironment, loadEnvironment } from '../operations/state/load';
import { type Call, command, EXIT_CODES_HELP, FLAG } from './lib/command-line';

const HELP = `Usage: ./scripts/schedule [environment] --print [--cron]
       ./scripts/schedule [environment] --install | --remove
       ./scripts/schedule run ${JOBS.join('|')} [environment]

Has this machine run regularly: after each boot what Docker could not start; a weekly deploy, which renews what ends;
nightly checks; a nightly backup of keys and settings, where schedule.backup says whereto; a monthly drill; a weekly look at
versions. Runs wait for each other, and up to two hours for other commands of the environment. notify in the environment file says who is told of failures and warnings.

  environment   a name in environments/ or the path of a YAML file (default: EBS_ENVIRONMENT, else local)
  --print       print the units of systemd, or the lines of cron where there is no systemd
  --cron        print the lines of cron in any case
  --install     write the units and start their timers: of the system as root, else of this user
  --remove      stop the timers and remove the units
  run JOB       run a job now, as its unit does; exit codes are those of its command
  -h, --help    this text

${EXIT_CODES_HELP}
`;

const OPTIONS = { print: FLAG, cron: FLAG, install: FLAG, remove: FLAG };

void command('schedule', HELP, OPTIONS, schedule, ([what]) => (what === 'run' ? 2 : 0));

async function schedule({ values, positionals, signal }: Call<typeof OPTIONS>): Promise<void> {
  if (positionals[0] === 'run' && Object.keys(values).length === 0) {
    const [, job = 'nothing', environment] = positionals;
    if (!isJob(job)) {
      throw new UsageError(`run: must be one of ${JOBS.join(', ')}, got: ${job}`, 'See ./scripts/schedule --help.');
    }
    process.exitCode = await runJob(loadEnvironment(environment), job, { signal });
    return;
  }
  const asked = [values.print, values.install, values.remove].filter(Boolean).length;
  if (asked !== 1 || (values.cron && !values.print)) {
    throw new UsageError('give one of --print, --install, --remove', 'See ./scripts/schedule --help.');
  }
  const loaded = loadEnvironment(positionals[0]);
  if (values.print) process.stdout.write(printed(loaded, values.cron ?? false));
  else if (values.remove) process.stdout.write(list('removed', await removeUnits(loaded.environment, systemd(loaded))));
  else process.stdout.write(list('scheduled', await installUnits(loaded, thisCaller(), systemd(loaded))));
  if (!values.remove) warn(loaded);
}

function printed(loaded: LoadedEnvironment, cron: boolean): string {
  if (cron || !hasSystemd()) return cronLines(loaded, thisCaller(), randomInt(60));
  return systemdUnits(loaded, thisCaller())
    .map(({ file, content }) => `# ${path.join(unitFolder(), file)}\n${content}\n`)
    .join('');
}

/** sd_booted(3). */
function hasSystemd(): boolean {
  return existsSync('/run/systemd/system');
}

function systemd({ argument }: LoadedEnvironment): Systemd {
  if (!hasSystemd()) {
    throw new UsageError(
      'systemd does not run here: there is no /run/systemd/system',
      `put into your crontab what this prints: ./scripts/schedule ${argument} --print --cron`,
    );
  }
  const scope = userInfo().uid === 0 ? [] : ['--user'];
  return {
    folder: unitFolder(),
    systemctl: async (...args) => {
      const { status, stderr, error } = spawnSync('systemctl', [...scope, ...args], { encoding: 'utf8' });
      if (status === 0) return Promise.resolve();
      const said = (error?.message ?? stderr).trim();
      throw new ExternalError(
        `systemctl ${[...scope, ...args].join(' ')} failed: ${said}`,
        'see what systemd says of it',
      );
    },
  };
}

function warn({ environment }: LoadedEnvironment): void {
  const warnings = [
    ...(jobsOf(environment).includes('backup') ? [] : ['no backup is scheduled: declare schedule.backup']),
    ...(environment.notify === undefined ? ['no one is told of a failure: declare notify'] : []),
    ...(userInfo().uid === 0 ? [] : ['timers of a user run while that user is logged in: loginctl enable-linger']),
  ];
  for (const warning of warnings) process.stderr.write(`warning: ${warning}\n`);
}

function list(what: string, lines: readonly string[]): string {
  return lines.length === 0 ? `nothing was ${what}\n` : `${what}:\n${lines.map((line) => `- ${line}\n`).join('')}`;
}
