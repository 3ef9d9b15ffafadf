/** Which certificates an environment has in its state folder, and what the operations that put them there are told. */
import { createHash } from 'node:crypto';
import path from 'node:path';
import { certificateRenewalNote, leafCertificates, vaultClientLeaves } from '../certificates/leaf-certificates';
import type { AcmeSettings, Environment, FilesSettings } from '../environment';
import { acmeDomains, s3RequiredNames } from '../minio/s3-endpoint';
import type { CertificateFiles, OperationInput } from '../operation-inputs';
import { embeddedVault } from '../vault/vault';
import type { StateLayout } from './layout';

type Settings = Pick<Environment, 'docker' | 'minio' | 'tls' | 'trustedCAs'>;

/** What the operation that issues certificates is told about an environment. */
export function certificateIssue(environment: Environment, state: StateLayout): OperationInput<'issue-certificates'> {
  return {
    environment: environment.name,
    certificateFolder: state.tls,
    privateKeyFolder: state.secret.tls,
    validityDays: environment.tls.validityDays,
    leaves: leafCertificates(environment),
    renewalNote: certificateRenewalNote(state.tls),
  };
}

/** Whether Vault demands certificates of its clients: the Vaults of several hosts do. */
export function hasVaultClients(environment: Pick<Environment, 'hosts' | 'keyStore'>): boolean {
  return environment.hosts !== undefined && embeddedVault(environment) !== undefined;
}

/** The same about those who may connect to several Vaults: their CA is another, of which MinIO has no certificate. */
export function vaultClientIssue(environment: Environment, state: StateLayout): OperationInput<'issue-certificates'> {
  return {
    environment: environment.name,
    certificateFolder: state.vaultClients,
    privateKeyFolder: state.secret.vaultClients,
    validityDays: environment.tls.validityDays,
    leaves: vaultClientLeaves(environment),
    renewalNote: certificateRenewalNote(state.vaultClients),
  };
}

/** Everything that the CAs of an environment issue, by CA. */
export function certificateIssues(
  environment: Environment,
  state: StateLayout,
): OperationInput<'issue-certificates'>[] {
  return [
    certificateIssue(environment, state),
    ...(hasVaultClients(environment) ? [vaultClientIssue(environment, state)] : []),
  ];
}

/**
 * Where the certificates from elsewhere are kept, the default one first; none where the private CA issues it.
 */
export function s3CertificateFiles({ tls }: Pick<Settings, 'tls'>, state: StateLayout): CertificateFiles[] {
  if (tls.mode === 'self-signed') return [];
  return Array.from({ length: 1 + tls.additional.length }, (_, index) => {
    const name = index === 0 ? 's3' : `s3-additional-${index}`;
    return { certificate: path.join(state.tls, `${name}.crt`), privateKey: path.join(state.secret.tls, `${name}.key`) };
  });
}

/** What becomes of the certificate files of an environment: the input of `import-certificates`. */
export function certificateImport(
  settings: Settings,
  tls: FilesSettings,
  state: StateLayout,
): OperationInput<'import-certificates'> {
  const sources = [tls, ...tls.additional];
  return {
    certificates: s3CertificateFiles({ tls }, state).flatMap((to, index) =>
      sources.slice(index, index + 1).map(({ certificate, privateKey }) => ({ from: { certificate, privateKey }, to })),
    ),
    ...requirements(settings, tls, state),
  };
}

/** What an ACME authority is asked for: the input of `order-certificates`. */
export function certificateOrder(
  settings: Settings,
  tls: AcmeSettings,
  state: StateLayout,
): OperationInput<'order-certificates'> {
  const domains = acmeDomains(tls);
  return {
    directory: tls.directory,
    ...(tls.directoryCaFile === undefined ? {} : { directoryCaFile: tls.directoryCaFile }),
    email: tls.email,
    accountKeyFile: accountKeyFile(tls.directory, state),
    ...(tls.eab === undefined ? {} : { eab: tls.eab }),
    challenge: tls.challenge,
    certificates: s3CertificateFiles({ tls }, state).flatMap((to, index) =>
      domains.slice(index, index + 1).map((names) => ({ domains: [...names], to })),
    ),
    ledgerFile: path.join(state.tls, 'acme.json'),
    ...requirements(settings, tls, state),
  };
}

/** One account for each authority, whatever characters its address has. */
function accountKeyFile(directory: string, state: StateLayout): string {
  return path.join(state.secret.acme, `${createHash('sha256').update(directory).digest('hex').slice(0, 16)}.key`);
}

/** What certificates of the S3 API must fulfil, wherever they come from. */
function requirements(settings: Settings, { ca }: FilesSettings | AcmeSettings, state: StateLayout) {
  return {
    names: s3RequiredNames(settings),
    ...(ca === undefined ? {} : { ca }),
    trustedCAs: settings.trustedCAs,
    renewalNote: path.join(state.tls, 's3-renewal.json'),
  };
}
