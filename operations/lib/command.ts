/** Child processes: their output goes to a log file, the last lines are kept for the error. */
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, openSync, writeSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';

/** How many lines of output an error repeats. */
const TAIL_LINES = 15;

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Receives stdout and stderr, appended. */
  readonly logFile: string;
  /** Interrupts the child when aborted. */
  readonly signal?: AbortSignal | undefined;
  /** Gives the child a session of its own, which a Ctrl-C at the terminal does not reach. @default false */
  readonly detached?: boolean;
  /** What of a line goes to the log. @default - the output as it comes */
  readonly logged?: (line: string) => string | undefined;
  /** Called with every line, as it comes. */
  readonly onLine?: (line: string) => void;
  /** Lines that are mere progress: an error does not repeat them. */
  readonly isProgress?: (line: string) => boolean;
}

/** What went wrong with a child. */
interface Failure {
  readonly text: string;
  readonly exitCode?: number;
}

/** A child that ended with something else than 0. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  /** The last lines that it printed. */
  readonly tail: readonly string[];
  readonly logFile: string;
  /** `undefined` where it could not be started or was ended by a signal. */
  readonly exitCode: number | undefined;

  constructor(command: string, { text, exitCode }: Failure, tail: readonly string[], logFile: string) {
    super(`\`${command}\` ${text}`);
    this.exitCode = exitCode;
    this.tail = tail;
    this.logFile = logFile;
  }

  /** What the child said last and where the rest is, for a message to people. */
  describe(): string {
    const said = this.tail.length > 0 ? `\n  ${this.tail.join('\n  ')}` : ' (no output)';
    return `${this.message}. Its last lines:${said}\n  log: ${this.logFile}`;
  }
}

/** Runs a command to its end; rejects with {@link CommandError} where it fails. */
export async function run(command: string, args: readonly string[], options: RunOptions): Promise<void> {
  options.signal?.throwIfAborted();
  await mkdir(path.dirname(options.logFile), { recursive: true });
  const shown = [path.basename(command), ...args].join(' ');
  const tail: string[] = [];
  const takeLine = (line: string): void => {
    if (line.trim() !== '' && options.isProgress?.(line) !== true) {
      tail.push(line);
      if (tail.length > TAIL_LINES) tail.shift();
    }
    options.onLine?.(line);
  };
  const log = openSync(options.logFile, 'a', 0o600);
  try {
    writeSync(log, `\n# ${new Date().toISOString()} ${shown}\n`);
    const failure = await runLogged(command, args, options, log, takeLine);
    // an interrupted child is the interruption, not a failure of its own
    options.signal?.throwIfAborted();
    if (failure !== undefined) throw new CommandError(shown, failure, tail, options.logFile);
  } finally {
    closeSync(log);
  }
}

/** Resolves to what went wrong with the child; rejects where its output could not be logged. */
async function runLogged(
  command: string,
  args: readonly string[],
  options: RunOptions,
  log: number,
  takeLine: (line: string) => void,
): Promise<Failure | undefined> {
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: options.detached ?? false,
    ...(options.cwd !== undefined && { cwd: options.cwd }),
    ...(options.env !== undefined && { env: options.env }),
  });
  let interrupted = false;
  const interrupt = (): void => {
    // a second one makes Terraform give up without saving
    if (interrupted) return;
    interrupted = true;
    // not SIGTERM, at which the go command would leave its work folder behind
    child.kill('SIGINT');
  };
  let logFailure: Error | undefined;
  const takeChunk = (chunk: string): void => {
    try {
      if (logFailure === undefined) writeSync(log, chunk);
    } catch (error) {
      // a full disk; thrown from here it would end the whole program
      logFailure = error as Error;
      interrupt();
    }
  };
  const take = (line: string): void => {
    const logged = options.logged?.(line);
    if (logged !== undefined) takeChunk(`${logged}\n`);
    takeLine(line);
  };
  for (const stream of [child.stdout, child.stderr]) {
    let rest = '';
    stream.setEncoding('utf8');
    stream.on('data', (chunk: string) => {
      if (options.logged === undefined) takeChunk(chunk);
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      lines.forEach(take);
    });
    stream.on('end', () => {
      if (rest !== '') take(rest);
    });
  }
  options.signal?.addEventListener('abort', interrupt, { once: true });
  try {
    const failure = await new Promise<Failure | undefined>((resolve) => {
      child.on('error', (error) => {
        resolve({ text: `could not be started: ${error.message}` });
      });
      child.on('close', (code, signal) => {
        if (code === 0) resolve(undefined);
        else if (code === null) resolve({ text: `was ended by ${String(signal)}` });
        else resolve({ text: `failed with exit code ${code}`, exitCode: code });
      });
    });
    if (logFailure !== undefined) throw logFailure;
    return failure;
  } finally {
    options.signal?.removeEventListener('abort', interrupt);
  }
}

/** What a short command printed; `undefined` where it is not installed or failed. */
export function capture(
  command: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): string | undefined {
  const result = spawnSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], ...options });
  return result.status === 0 ? result.stdout.trim() : undefined;
}
