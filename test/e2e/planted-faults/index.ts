import { deploymentFaults } from './deployment';
import { dependenceFaults } from './dependence';
import { keyFaults } from './keys';
import type { PlantedFault } from './planted-fault';
import { roundTripFaults } from './round-trips';
import { vaultFaults } from './vault';

/** Every fault. */
export const plantedFaults: readonly PlantedFault[] = [
  ...keyFaults,
  ...vaultFaults,
  ...deploymentFaults,
  ...roundTripFaults,
  ...dependenceFaults,
];

/** Checks for which no fault can be planted in a real deployment: why, and where they are seen red instead. */
export const withoutFault: Readonly<Record<string, string>> = {
  // still to be planted
  'sse-s3-round-trip': '',
  'sse-kms-default-key-round-trip': '',
  'sse-kms-named-key-round-trip': '',
  'sse-kms-context-round-trip': '',
  'sse-c-round-trip': '',
  'bucket-default-sse-s3-round-trip': '',
  'bucket-default-sse-kms-round-trip': '',
  'range-read': '',
  'copy-between-modes': '',
  versions: '',
  'presigned-urls': '',
  listing: '',
  'ciphertext-on-disk': '',
  'configuration-on-disk': '',
  'plain-http-refused': '',
  'untrusted-ca-refused': '',
  'old-tls-refused': '',
  'anonymous-read-refused': '',
  'altered-presigned-url-refused': '',
  'sse-c-key-required': '',
  'sse-c-plain-http-refused': '',
};
