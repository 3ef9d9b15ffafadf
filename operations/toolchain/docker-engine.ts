/** Finds a Docker Engine that answers, or starts one where this machine allows it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, openSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { defaultStateHome } from '../../config/state';
import { dockerEngine } from '../docker';
import { ExternalError, messageOf } from '../errors';
import { waitForLock } from '../lock';
import { run } from './command';
import { findProgram, type Machine } from './machine';
import type { StepContext } from './step';

/** How long a Docker Engine may take to say that it is there. */
const ANSWER_MILLISECONDS = 10_000;
/** How long an engine that was started here may take until it answers. */
const START_MILLISECONDS = 60_000;
const POLL_MILLISECONDS = 200;

/** What an engine says about itself. */
export interface EngineInfo {
  readonly version: string;
  /** Architecture in Go's spelling, such as `amd64`. */
  readonly architecture: string;
}

/** Where `docker` and the Terraform provider will look: DOCKER_HOST, else the default socket. */
export function dockerHost(env: NodeJS.ProcessEnv = process.env): string {
  const host = env.DOCKER_HOST;
  return host === undefined || host === '' ? 'the default socket, unix:///var/run/docker.sock' : `DOCKER_HOST, ${host}`;
}

/** Asks the engine who it is; says why it did not answer instead. */
export async function askEngine(timeout = ANSWER_MILLISECONDS): Promise<EngineInfo | { readonly problem: string }> {
  const late = new AbortController();
  try {
    const version = await Promise.race([
      dockerEngine().version(),
      delay(timeout, undefined, { signal: late.signal }).then(() => {
        throw new Error(`no answer within ${timeout / 1000} s`);
      }),
    ]);
    return { version: version.Version, architecture: version.Arch };
  } catch (error) {
    return { problem: messageOf(error) };
  } finally {
    late.abort();
  }
}

/** Whether this machine may install and start an engine of its own: a host that was named is another's business. */
export function mayStartEngine(machine: Machine, env: NodeJS.ProcessEnv = process.env): boolean {
  return machine.root && machine.apt && !env.DOCKER_HOST;
}

/** The error for an engine that does not answer and cannot be started here. */
export function engineUnreachable(problem: string, env: NodeJS.ProcessEnv = process.env): ExternalError {
  return new ExternalError(
    `no Docker Engine answers at ${dockerHost(env)}: ${problem}`,
    env.DOCKER_HOST
      ? 'Correct or unset DOCKER_HOST, or start the engine there.'
      : problem.includes('EACCES')
        ? 'This user may not use the socket: join the group docker (sudo usermod -aG docker "$USER"; log in again), or name a rootless engine by DOCKER_HOST.'
        : 'Start Docker Engine 20.10 or newer (https://docs.docker.com/engine/install/), or name one by DOCKER_HOST. On Debian and Ubuntu, root may leave that to this command.',
  );
}

/** Makes sure that an engine answers; starts dockerd where that is allowed. */
export async function ensureEngine(machine: Machine, context: StepContext): Promise<EngineInfo> {
  const first = await askEngine();
  if (!('problem' in first)) return first;
  if (!mayStartEngine(machine)) throw engineUnreachable(first.problem);
  const lock = await waitForLock(path.join(defaultStateHome(), 'dockerd.lock'), 'starting Docker', {
    signal: context.signal,
    onProgress: context.report,
  });
  try {
    // another command may have started it while this one waited
    const again = await askEngine();
    return 'problem' in again ? await startEngine(context) : again;
  } finally {
    await lock.release();
  }
}

async function startEngine(context: StepContext): Promise<EngineInfo> {
  const logFile = path.join(defaultStateHome(), 'dockerd.log');
  await mkdir(path.dirname(logFile), { recursive: true });
  if (existsSync('/run/systemd/system')) {
    context.report('systemctl start docker');
    await run('systemctl', ['start', 'docker'], { logFile, signal: context.signal });
    return waitForEngine(context, logFile);
  }
  context.report('starting dockerd');
  // dockerd is installed in a system folder that PATH need not have
  const dockerd = findProgram('dockerd', [], `${process.env.PATH ?? ''}:/usr/sbin:/usr/local/sbin`);
  if (dockerd === undefined) throw new ExternalError('dockerd was installed but is not on PATH');
  const log = openSync(logFile, 'a', 0o600);
  // a session of its own: it outlives this command and its terminal
  const daemon = spawn(dockerd, [], { detached: true, stdio: ['ignore', log, log], cwd: '/' });
  daemon.unref();
  return waitForEngine(context, logFile, daemon);
}

async function waitForEngine(context: StepContext, logFile: string, daemon?: ChildProcess): Promise<EngineInfo> {
  let failure: string | undefined;
  daemon?.once('error', (error) => (failure = error.message));
  daemon?.once('exit', (code, signal) => (failure = `dockerd ended (${signal ?? `exit code ${String(code)}`})`));
  const deadline = Date.now() + START_MILLISECONDS;
  for (;;) {
    const answer = await askEngine();
    if (!('problem' in answer)) return answer;
    if (failure !== undefined || Date.now() > deadline) {
      throw new ExternalError(
        `Docker Engine did not start: ${failure ?? `no answer for ${START_MILLISECONDS / 1000} s`}. ` +
          `Last seen: ${answer.problem}\n  ${lastLines(logFile, 8).join('\n  ')}\n  log: ${logFile}`,
        'Start Docker by hand until `docker info` answers, then run this again.',
      );
    }
    await delay(POLL_MILLISECONDS, undefined, { signal: context.signal });
  }
}

function lastLines(file: string, count: number): string[] {
  return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-count);
}
