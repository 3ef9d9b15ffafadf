import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ExternalError } from '../../operations/errors';
import { type LockHolder, processStart, tryLock, waitForLock, withLock } from '../../operations/lock';
import { useTemporaryFolder } from '../helpers/temporary-folder';
import { rejectionOf } from '../helpers/thrown';

const folder = useTemporaryFolder();
const lockFile = () => path.join(folder(), 'lock');

/** Another process, which does nothing. */
function otherProcess(): { child: ChildProcess; pid: number } {
  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  if (child.pid === undefined) throw new Error('sleep did not start');
  return { child, pid: child.pid };
}

function heldBy(pid: number, started = processStart(pid) ?? ''): LockHolder {
  const holder: LockHolder = {
    id: 'other',
    pid,
    started,
    what: 'deploying local',
    command: 'up.ts local',
    since: '2026-01-02T03:04:05.000Z',
  };
  writeFileSync(lockFile(), JSON.stringify(holder));
  return holder;
}

async function ended(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

test('refuses while another process works, says which and since when, and does nothing', async () => {
  // GIVEN
  const { child, pid } = otherProcess();
  heldBy(pid);
  const action = jest.fn(() => Promise.resolve());

  // WHEN
  const error = await rejectionOf(withLock(lockFile(), 'deploying local', action));

  // THEN
  expect(error).toBeInstanceOf(ExternalError);
  expect(error.message).toBe(`process ${pid} (up.ts local) has been deploying local since 2026-01-02T03:04:05.000Z`);
  expect(error).toMatchObject({ hint: `Wait until it is done, or end it with: kill ${pid}` });
  expect(action).not.toHaveBeenCalled();
  await ended(child);
});

test('a lock whose process was killed is taken over', async () => {
  const { child, pid } = otherProcess();
  heldBy(pid);
  await ended(child);
  await expect(withLock(lockFile(), 'deploying local', () => Promise.resolve('done'))).resolves.toBe('done');
});

test('a lock whose process id belongs to a younger process is taken over', async () => {
  const { child, pid } = otherProcess();
  heldBy(pid, 'another-boot/12345');
  await expect(withLock(lockFile(), 'deploying local', () => Promise.resolve('done'))).resolves.toBe('done');
  await ended(child);
});

test('is released after success and after failure, and leaves nothing', async () => {
  await withLock(lockFile(), 'deploying local', () => {
    expect(JSON.parse(readFileSync(lockFile(), 'utf8'))).toMatchObject({ pid: process.pid, what: 'deploying local' });
    return Promise.resolve();
  });
  await rejectionOf(withLock(lockFile(), 'deploying local', () => Promise.reject(new Error('broken'))));
  expect(readdirSync(folder())).toEqual([]);
});

test('of many that find a stale lock at once, exactly one gets it', async () => {
  // GIVEN
  const { child, pid } = otherProcess();
  heldBy(pid);
  await ended(child);

  // WHEN
  const results = await Promise.all(Array.from({ length: 20 }, () => tryLock(lockFile(), 'racing')));

  // THEN
  expect(results.filter((result) => 'release' in result)).toHaveLength(1);
});

test('a waiter gets the lock when its holder is gone, and says whom it waited for', async () => {
  // GIVEN
  const { child, pid } = otherProcess();
  heldBy(pid);
  const said: string[] = [];

  // WHEN
  const waiting = waitForLock(lockFile(), 'building vault', {
    onProgress: (detail) => {
      said.push(detail);
      child.kill('SIGKILL');
    },
  });
  const lock = await waiting;

  // THEN
  expect(said[0]).toBe(`waiting: process ${pid} (up.ts local) has been deploying local since 2026-01-02T03:04:05.000Z`);
  await lock.release();
  expect(existsSync(lockFile())).toBe(false);
});

test('a waiter that is interrupted stops waiting', async () => {
  const { child, pid } = otherProcess();
  heldBy(pid);
  const interruption = new AbortController();
  const waiting = waitForLock(lockFile(), 'building vault', {
    signal: interruption.signal,
    onProgress: () => {
      interruption.abort();
    },
  });
  await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
  await ended(child);
});

test('a file that is no lock is not touched', async () => {
  writeFileSync(lockFile(), 'my notes');
  const error = await rejectionOf(withLock(lockFile(), 'deploying local', () => Promise.resolve()));
  expect(error.message).toBe(`the lock file ${lockFile()} cannot be read`);
  expect(readFileSync(lockFile(), 'utf8')).toBe('my notes');
});
