/** One scheduled run: alone, with its outcome told. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { Job } from '../../config/schema/runs';
import { ExternalError, messageOf, UsageError } from '../lib/errors';
import { describeHolder, type Lock, lockHolder, tryLock } from '../lib/lock';
import { GiveUp, NotYet, waitFor } from '../lib/wait';
import type { LoadedEnvironment } from '../state/load';
import { rotateAuditLogs } from '../vault/rotate-audit-log';
import { backupTarget, commandOf, JOB_TIMES } from './jobs';
import { isTold, type Message, notify } from './notify';
import { removeOldBackups } from './old-backups';

/** How long a run waits for whatever else is at work in the environment. */
const WAIT_MS = 2 * 60 * 60 * 1000;
const LOOK_MS = 1000;
const LAST_LINES = 20;

export interface RunOptions {
  readonly signal: AbortSignal;
  /** @default - that of the job */
  readonly command?: typeof commandOf;
}

/** How a command ended. */
interface Ended {
  readonly exitCode: number;
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
  readonly lastLines: readonly string[];
}

/**
 * Runs the command of a job when no other is at work, and tells its outcome as `notify` says.
 *
 * A job that could not begin is told of as well.
 *
 * @returns the exit code of the command; 1 where the job could not begin or end
 * @throws ExternalError if the outcome could not be told
 */
export async function runJob(
  loaded: LoadedEnvironment,
  job: Job,
  { signal, command = commandOf }: RunOptions,
): Promise<number> {
  const { environment } = loaded;
  const started = new Date();
  const ended = await ranAlone(loaded, job, started, { signal, command });
  const outcome = ended.exitCode !== 0 ? 'failed' : ended.warnings.length > 0 ? 'warning' : 'passed';
  const said = {
    failed: `failed with exit code ${ended.exitCode}`,
    warning: 'passed with a warning',
    passed: 'passed',
  };
  const message: Message = {
    text: `encrypted-backup-storage: ${JOB_TIMES[job].title} of ${environment.name} on ${hostname()} ${said[outcome]}`,
    environment: environment.name,
    job,
    host: hostname(),
    outcome,
    startedAt: started.toISOString(),
    seconds: Math.round((Date.now() - started.getTime()) / 1000),
    ...ended,
  };
  if (environment.notify !== undefined && isTold(environment.notify, outcome)) {
    await notify(environment.notify, message);
  }
  return ended.exitCode;
}

async function ranAlone(
  loaded: LoadedEnvironment,
  job: Job,
  started: Date,
  { signal, command }: Required<RunOptions>,
): Promise<Ended> {
  const { environment, file } = loaded;
  let lock: Lock | undefined;
  try {
    requireDeployed(loaded, job);
    lock = await turn(loaded, signal);
    const ended = await runCommand(command(job, file, environment, started), signal);
    if (job === 'check') {
      for (const { container, putAside } of await rotateAuditLogs(loaded)) {
        if (putAside !== undefined) process.stderr.write(`put the audit log of ${container} aside as ${putAside}\n`);
      }
    }
    const { backup } = environment.schedule;
    if (job === 'backup' && ended.exitCode === 0 && backup !== undefined && !backup.to.startsWith('s3://')) {
      const made = path.basename(backupTarget(environment.name, backup, started));
      const removed = removeOldBackups(backup.to, environment.name, { keep: backup.keep, made });
      if (removed.length > 0) process.stderr.write(`removed ${removed.join(', ')}: ${backup.keep} are kept\n`);
    }
    return ended;
  } catch (error) {
    const hint = error instanceof UsageError || error instanceof ExternalError ? error.hint : undefined;
    const problems = [`error: ${messageOf(error)}`, ...(hint === undefined ? [] : [`hint: ${hint}`])];
    process.stderr.write(`${problems.join('\n')}\n`);
    return { exitCode: 1, problems, warnings: [], lastLines: problems };
  } finally {
    lock?.release();
  }
}

/** A deploy where nothing is deployed would make keys anew, as after the disk of the state folder was not mounted. */
function requireDeployed({ environment, state, argument }: LoadedEnvironment, job: Job): void {
  if (existsSync(state.deployment)) return;
  throw new UsageError(
    `environment ${environment.name} is not deployed: there is no ${state.deployment}; a scheduled ${job} begins nothing`,
    `put that folder back, as after its disk was not mounted; or, where the environment is gone: ./scripts/schedule ${argument} --remove`,
  );
}

/** Waits until neither another scheduled run nor a command of a person is at work. */
async function turn({ state }: LoadedEnvironment, signal: AbortSignal): Promise<Lock> {
  return waitFor(
    {
      what: 'other commands of this environment to end',
      timeoutMs: WAIT_MS,
      intervalMs: LOOK_MS,
      hint: 'see what still runs, and end it',
    },
    async () => {
      if (signal.aborted) throw new GiveUp(signal.reason as Error);
      const lock = await tryLock(state.scheduleLock, 'running a scheduled command');
      if (!('release' in lock)) return new NotYet(describeHolder(lock));
      const holder = await lockHolder(state.lock);
      if (holder === undefined) return lock;
      lock.release();
      return new NotYet(describeHolder(holder));
    },
  );
}

/** Runs it with its output passed on. */
async function runCommand([program, ...args]: readonly [string, ...string[]], signal: AbortSignal): Promise<Ended> {
  const problems: string[] = [];
  const warnings: string[] = [];
  const lastLines: string[] = [];
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const interrupt = (): void => void child.kill('SIGTERM');
  signal.addEventListener('abort', interrupt);
  const read = async (from: Readable, to: NodeJS.WritableStream): Promise<void> => {
    for await (const line of createInterface({ input: from })) {
      to.write(`${line}\n`);
      if (line.startsWith('warning: ')) warnings.push(line.slice('warning: '.length));
      // as commands and steps say what failed, and what to do
      if (/^(?:error|hint): |^\s*[✖✘?] /.test(line)) problems.push(line.trim());
      if (line.trim() !== '') lastLines.push(line);
      if (lastLines.length > LAST_LINES) lastLines.shift();
    }
  };
  try {
    const [exitCode] = await Promise.all([
      new Promise<number>((resolve, reject) => {
        child.on('error', reject);
        child.on('close', (code) => {
          resolve(code ?? 1);
        });
      }),
      read(child.stdout, process.stdout),
      read(child.stderr, process.stderr),
    ]);
    return { exitCode, problems, warnings, lastLines };
  } finally {
    signal.removeEventListener('abort', interrupt);
  }
}
