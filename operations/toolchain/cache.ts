/**
 * Where built programs, image contexts and providers are kept: outside the clone, so that a second clone and a
 * `git clean` reuse them. Everything below it is keyed by content and may be deleted at any time.
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';

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
export function xdgFolder(variable: string, fallback: string, env: NodeJS.ProcessEnv = process.env): string {
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
 * Fills a new folder and only then gives it its name, so that a folder that exists is complete.
 * Where another process was faster, its folder stays and ours is dropped: both have the same content.
 */
export async function createFolderAtomically(
  folder: string,
  fill: (temporary: string) => Promise<void>,
): Promise<void> {
  await mkdir(path.dirname(folder), { recursive: true });
  const temporary = `${folder}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await mkdir(temporary);
    await fill(temporary);
    await rename(temporary, folder).catch((error: unknown) => {
      if (!existsSync(folder)) throw error;
    });
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}
