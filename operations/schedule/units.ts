/** The schedule as systemd and cron read it. */
import path from 'node:path';
import type { Job } from '../../config/schema/runs';
import { nodeId } from '../../config/node';
import { projectRoot } from '../lib/project-root';
import type { LoadedEnvironment } from '../state/load';
import { JOB_TIMES, jobsOf, RANDOM_DELAY_MINUTES } from './jobs';

/** In whose name scheduled commands run, and with which variables. */
export interface Caller {
  /** Of a unit of the system; a unit of the user has it from itself. */
  readonly user?: string;
  /** Folder of the Node.js program. */
  readonly nodeFolder: string;
  /** Variables that decide where state and caches are. */
  readonly variables: Readonly<Record<string, string>>;
}

export interface Unit {
  readonly file: string;
  readonly content: string;
}

const LOGIN_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The name of the units of a job, without what says of which kind. */
export const unitName = (environment: string, job: Job): string => `${nodeId(environment)}-${job}`;

/** A service and a timer for each job. */
export function systemdUnits({ environment, state, file }: LoadedEnvironment, caller: Caller): Unit[] {
  const { variablesFile } = environment.schedule;
  return jobsOf(environment).flatMap((job) => {
    const name = unitName(environment.name, job);
    const { title, calendar } = JOB_TIMES[job];
    const description = `encrypted-backup-storage, environment ${environment.name}: ${title}`;
    const service = [
      '[Unit]',
      `Description=${description}`,
      `Documentation=${inUnit(`file://${encodeURI(path.join(projectRoot, 'docs', 'schedule.md'))}`)}`,
      // units of a user do not see these of the system
      ...(caller.user === undefined
        ? []
        : [
            'Wants=network-online.target',
            'After=network-online.target docker.service',
            // systemd waits for their disk as long as fstab says
            `RequiresMountsFor=${quoted(state.root)}`,
          ]),
      '',
      '[Service]',
      'Type=oneshot',
      ...(caller.user === undefined ? [] : [`User=${caller.user}`]),
      ...Object.entries(variablesOf(caller)).map(
        ([variable, value]) => `Environment=${quoted(`${variable}=${value}`)}`,
      ),
      ...(variablesFile === undefined ? [] : [`EnvironmentFile=${inUnit(variablesFile)}`]),
      `ExecStart=${[scheduleCommand(), 'run', job, file].map(quotedArgument).join(' ')}`,
      // the run passes the signal on to the command, which must get it once
      'KillMode=mixed',
      'TimeoutStartSec=6h',
      'TimeoutStopSec=10min',
      'Nice=10',
      'UMask=0077',
      '',
    ];
    const timer = [
      '[Unit]',
      `Description=${description}`,
      '',
      '[Timer]',
      ...(calendar === undefined
        ? ['OnBootSec=10s']
        : [
            `OnCalendar=${calendar}`,
            `RandomizedDelaySec=${RANDOM_DELAY_MINUTES}min`,
            // after a night in which the machine was off
            'Persistent=true',
          ]),
      '',
      '[Install]',
      'WantedBy=timers.target',
      '',
    ];
    return [
      { file: `${name}.service`, content: service.join('\n') },
      { file: `${name}.timer`, content: timer.join('\n') },
    ];
  });
}

/** @param minute of the hour, chosen at random, so that not every machine begins at once */
export function cronLines({ environment, file }: LoadedEnvironment, caller: Caller, minute: number): string {
  const { variablesFile } = environment.schedule;
  const lines = jobsOf(environment).map((job) => {
    const variables = variablesFile === undefined ? '' : `set -a; . ${shellWord(variablesFile)}; set +a; `;
    const command = [scheduleCommand(), 'run', job, file].map(shellWord).join(' ');
    const { calendar, cron } = JOB_TIMES[job];
    const time = calendar === undefined ? cron : `${minute} ${cron}`;
    const log = `logger -t ${unitName(environment.name, job)}`;
    // cron takes a % for the end of the line
    return `${time} ${`${variables}${command} 2>&1 | ${log}`.replaceAll('%', '\\%')}`;
  });
  const variables = Object.entries(variablesOf(caller)).map(([name, value]) => `${name}=${value}`);
  return [...variables, ...lines, ''].join('\n');
}

const scheduleCommand = (): string => path.join(projectRoot, 'scripts', 'schedule');

function variablesOf({ nodeFolder, variables }: Caller): Record<string, string> {
  return { PATH: `${nodeFolder}:${LOGIN_PATH}`, ...variables };
}

/** systemd.unit(5): `%` begins a specifier. */
const inUnit = (text: string): string => text.replaceAll('%', '%%');

/** systemd.service(5), "Command lines": quotes, backslashes. */
const quoted = (text: string): string => `"${inUnit(text).replace(/["\\]/g, '\\$&')}"`;

/** In a command line `$` begins a variable, too. */
const quotedArgument = (text: string): string => quoted(text).replaceAll('$', '$$$$');

const shellWord = (text: string): string =>
  /^[\w@+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
