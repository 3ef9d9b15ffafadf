/** What `./scripts/test` runs: suites, each with how many tests came out how. */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { printError } from '../../../operations/lib/print-error';
import { projectRoot } from '../../../operations/lib/project-root';
import { duration } from '../../../operations/lib/text/elapsed';
import { NotYet, waitFor } from '../../../operations/lib/wait';

/** A program of the packages. */
export const bin = (program: string): string => path.join(projectRoot, 'node_modules', '.bin', program);

/** How many tests came out how. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export interface Suite {
  readonly title: string;
  readonly run: (signal: AbortSignal) => Promise<Counts>;
}

export const NONE: Counts = { passed: 0, failed: 0, skipped: 0 };
const PASSED: Counts = { ...NONE, passed: 1 };
export const FAILED: Counts = { ...NONE, failed: 1 };

/** A program whose success is one test. */
export function command(title: string, program: string, args: readonly string[]): Suite {
  return { title, run: async (signal) => ((await spawned(program, args, signal)) === 0 ? PASSED : FAILED) };
}

export function add(a: Counts, b: Counts): Counts {
  return { passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped };
}

/** One after the other. */
export async function inTurn(suites: readonly Suite[], signal: AbortSignal): Promise<Counts> {
  let total = NONE;
  for (const suite of suites) total = add(total, await timed(suite, signal));
  return total;
}

/** Says how it went, and how long it took. */
export async function timed({ title, run }: Suite, signal: AbortSignal): Promise<Counts> {
  signal.throwIfAborted();
  process.stderr.write(`… ${title}\n`);
  const started = performance.now();
  let counts: Counts;
  try {
    counts = await run(signal);
  } catch (error) {
    signal.throwIfAborted();
    printError(error);
    counts = FAILED;
  }
  signal.throwIfAborted();
  const tests = counts.passed + counts.failed;
  const summary = tests > 1 ? `: ${counts.passed} passed, ${counts.failed} failed` : '';
  process.stderr.write(
    `${counts.failed === 0 ? '✔' : '✖'} ${title}${summary} (${duration(performance.now() - started)})\n`,
  );
  return counts;
}

/** Runs a program to its end, or ends it with all that it started; what it prints goes to stderr. */
export async function spawned(
  program: string,
  args: readonly string[],
  signal: AbortSignal,
  variables: Readonly<Record<string, string>> = {},
): Promise<number> {
  const child = spawn(program, args, {
    cwd: projectRoot,
    stdio: ['ignore', 2, 2],
    env: { ...process.env, ...variables },
    // a group of its own: jest leaves its workers behind, and they would go on to deploy
    detached: true,
  });
  const interrupt = (): void => {
    signalGroup(child.pid, 'SIGINT');
  };
  signal.addEventListener('abort', interrupt, { once: true });
  try {
    return await new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code) => {
        resolve(code ?? 1);
      });
    });
  } finally {
    signal.removeEventListener('abort', interrupt);
    if (signal.aborted) await endOfGroup(child.pid);
  }
}

/** What is under way gets a minute to end well; what was deployed can be removed only then. */
async function endOfGroup(pid: number | undefined): Promise<void> {
  try {
    await waitFor({ what: 'the interrupted tests to end', timeoutMs: 60_000 }, () =>
      Promise.resolve(signalGroup(pid, 0) ? new NotYet(`process group ${pid}`) : true),
    );
  } catch {
    signalGroup(pid, 'SIGKILL');
  }
}

/** @returns whether there is such a group */
function signalGroup(pid: number | undefined, signal: NodeJS.Signals | 0): boolean {
  if (pid === undefined) return false;
  try {
    return process.kill(-pid, signal);
  } catch {
    return false;
  }
}
