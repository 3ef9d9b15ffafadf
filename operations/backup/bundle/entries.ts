/**
 * The closed list of what a backup may hold. A restore writes these names into the state folder, so that what is not here
 * is refused: when a backup is made as well as when one is opened.
 *
 * | entry                | what it is                                                                             |
 * |----------------------|----------------------------------------------------------------------------------------|
 * | `bundle.json`        | what it is a backup of; the first                                                      |
 * | `environment.yaml`   | the environment file                                                                   |
 * | `master-keys/<name>` | each master key as KES stored it: the same bytes in every key store                    |
 * | `state/…`            | CA, certificates, private keys, credentials, canaries, unseal shares, reports          |
 * | `minio/iam.zip`      | users, groups, policies, service accounts                                              |
 * | `minio/buckets.zip`  | policies, life cycles, tags, quotas, event rules and encryption of the buckets         |
 * | `minio/settings.txt` | settings of the server, such as the targets of events                                  |
 * | `manifest.json`      | for whom it is, and size and SHA-256 of every entry before it                          |
 * | `signature.json`     | by whom it is: over the bytes of the manifest, and so over everything; the last        |
 */
import path from 'node:path';
import { CLIENTS, METRICS_CLIENT, VAULT_CLIENTS } from '../../../config/deployment-names';
import { environmentName, kesName } from '../../../config/names';
import { type StateLayout, stateLayout } from '../../../config/state/layout';
import { SERVERS } from '../../../config/node';
import { INITIALISING } from '../../vault/initialize-vault';

const KIB = 1024;
const MIB = 1024 * KIB;

/** Of a whole backup, encrypted or not: more than the keys, the certificates and the IAM of any deployment take. */
export const MOST_BYTES = 128 * MIB;
/** A deployment has some dozens, and one for each further master key. */
export const MOST_ENTRIES = 10_000;

export const HEADER_ENTRY = 'bundle.json';
export const MANIFEST_ENTRY = 'manifest.json';
export const SIGNATURE_ENTRY = 'signature.json';
export const ENVIRONMENT_ENTRY = 'environment.yaml';
export const KEY_FOLDER = 'master-keys/';
export const STATE_FOLDER = 'state/';
export const IAM_ENTRY = 'minio/iam.zip';
export const BUCKETS_ENTRY = 'minio/buckets.zip';
export const SETTINGS_ENTRY = 'minio/settings.txt';

interface Rule {
  readonly matches: (name: string) => boolean;
  readonly mostBytes: number;
}

const LAYOUT: StateLayout = stateLayout('any', path.sep);
/** The canaries of the master keys. */
export const CANARIES_ENTRY = `${STATE_FOLDER}${relative(LAYOUT.canaries)}`;

const RULES: readonly Rule[] = [
  { matches: named(HEADER_ENTRY), mostBytes: 4 * MIB },
  { matches: named(MANIFEST_ENTRY), mostBytes: 4 * MIB },
  { matches: named(SIGNATURE_ENTRY), mostBytes: KIB },
  { matches: named(ENVIRONMENT_ENTRY), mostBytes: 256 * KIB },
  { matches: below(KEY_FOLDER, kesName.test), mostBytes: 4 * KIB },
  { matches: below(STATE_FOLDER, isStateFile), mostBytes: 16 * MIB },
  { matches: named(IAM_ENTRY, BUCKETS_ENTRY), mostBytes: MOST_BYTES },
  { matches: named(SETTINGS_ENTRY), mostBytes: MIB },
];

/** @returns how many bytes an entry of this name may have; undefined if a backup has none of this name */
export function mostBytesOf(name: string): number | undefined {
  return RULES.find(({ matches }) => matches(name))?.mostBytes;
}

/** Whether a backup holds this file of the state folder. @param file its path in that folder */
export function isStateFile(file: string): boolean {
  return FILES.has(file) || PATTERNS.some(({ pattern, named: fits }) => fits(pattern.exec(file)?.[1]));
}

/** Files of the state folder that a restored deployment makes anew: tokens, the SecretID, marks of what is under way. */
export function isMadeAnew(file: string): boolean {
  return MADE_ANEW.has(file) || path.dirname(file) === path.dirname(relative(LAYOUT.secret.kesConfiguration));
}

/** What follows the name of a file while what is in it is rotated. */
const PREVIOUS = '.previous';

const FILES: ReadonlySet<string> = new Set(
  [
    ...[LAYOUT.deployment, LAYOUT.canaries, LAYOUT.earlierObjects, LAYOUT.secret.deployment, LAYOUT.vaultSeal],
    ...[LAYOUT.trustedCAs, LAYOUT.publicTrust],
    // when a certificate or the provisioner token is due, and who issued what
    path.join(LAYOUT.vaultClients, 'renewal.json'),
    ...['renewal.json', 's3-renewal.json', 'provisioner-token.json', 'acme.json'].map((name) =>
      path.join(LAYOUT.tls, name),
    ),
    ...[
      LAYOUT.secret.awsCredentials,
      LAYOUT.secret.backupSigningKey,
      LAYOUT.secret.evidenceSigningKey,
      LAYOUT.evidence,
      LAYOUT.secret.minioConfigEnv,
      // users of MinIO that are not back yet
      LAYOUT.secret.iamExport,
    ],
    ...[LAYOUT.secret.minioRoot, `${LAYOUT.secret.minioRoot}${PREVIOUS}`],
    ...[LAYOUT.secret.minioOperations, LAYOUT.secret.minioIam, LAYOUT.secret.minioObjects],
  ].map(relative),
);

const MADE_ANEW: ReadonlySet<string> = new Set(
  [
    LAYOUT.secret.rootToken,
    LAYOUT.secret.provisionerToken,
    ...[LAYOUT.secret.vaultMetricsToken, LAYOUT.secret.minioMetricsUser, LAYOUT.secret.minioMetricsToken],
    path.join(path.dirname(LAYOUT.secret.rootToken), INITIALISING),
  ].map(relative),
);

/** Where a name varies: what stands in the place of the group must fit. */
const PATTERNS: readonly { readonly pattern: RegExp; readonly named: (group: string | undefined) => boolean }[] = [
  { pattern: /^tls\/([^/]+)\.crt$/, named: isCertificate },
  // the certificate of a client whose key was replaced lies beside that key
  { pattern: /^secrets\/tls\/([^/]+)\.(?:key|crt)$/, named: isCertificate },
  // what happened on which day, for who must show it later
  { pattern: /^reports\/history\/checks-(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z)\.json$/, named: isThere },
  // of those who may connect to the Vaults of several hosts
  { pattern: /^vault-clients\/([^/]+)\.crt$/, named: isVaultClient },
  { pattern: /^secrets\/vault-clients\/([^/]+)\.key$/, named: isVaultClient },
  { pattern: /^secrets\/acme\/([0-9a-f]{16})\.key$/, named: isThere },
  { pattern: /^secrets\/clients\/([^/]+)\.json$/, named: isClient },
  { pattern: /^secrets\/vault\/(?:unseal|recovery)-share-([1-9]|10)(?:\.new)?$/, named: isThere },
];

const SERVER_CERTIFICATES = Object.values(SERVERS).map(({ certificate }) => certificate);
const CERTIFICATES: readonly string[] = ['ca', ...SERVER_CERTIFICATES, ...Object.values(CLIENTS), METRICS_CLIENT];

function isCertificate(name: string | undefined): boolean {
  const own = name?.replace(/\.(?:next|previous)$/, '') ?? '';
  if (CERTIFICATES.includes(own) || isOfHost(own) || /^s3(?:-additional-\d{1,3})?$/.test(own)) return true;
  return own.startsWith('client-') && kesName.test(own.slice('client-'.length));
}

/** With several hosts, a server has a certificate for each. */
function isOfHost(name: string): boolean {
  return SERVER_CERTIFICATES.some(
    (certificate) => name.startsWith(`${certificate}-`) && environmentName.test(name.slice(certificate.length + 1)),
  );
}

function isVaultClient(name: string | undefined): boolean {
  return ['ca', ...Object.values(VAULT_CLIENTS), METRICS_CLIENT].includes(name ?? '');
}

function isClient(name: string | undefined): boolean {
  return name !== undefined && environmentName.test(name);
}

function isThere(group: string | undefined): boolean {
  return group !== undefined;
}

function named(...names: readonly string[]): Rule['matches'] {
  return (name) => names.includes(name);
}

function below(folder: string, fits: (rest: string) => boolean): Rule['matches'] {
  return (name) => name.startsWith(folder) && fits(name.slice(folder.length));
}

function relative(file: string): string {
  return path.relative(LAYOUT.root, file);
}
