/** What is written can be read, in every way that clients do it. */
import type { OutsideCheck } from '../check';
import { copyBetweenModes } from './copies';
import { modeRoundTrips } from './each-mode';
import { listing } from './listing';
import { presignedUrls } from './presigned-urls';
import { rangeRead } from './ranges';
import { versionsOpen } from './versions';

/** In the order in which they are reported. */
export const roundTrips: readonly OutsideCheck[] = [
  ...modeRoundTrips,
  rangeRead,
  copyBetweenModes,
  versionsOpen,
  presignedUrls,
  listing,
];
