/**
 * Locks between processes of one machine, held as files.
 *
 * A lock file is created whole (a link to a file that is already written, which fails where one exists) and names its
 * holder by process id, start time and boot: a lock survives `kill -9` and reboots as a file, but not as a lock.
 */
import { randomBytes } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { ExternalError } from './errors';

const holderSchema = z.object({
  /** Distinguishes this holding of the lock from every other. */
  id: z.string(),
  pid: z.number().int().positive(),
  /** When the process began, as the system counts it; a pid alone may be in use again. */
  started: z.string(),
  what: z.string(),
  command: z.string(),
  since: z.iso.datetime(),
});

/** Who holds a lock. */
export type LockHolder = z.infer<typeof holderSchema>;

/** A lock that is held until it is released. */
export interface Lock {
  release(): Promise<void>;
}

/** How often a waiting process looks again whether the lock is free. */
const POLL_MILLISECONDS = 250;

/** Identifies a running process for as long as the machine is up; `undefined` where there is none. */
export function processStart(pid: number): string | undefined {
  try {
    // the second field is the program's name in brackets and may itself hold spaces and brackets
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\)\s+/s, '')
      .split(' ');
    if (fields[0] === 'Z') return undefined;
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}/${fields[19] ?? ''}`;
  } catch {
    // no such process, or a system without /proc
    const printed = spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' });
    return printed.status === 0 ? printed.stdout.trim() : undefined;
  }
}

async function readHolder(file: string): Promise<LockHolder | 'free' | 'unreadable'> {
  try {
    const parsed = holderSchema.safeParse(JSON.parse(await readFile(file, 'utf8')));
    return parsed.success ? parsed.data : 'unreadable';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'free' : 'unreadable';
  }
}

/** Creates the file with this content, unless it exists. */
async function claim(file: string, holder: LockHolder): Promise<boolean> {
  const temporary = `${file}.${holder.id}`;
  await writeFile(temporary, `${JSON.stringify(holder)}\n`, { mode: 0o600 });
  try {
    await link(temporary, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(temporary, { force: true });
  }
}

/**
 * Removes the lock of a holder that is gone. Only one process ever gets the claim on breaking this one holding, and it
 * looks again before it removes, so that a lock taken in the meantime is never removed.
 */
async function breakStale(file: string, stale: LockHolder, self: LockHolder): Promise<void> {
  const claimFile = `${file}.stale-${stale.id}`;
  if (!(await claim(claimFile, self))) {
    const breaker = await readHolder(claimFile);
    if (typeof breaker === 'object' && processStart(breaker.pid) !== breaker.started)
      await rm(claimFile, { force: true });
    return;
  }
  try {
    const current = await readHolder(file);
    if (typeof current === 'object' && current.id === stale.id) await rm(file, { force: true });
  } finally {
    await rm(claimFile, { force: true });
  }
}

/** Takes the lock, or says who holds it. A lock whose process is gone is taken over. */
export async function tryLock(file: string, what: string): Promise<Lock | LockHolder> {
  await mkdir(path.dirname(file), { recursive: true });
  const self: LockHolder = {
    id: randomBytes(8).toString('hex'),
    pid: process.pid,
    started: processStart(process.pid) ?? '',
    what,
    command: process.argv
      .slice(1)
      .map((argument, index) => (index === 0 ? path.basename(argument) : argument))
      .join(' '),
    since: new Date().toISOString(),
  };
  for (;;) {
    if (await claim(file, self)) {
      return {
        release: async () => {
          const current = await readHolder(file);
          if (typeof current === 'object' && current.id === self.id) await rm(file, { force: true });
        },
      };
    }
    const holder = await readHolder(file);
    if (holder === 'free') continue;
    if (holder === 'unreadable') {
      throw new ExternalError(`the lock file ${file} cannot be read`, 'Remove it where no other command is at work.');
    }
    if (processStart(holder.pid) === holder.started) return holder;
    await breakStale(file, holder, self);
  }
}

/** Who holds the lock at the moment, without touching it; `undefined` where nobody does. */
export async function lockHolder(file: string): Promise<LockHolder | undefined> {
  const holder = await readHolder(file);
  if (typeof holder === 'string') return undefined;
  return processStart(holder.pid) === holder.started ? holder : undefined;
}

/** A lock that someone else holds, for a message. */
export function describeHolder(holder: LockHolder): string {
  return `process ${holder.pid} (${holder.command}) has been ${holder.what} since ${holder.since}`;
}

/** Runs `action` alone: refuses at once where another process holds the lock. */
export async function withLock<T>(file: string, what: string, action: () => Promise<T>): Promise<T> {
  const lock = await tryLock(file, what);
  if (!('release' in lock)) {
    throw new ExternalError(describeHolder(lock), `Wait until it is done, or end it with: kill ${lock.pid}`);
  }
  try {
    return await action();
  } finally {
    await lock.release();
  }
}

/** Waits for the lock as long as its holder lives; for work of which every waiter wants the result. */
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
