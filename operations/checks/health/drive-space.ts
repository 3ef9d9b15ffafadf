/** Whether the drive will be full soon: MinIO refuses every write then, and does not say so before. */
import { type DriveState, openAdmin } from '../../minio/minio-admin';
import { CheckFailure, type Evidence, type FullCheck } from '../check';

/** From here on the evidence says so, and the check still passes. */
const NOTICE_SHARE = 0.85;
/**
 * From here on the check fails, and with it a deploy or restore: so it is near to where MinIO stops, which is 0.99
 * (minio/minio, cmd/xl-storage.go, diskFillFraction).
 */
const LEAST_SHARE = 0.97;

const driveSpace: FullCheck = {
  from: 'deployment',
  id: 'drive-space',
  title: 'The drives have room for what is to come',
  proves: `Of every drive, as MinIO sees it, less than ${LEAST_SHARE * 100} % is used; the evidence says how much is free.`,
  doesNotProve: 'How long that lasts: it depends on what clients write, keep and delete.',
  severity: 'medium',
  run: async ({ loaded }) => {
    const admin = openAdmin(loaded);
    try {
      return judgeDrives(await admin.drives());
    } finally {
      admin.close();
    }
  },
};

/** In the order in which they are reported. */
export const driveSpaceChecks: readonly FullCheck[] = [driveSpace];

/**
 * A drive that MinIO does not reach says nothing of its size: drives-online names it.
 *
 * @throws CheckFailure that names each drive with too little room
 */
export function judgeDrives(drives: readonly Pick<DriveState, 'path' | 'totalBytes' | 'freeBytes'>[]): Evidence {
  const seen: Record<string, Evidence> = {};
  const problems: string[] = [];
  for (const { path, totalBytes, freeBytes } of drives) {
    if (totalBytes === 0) {
      seen[path] = { note: 'MinIO does not reach it: see drives-online' };
      continue;
    }
    const used = 1 - freeBytes / totalBytes;
    const percent = `${Math.floor(used * 100)} %`;
    const free = `${(freeBytes / 1e9).toFixed(1)} GB`;
    seen[path] = { used: percent, free, ...(used >= NOTICE_SHARE ? { note: 'it fills up: make room in time' } : {}) };
    if (used >= LEAST_SHARE) problems.push(`drive ${path} is ${percent} full: ${free} are left`);
  }
  if (problems.length > 0) throw new CheckFailure(problems.join('; '), MAKE_ROOM, seen);
  return seen;
}

/** What to do when the drive is full, or will be. */
export const MAKE_ROOM =
  'make room on the disk of the drive, or enlarge it; of the objects, delete versions that are not needed: mc rm --recursive --versions --non-current --force. Reading goes on meanwhile, and MinIO writes again by itself';
