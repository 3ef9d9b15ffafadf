import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { ExternalError } from '../../../operations/lib/errors';
import { type Lock, lockHolder, tryLock, waitForLock, withLock } from '../../../operations/lib/lock';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { rejectionOf } from '../../helpers/thrown';

const folder = useTemporaryFolder();
const lockFile = () => path.join(folder(), 'lock');

const SINCE = '2026-01-02T03:04:05.000Z';

/** Another process has the lock, as a command would, until it ends. */
async function heldByOther(file = lockFile(), more: object = {}): Promise<ChildProcess & { readonly pid: number }> {
  writeFileSync(file, '');
  const child = spawn('flock', ['-x', '-F', file, 'sh', '-c', 'echo held; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await once(child.stdout, 'data');
  const names = { pid: child.pid, pidNamespace: readlinkSync('/proc/self/ns/pid'), host: hostname() };
  const holder = { ...names, what: 'deploying local', command: 'up.ts local', since: SINCE, ...more };
  writeFileSync(file, JSON.stringify(holder));
  return child as unknown as ChildProcess & { readonly pid: number };
}

async function ended(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

test('refuses while another process works, says which and since when, and does nothing', async () => {
  // GIVEN
  const child = await heldByOther();
  const action = jest.fn(() => Promise.resolve());

  // WHEN
  const error = await rejectionOf(withLock(lockFile(), 'deploying local', action));

  // THEN
  expect(error).toBeInstanceOf(ExternalError);
  expect(error.message).toBe(`process ${child.pid} (up.ts local) has been deploying local since ${SINCE}`);
  expect(error).toMatchObject({ hint: `Wait until it is done, or end it with: kill ${child.pid}` });
  expect(action).not.toHaveBeenCalled();
  await ended(child);
});

test('a holder of another container is no process to be killed here, whatever has its number', async () => {
  const child = await heldByOther(lockFile(), { pid: process.pid, pidNamespace: 'pid:[1]', host: 'runner-7' });
  expect(await rejectionOf(withLock(lockFile(), 'deploying local', () => Promise.resolve()))).toMatchObject({
    message: `process ${process.pid} (up.ts local) of runner-7, another container or machine, has been deploying local since ${SINCE}`,
    hint: 'Wait until it is done, or end it there.',
  });
  await ended(child);
});

test('a lock whose process was killed is taken over', async () => {
  const child = await heldByOther();
  expect(await lockHolder(lockFile())).toMatchObject({ pid: child.pid });
  await ended(child);
  expect(await lockHolder(lockFile())).toBeUndefined();
  await expect(withLock(lockFile(), 'deploying local', () => Promise.resolve('done'))).resolves.toBe('done');
});

test('is released after success and after failure, and leaves nothing', async () => {
  await withLock(lockFile(), 'deploying local', () => {
    expect(JSON.parse(readFileSync(lockFile(), 'utf8'))).toMatchObject({ pid: process.pid, what: 'deploying local' });
    expect(process.env.EBS_LOCKS_HELD).toBe(`:${lockFile()}:`);
    return Promise.resolve();
  });
  await rejectionOf(withLock(lockFile(), 'deploying local', () => Promise.reject(new Error('broken'))));
  expect(process.env).not.toHaveProperty('EBS_LOCKS_HELD');
  expect(readdirSync(folder())).toEqual([]);
});

test('of many that want it at once, exactly one gets it', async () => {
  const child = await heldByOther();
  await ended(child);
  const results = await Promise.all(Array.from({ length: 10 }, () => tryLock(lockFile(), 'racing')));
  const [lock, ...others] = results.filter((result): result is Lock => 'release' in result);
  expect(others).toEqual([]);
  lock?.release();
});

test('who only looks is in nobody’s way', async () => {
  const results = await Promise.all(
    Array.from({ length: 10 }, async (_, index) => {
      if (index % 2 === 0) return lockHolder(lockFile());
      return withLock(path.join(folder(), `lock-${index}`), 'working', () =>
        lockHolder(path.join(folder(), `lock-${index}`)),
      );
    }),
  );
  expect(results.map((holder) => holder?.what)).toEqual(Array.from({ length: 5 }, () => [undefined, 'working']).flat());
});

test('a waiter gets the lock when its holder is gone, and says whom it waited for', async () => {
  // GIVEN
  const child = await heldByOther();
  const said: string[] = [];

  // WHEN
  const lock = await waitForLock(lockFile(), 'building vault', {
    onProgress: (detail) => {
      said.push(detail);
      child.kill('SIGKILL');
    },
  });

  // THEN
  expect(said[0]).toBe(`waiting: process ${child.pid} (up.ts local) has been deploying local since ${SINCE}`);
  lock.release();
  expect(existsSync(lockFile())).toBe(false);
});

test('a waiter that is interrupted stops waiting', async () => {
  const child = await heldByOther();
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
