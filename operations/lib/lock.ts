/**
 * Locks between processes, held by the kernel on a file (flock(2)): a lock ends with its process, however that ends, and
 * counts in every container that has the file, where process ids mean nothing. Node has no call for it; flock(1) of
 * util-linux takes the lock on a file that this process has open, and the lock stays when it ends.
 *
 * The file names its holder, for messages only.
 */
import { spawn } from 'node:child_process';
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  readlinkSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { ExternalError } from './errors';

const holderSchema = z.object({
  pid: z.number().int().positive(),
  /** In which container or on which machine the pid means anything. */
  pidNamespace: z.string().default(''),
  host: z.string().default(''),
  what: z.string(),
  command: z.string(),
  since: z.iso.datetime(),
});

/** Who holds a lock. */
export type LockHolder = z.infer<typeof holderSchema>;

/** A lock that is held until it is released, or until this process ends. */
export interface Lock {
  release(): void;
}

/** How often a waiting process looks again whether the lock is free. */
const POLL_MILLISECONDS = 250;

const RETRY_MILLISECONDS = 20;
/** After so many times a lock is taken for held. */
const REFUSAL_TRIES = 3;
/** After so many times a file that names no holder is taken for another file. */
const NAME_TRIES = 100;

/** Says which locks our own children need not take: toolchain/terraform/bin/terraform reads it. */
const HELD_VARIABLE = 'EBS_LOCKS_HELD';

/**
 * Takes the lock, or says who holds it.
 *
 * @throws ExternalError if the file holds something else, which is not touched
 */
export async function tryLock(file: string, what: string): Promise<Lock | LockHolder> {
  await mkdir(path.dirname(file), { recursive: true });
  for (let tries = 1; ; tries += 1) {
    const descriptor = openSync(file, constants.O_RDWR | constants.O_CREAT, 0o600);
    let kept = false;
    try {
      const free = await flock(descriptor, 'exclusive');
      // whoever had it may have removed the file since it was opened here
      if (free && !isStill(descriptor, file)) continue;
      const written = await readFile(file, 'utf8').catch(() => '');
      const holder = holderOf(written);
      if (holder === undefined && (free ? written !== '' : tries >= NAME_TRIES)) {
        throw new ExternalError(`the lock file ${file} cannot be read`, 'Remove it where no other command is at work.');
      }
      if (free) {
        kept = true;
        ftruncateSync(descriptor);
        writeSync(descriptor, `${JSON.stringify(thisProcess(what))}\n`, 0);
        return new HeldLock(file, descriptor);
      }
      // who only looked, see lockHolder, is gone by then, and who has it has written its name
      if (holder !== undefined && tries >= REFUSAL_TRIES) return holder;
    } finally {
      if (!kept) closeSync(descriptor);
    }
    await delay(RETRY_MILLISECONDS);
  }
}

class HeldLock implements Lock {
  private readonly file: string;
  private readonly descriptor: number;

  constructor(file: string, descriptor: number) {
    this.file = file;
    this.descriptor = descriptor;
  }

  release(): void {
    if (isStill(this.descriptor, this.file)) rmSync(this.file);
    closeSync(this.descriptor);
  }
}

/** Who holds the lock at the moment; `undefined` where it is free. */
export async function lockHolder(file: string): Promise<LockHolder | undefined> {
  let descriptor: number;
  try {
    descriptor = openSync(file, constants.O_RDONLY);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    if (await flock(descriptor, 'shared')) return undefined;
    return holderOf(await readFile(file, 'utf8').catch(() => ''));
  } finally {
    closeSync(descriptor);
  }
}

/** A lock that someone else holds, for a message. */
export function describeHolder(holder: LockHolder): string {
  const where = isHere(holder) ? '' : ` of ${holder.host}, another container or machine,`;
  return `process ${holder.pid} (${holder.command})${where} has been ${holder.what} since ${holder.since}`;
}

/** Runs `action` alone: refuses at once where another process holds the lock. */
export async function withLock<T>(file: string, what: string, action: () => Promise<T>): Promise<T> {
  const lock = await tryLock(file, what);
  if (!('release' in lock)) {
    throw new ExternalError(
      describeHolder(lock),
      isHere(lock)
        ? `Wait until it is done, or end it with: kill ${lock.pid}`
        : 'Wait until it is done, or end it there.',
    );
  }
  const before = process.env[HELD_VARIABLE];
  process.env[HELD_VARIABLE] = `${before ?? ':'}${file}:`;
  try {
    return await action();
  } finally {
    if (before === undefined) Reflect.deleteProperty(process.env, HELD_VARIABLE);
    else process.env[HELD_VARIABLE] = before;
    lock.release();
  }
}

/** Waits for the lock as long as it is held; for work of which every waiter wants the result. */
export async function waitForLock(
  file: string,
  what: string,
  options: { signal?: AbortSignal | undefined; onProgress?: (detail: string) => void } = {},
): Promise<Lock> {
  for (;;) {
    const lock = await tryLock(file, what);
    if ('release' in lock) return lock;
    options.onProgress?.(`waiting: ${describeHolder(lock)}`);
    await delay(POLL_MILLISECONDS, undefined, options.signal && { signal: options.signal });
  }
}

/** @returns whether the lock was free; it is this process's then, as long as the descriptor is open */
async function flock(descriptor: number, kind: 'exclusive' | 'shared'): Promise<boolean> {
  // the child's 3 is this process's descriptor, with the lock on it
  const child = spawn('flock', [kind === 'exclusive' ? '-x' : '-s', '-n', '3'], {
    stdio: ['ignore', 'ignore', 'pipe', descriptor],
  });
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString('utf8')));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', (error) => {
      reject(
        new ExternalError(
          `flock cannot be started: ${error.message}`,
          'Install util-linux; on macOS: brew install flock.',
          { cause: error },
        ),
      );
    });
    child.once('close', resolve);
  });
  if (code === 0) return true;
  // util-linux and BusyBox end with 1, and say nothing, where the lock is held
  if (code === 1 && said === '') return false;
  throw new ExternalError(
    `the file system cannot lock: flock ended with ${code ?? 'a signal'}: ${said.trim()}`,
    'Put the state folder on another one.',
  );
}

function isStill(descriptor: number, file: string): boolean {
  const there = statSync(file, { throwIfNoEntry: false });
  const { ino, dev } = fstatSync(descriptor);
  return there?.ino === ino && there.dev === dev;
}

function holderOf(text: string): LockHolder | undefined {
  try {
    return holderSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

function thisProcess(what: string): LockHolder {
  const command = process.argv
    .slice(1)
    .map((argument, index) => (index === 0 ? path.basename(argument) : argument))
    .join(' ');
  const since = new Date().toISOString();
  return { pid: process.pid, pidNamespace: pidNamespace(), host: hostname(), what, command, since };
}

function isHere(holder: LockHolder): boolean {
  return holder.pidNamespace === pidNamespace() && holder.host === hostname();
}

function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return '';
  }
}
