/**
 * Looks after what a run of the checks would leave behind if it were killed: a process of its own that holds a pipe to
 * the run. When the pipe closes before the run dismissed it, it deletes the run's buckets and starts the containers that
 * the run had stopped.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { z } from 'zod';
import { ownProgram } from '../../lib/project-root';

/** How the cleanup watchdog reaches the S3 API. It reads the credentials where the run has read them; none is told to it. */
const guardedTarget = z.strictObject({
  url: z.string(),
  caFile: z.string().optional(),
  serverName: z.string().optional(),
  region: z.string(),
  /** File with `{accessKey, secretKey}`. Absent: the usual chain of the AWS SDK. */
  credentialsFile: z.string().optional(),
});
export type GuardedTarget = z.infer<typeof guardedTarget>;

/** A container of an environment. */
const guardedContainer = z.strictObject({
  name: z.string(),
  environment: z.string(),
  /** What the environment file says about its engine. */
  docker: z.strictObject({ host: z.string().optional(), certPath: z.string().optional() }),
});
export type GuardedContainer = z.infer<typeof guardedContainer>;

/** What a run tells its cleanup watchdog, a line of JSON each, always before it does it. */
export const watchdogNote = z.union([
  z.strictObject({ target: guardedTarget }),
  z.strictObject({ bucket: z.string() }),
  z.strictObject({ stopped: guardedContainer }),
  z.strictObject({ started: guardedContainer }),
]);
export type WatchdogNote = z.infer<typeof watchdogNote>;

export class CleanupWatchdog {
  private readonly child: ChildProcess;

  /** Starts beside the run, which does not wait for it: what it is told meanwhile stays in the pipe. */
  constructor(target: GuardedTarget) {
    // a session of its own, so that neither Ctrl-C nor a closed terminal ends it together with the run
    this.child = spawn(process.execPath, ownProgram('operations/checks/outage/cleanup-watchdog-process'), {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    // without a cleanup watchdog a run still cleans up after itself, and the next one after it
    this.child.on('error', () => undefined);
    this.child.stdin?.on('error', () => undefined);
    this.child.unref();
    this.note({ target });
  }

  note(note: WatchdogNote): void {
    this.child.stdin?.write(`${JSON.stringify(note)}\n`);
  }

  /** The run has put everything back itself. */
  async dismiss(): Promise<void> {
    const { child } = this;
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.ref();
    // it has nothing to do and nothing to lose, and is not even up yet in a short run
    child.kill('SIGKILL');
    await ended;
  }
}
