/** Reads of a machine what says where its data is: of this one directly, of the Docker host through containers. */
import type Docker from 'dockerode';
import { readdir, readFile, realpath } from 'node:fs/promises';
import { outputOf } from '../../docker/docker';
import { hostMounts, type LookedAt, placeOf } from '../../docker/hosts/host-mounts';
import { parsedJson } from '../../lib/text/json';
import type { HostFiles } from './block-devices';
import { mountOf, mountsIn } from './mounts';

/** The machine that this runs on. */
export function filesOfThisMachine(): HostFiles {
  const read = remembered(async (file) => readFile(file, 'utf8').catch(() => undefined));
  return {
    read,
    list: async (folder) => readdir(folder).catch(() => []),
    mountOf: async (file) => {
      const mounts = await read('/proc/self/mountinfo');
      const where = await realpath(file).catch(() => undefined);
      return mounts === undefined || where === undefined ? undefined : mountOf(mountsIn(mounts), where);
    },
  };
}

/**
 * The host of a container that runs. /sys/block, /proc/swaps and what they name are those of the kernel, so any container
 * sees them. `mc` reads, because it is the only such program that every image of MinIO has.
 */
export function filesOfHost(docker: Docker, container: Docker.Container, at: LookedAt): HostFiles {
  const mc = async (...words: string[]): Promise<string | undefined> => {
    const { code, output } = await outputOf(container, [at.mc, '--config-dir', '/tmp/mc', ...words]);
    // 126 and 127: there is no such program
    if (code > 1) throw new Error(`${at.mc} ${words.join(' ')} ended with exit code ${code}`);
    return code === 0 ? output : undefined;
  };
  return {
    read: remembered(async (file) => mc('--quiet', 'cat', file)),
    list: remembered(async (folder) => namesIn((await mc('--json', 'ls', `${folder}/`)) ?? '')),
    mountOf: async (file) => {
      // Docker takes a file for a folder as well
      const text = await hostMounts(docker, at, [{ folder: file }]);
      return mountsIn(text).findLast(({ point }) => point === placeOf(0));
    },
  };
}

/** The names of which `mc --json ls` writes a line each; folders end in a slash. */
export function namesIn(lines: string): string[] {
  return lines.split('\n').flatMap((line) => {
    const { key } = (parsedJson(line) ?? {}) as { readonly key?: unknown };
    return typeof key === 'string' ? [key.replace(/\/$/, '')] : [];
  });
}

/** Asks once for each name. */
function remembered<T>(ask: (name: string) => Promise<T>): (name: string) => Promise<T> {
  const answers = new Map<string, Promise<T>>();
  return async (name) => {
    const known = answers.get(name) ?? ask(name);
    answers.set(name, known);
    return known;
  };
}
