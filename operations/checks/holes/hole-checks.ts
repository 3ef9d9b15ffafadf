/** Whether the known holes of MinIO are closed, by families; docs/guard.md has them one by one. */
import type { OutsideCheck } from '../check';
import { forgedWritesRefused } from './forged-writes';
import { forwardedHeadersIgnored } from './forwarded-headers';
import { internalHeadersRefused } from './internal-headers';
import { lockedVersionsSurvive } from './locked-versions';

/** In the order in which they are reported. */
export const holeChecks: readonly OutsideCheck[] = [
  forgedWritesRefused,
  lockedVersionsSurvive,
  internalHeadersRefused,
  forwardedHeadersIgnored,
];
