/** Finds a Docker Engine that answers, or starts one where this machine allows it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, openSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type Docker from 'dockerode';
import { describeEngine, type EngineAddress, resolveEngine } from '../../../config/docker/docker-engine';
import { defaultStateHome } from '../../../config/state/layout';
import { dockerEngine } from '../docker';
import { ExternalError, messageOf } from '../../lib/errors';
import { waitForLock } from '../../lib/lock';
import { run } from '../../lib/command';
import { findProgram, type Machine } from '../../lib/machine';
import type { StepContext } from '../../lib/step';

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

/** Why an engine did not say anything. */
export interface EngineProblem {
  readonly problem: string;
  readonly cause: unknown;
}

/**
 * Asks the engine who it is; says why it did not answer instead.
 *
 * @throws ExternalError if it is another program that speaks Docker's API
 */
export async function askEngine(timeout = ANSWER_MILLISECONDS): Promise<EngineInfo | EngineProblem> {
  const late = new AbortController();
  let version: Docker.DockerVersion;
  try {
    version = await Promise.race([
      dockerEngine().version(),
      delay(timeout, undefined, { signal: late.signal }).then(() => {
        throw new Error(`no answer within ${timeout / 1000} s`);
      }),
    ]);
  } catch (error) {
    return { problem: messageOf(error), cause: error };
  } finally {
    late.abort();
  }
  requireDocker(version);
  return { version: version.Version, architecture: version.Arch };
}

/** Podman speaks Docker's API; what a deployment needs of it was not tried (legacy builds, file volumes, restarts). */
function requireDocker(version: {
  readonly Components?: readonly { readonly Name: string; readonly Version: string }[];
}): void {
  // containers/podman, pkg/api/handlers/compat/version.go
  const podman = version.Components?.find(({ Name }) => /podman/i.test(Name));
  if (podman === undefined) return;
  throw new ExternalError(
    `${podman.Name} ${podman.Version} answers at ${describeEngine(resolveEngine({}, process.env))}, and is no Docker Engine`,
    'Name a Docker Engine 20.10 or newer by docker.host, DOCKER_HOST or `docker context use`.',
  );
}

/** Whether this machine may install and start an engine of its own: one that was named is another's business. */
export function mayStartEngine(machine: Machine, { namedBy }: EngineAddress): boolean {
  return machine.root && machine.apt && namedBy === undefined;
}

/** The error for an engine that does not answer and cannot be started here. */
export function engineUnreachable(cause: unknown, engine: EngineAddress): ExternalError {
  const problem = messageOf(cause);
  if (cause instanceof ExternalError) {
    return new ExternalError(`no Docker Engine answers at ${describeEngine(engine)}: ${problem}`, cause.hint, {
      cause,
    });
  }
  return new ExternalError(
    `no Docker Engine answers at ${describeEngine(engine)}: ${problem}`,
    engine.namedBy !== undefined
      ? 'Correct what names it, or start the engine there: `docker version` must answer with the same settings.'
      : problem.includes('EACCES')
        ? 'This user may not use the socket: join the group docker (sudo usermod -aG docker "$USER"; log in again), or name a rootless engine by DOCKER_HOST.'
        : 'Start Docker Engine 20.10 or newer (https://docs.docker.com/engine/install/), or name one by DOCKER_HOST. On Debian and Ubuntu, root may leave that to this command.',
  );
}

/** Makes sure that an engine answers; starts dockerd where that is allowed. */
export async function ensureEngine(machine: Machine, context: StepContext): Promise<EngineInfo> {
  const engine = resolveEngine({}, process.env);
  const first = await askEngine();
  if (!('problem' in first)) return first;
  if (!mayStartEngine(machine, engine)) throw engineUnreachable(first.cause, engine);
  const lock = await waitForLock(path.join(defaultStateHome(), 'dockerd.lock'), 'starting Docker', {
    signal: context.signal,
    onProgress: context.report,
  });
  try {
    // another command may have started it while this one waited
    const again = await askEngine();
    return 'problem' in again ? await startEngine(context) : again;
  } finally {
    lock.release();
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
  const deadline = performance.now() + START_MILLISECONDS;
  for (;;) {
    const answer = await askEngine();
    if (!('problem' in answer)) return answer;
    if (failure !== undefined || performance.now() > deadline) {
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
