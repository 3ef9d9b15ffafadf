/**
 * Where built programs, image contexts and providers are kept: outside the clone, so that a second clone and a
 * `git clean` reuse them. Everything below it is keyed by content and may be deleted at any time.
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { requireOwnFolders } from '../lib/own-folder';
import { waitForLock } from '../lib/lock';

/** The folders of the toolchain cache. */
export interface CacheLayout {
  readonly root: string;
  /** One folder per Go program and build key, holding the binary. */
  readonly programs: string;
  /** One folder per image and input key, holding `context/` and `hash`. */
  readonly images: string;
  /** Terraform filesystem mirrors, one per set of provider builds. */
  readonly mirrors: string;
  /** What the compilers said. */
  readonly logs: string;
}

/** An XDG base folder; the specification says that a relative value is to be ignored. */
function xdgFolder(variable: string, fallback: string, env: NodeJS.ProcessEnv = process.env): string {
  const value = env[variable];
  return value !== undefined && path.isAbsolute(value) ? value : path.join(env.HOME ?? homedir(), fallback);
}

export function cacheLayout(env: NodeJS.ProcessEnv = process.env): CacheLayout {
  const root = path.join(xdgFolder('XDG_CACHE_HOME', '.cache', env), 'encrypted-backup-storage');
  return {
    root,
    programs: path.join(root, 'programs'),
    images: path.join(root, 'images'),
    mirrors: path.join(root, 'mirrors'),
    logs: path.join(root, 'logs'),
  };
}

/**
 * What is in the cache is run, and goes into images, because it is there. So no other user may write to it.
 *
 * @throws UsageError that names the first folder that another user owns, or that others may write to
 */
export function requireOwnCache(cache: CacheLayout): void {
  requireOwnFolders(
    [cache.root, cache.programs, cache.images, cache.mirrors],
    'What is in it is run',
    'Remove it, or name a folder of your own by XDG_CACHE_HOME.',
  );
}

/** How a long piece of work is watched and stopped. */
export interface WorkOptions {
  readonly signal?: AbortSignal | undefined;
  /** Told what is going on, as it changes. */
  readonly onProgress?: (detail: string) => void;
}

/**
 * Makes a folder of the cache unless it is there. It is filled under another name and only then gets its own, so a
 * folder that exists is complete. Of several processes that want it, one works and the others wait for its result.
 *
 * @param what completes the sentence "process 1 is …"
 */
export async function provideFolder(
  folder: string,
  what: string,
  options: WorkOptions,
  fill: (temporary: string) => Promise<void>,
): Promise<void> {
  if (existsSync(folder)) return;
  const lock = await waitForLock(`${folder}.lock`, what, options);
  try {
    if (existsSync(folder)) return;
    // a run that was killed left its own; under the lock no other process works there
    for (const name of await readdir(path.dirname(folder))) {
      if (name.startsWith(`${path.basename(folder)}.tmp-`)) await remove(path.join(path.dirname(folder), name));
    }
    const temporary = `${folder}.tmp-${randomBytes(6).toString('hex')}`;
    try {
      await mkdir(temporary);
      await fill(temporary);
      await rename(temporary, folder);
    } finally {
      await remove(temporary);
    }
  } finally {
    lock.release();
  }
}

async function remove(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
}
