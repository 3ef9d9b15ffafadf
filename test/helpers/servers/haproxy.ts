import { existsSync } from 'node:fs';
import { findProgram } from '../../../operations/lib/machine';
import { cacheLayout } from '../../../operations/toolchain/cache';
import { haproxyCommand, haproxyFolder } from '../../../operations/toolchain/debian/haproxy';

const installed = (): string | undefined => findProgram('haproxy', [], `${process.env.PATH ?? ''}:/usr/sbin`);

/** Whether this machine has HAProxy, or fetched it for images. */
export const haproxyIsHere = (): boolean => installed() !== undefined || existsSync(haproxyFolder(cacheLayout()));

/** How it is run; undefined where there is none. */
export async function findHaproxy(): Promise<readonly [string, ...string[]] | undefined> {
  const file = installed();
  if (file !== undefined) return [file];
  const folder = haproxyFolder(cacheLayout());
  return existsSync(folder) ? haproxyCommand(folder) : undefined;
}
