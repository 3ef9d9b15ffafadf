/** Runs programs for the end-to-end tests: everything they print is kept, for the search for secrets. */
import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync } from 'node:fs';

export interface CommandOptions {
  readonly cwd?: string;
  /** Added to the environment; `undefined` takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Everything the program prints is appended here. */
  readonly transcript?: string;
  /** @default 15 minutes, then it is interrupted: nothing that works takes as long, on whatever machine */
  readonly timeoutMs?: number;
  readonly onStart?: (pid: number) => void;
}

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
}

/** Whatever the exit code is, it is a result. */
export async function runCommand(
  program: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const started = performance.now();
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: Object.fromEntries(
      Object.entries({ ...process.env, ...options.env }).filter(([, value]) => value !== undefined),
    ),
  });
  if (child.pid !== undefined) options.onStart?.(child.pid);
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  const timer = setTimeout(() => child.kill('SIGINT'), options.timeoutMs ?? 900_000);
  const code = await new Promise<number>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (exitCode, signal) => {
      resolve(exitCode ?? (signal === null ? -1 : 128));
    });
  });
  clearTimeout(timer);
  const result = {
    code,
    stdout: Buffer.concat(stdout).toString('utf8'),
    stderr: Buffer.concat(stderr).toString('utf8'),
    seconds: (performance.now() - started) / 1000,
  };
  if (options.transcript !== undefined) {
    appendFileSync(options.transcript, `# ${program} ${args.join(' ')}\n${result.stdout}\n${result.stderr}\n`);
  }
  return result;
}

/** @throws Error with the end of what it printed, unless it ended with exit code 0 */
export function mustSucceed(result: CommandResult): CommandResult {
  if (result.code === 0) return result;
  const tail = (text: string): string => text.trimEnd().split('\n').slice(-40).join('\n');
  // first the cause: CI may show no more than the beginning
  const [cause = ''] = /^error: .*$/m.exec(result.stderr) ?? [];
  throw new Error(`exit code ${result.code}: ${cause}\n${tail(result.stdout)}\n${tail(result.stderr)}`);
}

/** The output of a program that must succeed. */
export async function output(program: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  return mustSucceed(await runCommand(program, args, options)).stdout;
}

/** Ends a server of a test and waits for that, unless it has ended already. */
export async function endServer(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const ended = new Promise((resolve) => server.once('exit', resolve));
  server.kill('SIGTERM');
  await ended;
}
