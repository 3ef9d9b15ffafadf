/** Refuses a build that would fill the disk, before it begins. */
import { existsSync } from 'node:fs';
import { stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import { ExternalError } from '../lib/errors';

/** Space that will be taken in a folder, which need not exist yet. */
export interface DiskNeed {
  readonly folder: string;
  readonly bytes: number;
  readonly purpose: string;
}

function existingParent(folder: string): string {
  return existsSync(folder) ? folder : existingParent(path.dirname(folder));
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}

/** Adds up the needs per file system and compares them with what is free there. */
export async function checkDisk(needs: readonly DiskNeed[]): Promise<void> {
  const devices = new Map<number, { needs: DiskNeed[]; free: number }>();
  for (const need of needs) {
    const folder = existingParent(need.folder);
    const { dev } = await stat(folder);
    const device = devices.get(dev) ?? { needs: [], free: await freeBytes(folder) };
    device.needs.push(need);
    devices.set(dev, device);
  }
  for (const device of devices.values()) {
    const needed = device.needs.reduce((sum, need) => sum + need.bytes, 0);
    if (needed <= device.free) continue;
    const list = device.needs.map((need) => `\n  - ${gigabytes(need.bytes)} for ${need.purpose} in ${need.folder}`);
    throw new ExternalError(
      `not enough disk space: ${gigabytes(needed)} needed, ${gigabytes(device.free)} free${list.join('')}`,
      'Free some space, or move the folders: XDG_CACHE_HOME, GOCACHE, GOMODCACHE and GOTMPDIR name others.',
    );
  }
}

async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}
