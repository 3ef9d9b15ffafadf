import { atRestFaults } from './at-rest';
import { deploymentFaults } from './deployment';
import { dependenceFaults } from './dependence';
import { keyFaults } from './keys';
import type { PlantedFault } from './planted-fault';
import { refusalFaults } from './refusals';
import { roundTripFaults } from './round-trips';
import { vaultFaults } from './vault';

/** Every fault. */
export const plantedFaults: readonly PlantedFault[] = [
  ...keyFaults,
  ...vaultFaults,
  ...deploymentFaults,
  ...roundTripFaults,
  ...dependenceFaults,
  ...atRestFaults,
  ...refusalFaults,
];

/** Checks for which no fault can be planted in a real deployment: why, and where they are seen red instead. */
export const withoutFault: Readonly<Record<string, string>> = {};
