/** What must not work. */
import type { OutsideCheck } from '../check';
import { anonymousReadRefused } from './anonymous';
import { presignedUrlsRefused } from './presigned-urls';
import { sseCRefusals } from './sse-c';
import { transportRefusals } from './transport';

/** In the order in which they are reported. */
export const refusals: readonly OutsideCheck[] = [
  ...transportRefusals,
  anonymousReadRefused,
  presignedUrlsRefused,
  ...sseCRefusals,
];
