import { keyFaults } from './keys';
import type { PlantedFault } from './planted-fault';
import { roundTripFaults } from './round-trips';

/** Every fault. */
export const plantedFaults: readonly PlantedFault[] = [...keyFaults, ...roundTripFaults];

/** Checks for which no fault can be planted in a real deployment: why, and where they are seen red instead. */
export const withoutFault: Readonly<Record<string, string>> = {
  // still to be planted
  'sse-s3-round-trip': '',
  'sse-kms-named-key-round-trip': '',
  'sse-c-round-trip': '',
  'multipart-round-trip': '',
  'range-read': '',
  'ciphertext-on-disk': '',
  'plain-http-refused': '',
  'untrusted-ca-refused': '',
};
