import { atRestFaults } from './at-rest';
import { clientFaults } from './clients';
import { deploymentFaults } from './deployment';
import { dependenceFaults } from './dependence';
import { holeFaults } from './holes';
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
  ...holeFaults,
  ...clientFaults,
];

/** Checks for which no fault can be planted in a real deployment: why, and where they are seen red instead. */
export const withoutFault: Readonly<Record<string, string>> = {
  'vault-root-tokens':
    'it looks for tokens that are older than an hour; test/operations/checks/privileges/vault-checks.test.ts shows it red',
  'metrics-readers-confined':
    'it needs a deployment that declares monitoring; test/e2e/monitoring.e2e.test.ts shows it red',
  'minio-audit-sent': 'it needs a receiver of records; test/e2e/audit.e2e.test.ts shows it red while that is away',
  'drives-online':
    'it needs a deployment with several drives; test/e2e/heal.e2e.test.ts shows it red on one, alone among all checks',
  'objects-encrypted':
    'MinIO encrypts what it is sent; test/e2e/encrypt.e2e.test.ts shows it red on a drive that a MinIO without KMS filled',
  'vault-seal':
    'it needs a deployment that another Vault unseals; test/e2e/seals.e2e.test.ts shows it red when that Vault is away',
  'drive-space':
    'it would fill the disk of the machine that runs the tests; test/operations/checks/health/drive-space.test.ts shows it red',
};

/**
 * Faults that are planted together, by their names, because each run of all checks takes seconds. "This check and no
 * unrelated one" holds of such a run as a whole, so a fault may only be with others
 *
 * - that are in other components (what is before S3, MinIO, KES, Vault, the declaration) and seen by checks which ask
 *   those; or that change, in one gateway, requests of different checks or of different kinds;
 * - that name none of its checks (a unit test says so): a check that is red for two reasons shows one of them.
 *
 * Alone remain those that take a component away, or so much that they would hide others: MinIO without the guard, a sealed Vault, a token that
 * was revoked, clients that can do more, master keys that are lost, MinIO without auto-encryption, KES stopped or twice.
 */
const TOGETHER: readonly (readonly string[])[] = [
  // one gateway that spoils for each check its own objects only, and takes old TLS
  [
    'a proxy in front of MinIO takes TLS 1.1',
    'a proxy drops the header that asks for SSE-S3',
    'a proxy changes one byte of what it passes back',
    'a proxy drops the name of the master key',
    'a proxy drops the encryption context',
    'a proxy drops the key of the client',
    'a bucket does not get its default encryption SSE-S3',
    'a proxy reads ranges one byte late',
    'a proxy lists the sizes of the ciphertext',
    'a proxy encrypts in its own way what should be under the key of a client',
    'the provisioner may read the master keys',
  ],
  // gateways that spoil a kind of request, whoever sends it: health, versions, copies; signed by URL, or not at all
  [
    'MinIO has not loaded its storage',
    'a bucket does not get its default encryption SSE-KMS',
    'a proxy drops the version from what is asked for',
    'a proxy signs presigned requests anew without a look at them',
    'the role of KES lost its period, so that its token will end',
  ],
  [
    'a proxy copies without the headers of encryption',
    'a proxy lends its credentials to everybody',
    'an audit device is off',
  ],
  // how S3 is reached, what Vault holds, and the declaration
  [
    'the S3 port serves plain HTTP as well',
    'Vault deletes the keys by itself after a while',
    'disk encryption is required, and the disks are plain',
  ],
  [
    'the S3 port serves a certificate of another CA',
    'the policy of KES lets it overwrite keys and read those of others',
  ],
  ['the S3 port serves a certificate that has expired', 'the provisioner token ends soon'],
  // MinIO or what it stores, and how KES and Vault are reached or what they let others do
  ['MinIO runs with a setting that nobody declared', 'the SecretID of KES ends within the hour'],
  ['MinIO serves another certificate than the present one', 'something before Vault adds a token for everybody'],
  ['a policy on the drive is one that a MinIO without KMS wrote', 'the SecretID of KES was taken back'],
  ['an object that an earlier deploy left is gone', 'a proxy before Vault takes TLS 1.1'],
  ['everybody may read a bucket', 'MinIO may create and delete keys'],
  ['a bucket lost its default encryption', 'KES knows a client that nobody declared'],
  // KES, and the declaration or a file
  ['KES verifies no client certificates', 'Vault has other unseal shares than the declared ones'],
  ['KES is reached by plain HTTP as well', 'SSE-C is to be denied, and no policy of MinIO denies it'],
  ['KES does not say how it is, because nobody may ask', 'a client certificate has expired'],
  // the container of KES, and a key in Vault
  [
    'KES runs in a container that may write to its image and has a capability',
    'a master key is only in the memory of KES',
  ],
];

/** The faults as they are planted: each in one run of the checks, alone or with others. */
export const plantings: readonly (readonly PlantedFault[])[] = [
  ...plantedFaults.filter(({ name }) => !TOGETHER.flat().includes(name)).map((fault) => [fault]),
  ...TOGETHER.map((names) => names.map(named)),
];

function named(name: string): PlantedFault {
  const fault = plantedFaults.find((one) => one.name === name);
  if (fault === undefined) throw new Error(`there is no fault "${name}"`);
  return fault;
}
