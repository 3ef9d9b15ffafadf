/** Every check there is, in the order in which they are reported. */
import { UsageError } from '../lib/errors';
import { atRestChecks } from './at-rest/at-rest';
import type { Check } from './check';
import { bucketRules } from './drift/bucket-rules';
import { clientChecks } from './clients/client-checks';
import { containerDriftChecks } from './drift/container-drift';
import { declaredChecks } from './drift/declared';
import { expiryChecks } from './health/expiry';
import { kesDriftChecks } from './drift/kes-drift';
import { kesPrivilegeChecks } from './privileges/kes-privileges';
import { dependenceChecks } from './outage/dependence';
import { diskChecks } from './disks/disk-encryption';
import { driveChecks } from './health/drives-online';
import { driveSpaceChecks } from './health/drive-space';
import { earlierChecks } from './objects/earlier';
import { keyChecks } from './health/keys';
import { minioAuditChecks } from './health/minio-audit';
import { holeChecks } from './holes/hole-checks';
import { kmsTransport } from './refusals/kms-transport';
import { refusals } from './refusals/refusals';
import { roundTrips } from './round-trips/round-trips';
import { metricsReaderChecks } from './privileges/metrics-readers';
import { identitiesDeclared, rootRefused } from './privileges/root-access';
import { serviceChecks } from './health/services';
import { vaultDriftChecks, vaultSealChecks } from './drift/vault-drift';
import { sealChecks } from './health/vault-seal';
import { vaultPrivilegeChecks } from './privileges/vault-privileges';
import { vaultRootTokens } from './privileges/vault-root-tokens';

export const catalogue: readonly Check[] = [
  ...serviceChecks,
  ...vaultSealChecks,
  ...driveChecks,
  ...keyChecks,
  ...sealChecks,
  ...earlierChecks,
  ...vaultDriftChecks,
  ...kesDriftChecks,
  ...containerDriftChecks,
  ...expiryChecks,
  ...driveSpaceChecks,
  ...minioAuditChecks,
  ...diskChecks,
  ...declaredChecks,
  bucketRules,
  ...clientChecks,
  ...roundTrips,
  ...atRestChecks,
  ...refusals,
  ...holeChecks,
  kmsTransport,
  ...kesPrivilegeChecks,
  ...vaultPrivilegeChecks,
  vaultRootTokens,
  ...metricsReaderChecks,
  rootRefused,
  identitiesDeclared,
  ...dependenceChecks,
];

/** Whether a check interrupts service. */
export function isDisruptive(check: Check): boolean {
  return check.from === 'deployment' && check.disruptive === true;
}

/** Whether a check sends what a server must refuse: a server that is not deployed here gets it only when asked for. */
export function triesHoles(check: Check): boolean {
  return check.from === 'outside' && check.triesHoles === true;
}

/** The checks that run when none are named. */
export const nonDisruptive: readonly Check[] = catalogue.filter((check) => !isDisruptive(check));

/**
 * The checks with these ids, in the order of the catalogue.
 *
 * @throws UsageError that lists the known ids if one is unknown
 */
export function selectChecks(ids: readonly string[]): readonly Check[] {
  const known = catalogue.map(({ id }) => id);
  const unknown = ids.filter((id) => !known.includes(id));
  if (unknown.length > 0) {
    throw new UsageError(
      `${unknown.length === 1 ? 'there is no check' : 'there are no checks'} ${unknown.join(', ')}`,
      `the checks are ${known.join(', ')}`,
    );
  }
  return catalogue.filter(({ id }) => ids.includes(id));
}
