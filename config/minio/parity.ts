/** How many drives MinIO can lose (minio/minio, internal/config/storageclass, DefaultParityBlocks). */
import type { Environment } from '../environment';

type Settings = Pick<Environment['minio'], 'drives' | 'parity'>;

/** As many drives of a host as the image of MinIO has folders for, and as many as MinIO puts into one erasure set. */
export const MOST_DRIVES = 16;

const countOf = (drives: Settings['drives']): number => (typeof drives === 'number' ? drives : drives.length);

/**
 * Drives of an erasure set, which is as large as can be and spread over the hosts evenly (minio/minio,
 * cmd/endpoint-ellipses.go, possibleSetCountsWithSymmetry and commonSetDriveCount); undefined where none can.
 */
export function setSize({ drives }: Pick<Settings, 'drives'>, hosts = 1): number | undefined {
  const total = hosts * countOf(drives);
  if (hosts === 1) return total;
  for (let size = Math.min(total, MOST_DRIVES); size > 1; size -= 1) {
    if (total % size === 0 && (hosts > size ? hosts % size === 0 : size % hosts === 0)) return size;
  }
  return undefined;
}

/**
 * Drives of an erasure set that may be lost without a loss of objects. MinIO has one parity for all pools, that of the first
 * by default (minio/minio, cmd/erasure-server-pool.go, BackendInfo).
 */
export function parityOf({ drives, parity }: Settings, hosts = 1): number {
  const count = setSize({ drives }, hosts) ?? 1;
  if (parity !== undefined) return parity;
  if (count < 2) return 0;
  if (count < 4) return hosts === 1 ? 0 : 1;
  if (count < 6) return 2;
  return count < 8 ? 3 : 4;
}

/** Drives of a set that may be away while MinIO goes on writing: as many as may be lost, but never half of all. */
export function drivesToSpare({ drives, parity }: Settings, hosts = 1): number {
  const count = setSize({ drives }, hosts) ?? 1;
  return Math.min(parityOf({ drives, parity }, hosts), Math.ceil(count / 2) - 1);
}

/** Drives of one host in each erasure set. */
export function drivesOfHost(size: number, hosts: number): number {
  return Math.max(1, size / hosts);
}
