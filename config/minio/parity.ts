/** How many drives MinIO can lose (minio/minio, internal/config/storageclass, DefaultParityBlocks). */
import type { Environment } from '../environment';

type Settings = Pick<Environment['minio'], 'drives' | 'parity'>;

/** Drives that may be lost without a loss of objects. */
export function parityOf({ drives, parity }: Settings): number {
  const count = typeof drives === 'number' ? drives : drives.length;
  if (parity !== undefined) return parity;
  if (count < 4) return 0;
  if (count < 6) return 2;
  return count < 8 ? 3 : 4;
}

/** Drives that may be away while MinIO goes on writing: as many as may be lost, but never half of all. */
export function drivesToSpare({ drives, parity }: Settings): number {
  const count = typeof drives === 'number' ? drives : drives.length;
  return Math.min(parityOf({ drives, parity }), Math.ceil(count / 2) - 1);
}
