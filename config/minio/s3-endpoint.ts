/**
 * How the S3 side is reached and verified, whichever way its certificates come: one notion for the stacks, the
 * operations, the checks and the summary.
 */
import { createHash } from 'node:crypto';
import path from 'node:path';
import type { AcmeSettings, Environment, FilesSettings } from '../environment';
import { publishedUrl, reachableAddress } from '../docker/reachable';
import type { CertificateFiles, OperationInput, TlsEndpoint } from '../operation-inputs';
import type { StateLayout } from '../state';

type Settings = Pick<Environment, 'docker' | 'minio' | 'tls' | 'trustedCAs'>;

/** Every DNS name by which clients reach the S3 API; with host-style addresses a wildcard for those of the buckets. */
export function s3Names({ hostnames, domain }: Pick<Environment['minio'], 'hostnames' | 'domain'>): string[] {
  return [...hostnames, ...(domain === undefined ? [] : [domain, `*.${domain}`])];
}

/** The DNS name by which clients reach the S3 API; undefined where they use its address. */
export function s3Name({ minio, tls }: Pick<Settings, 'minio' | 'tls'>): string | undefined {
  const names = s3Names(minio);
  const candidates = tls.mode === 'acme' ? [...names, ...acmeDomains(tls).flat()] : names;
  return candidates.find((name) => !name.startsWith('*.'));
}

/** Where S3 clients connect. */
export function s3Url(settings: Pick<Settings, 'docker' | 'minio' | 'tls'>): string {
  const { docker, minio } = settings;
  const name = s3Name(settings);
  return name === undefined ? publishedUrl(docker.publishAddress, minio.port) : `https://${name}:${minio.port}`;
}

/** CA certificates by which clients verify the S3 API; undefined: those that every system trusts. */
export function s3CaFile({ tls, trustedCAs }: Pick<Settings, 'tls' | 'trustedCAs'>, state: StateLayout) {
  if (tls.mode === 'self-signed') return state.caCertificate;
  return tls.ca ?? (trustedCAs.length === 0 ? undefined : state.publicTrust);
}

/**
 * How this machine reaches the S3 API: by address, because its name may lead elsewhere from here, and with the name
 * that clients use, so that what they are shown is what is verified.
 */
export function s3Endpoint(settings: Settings, state: StateLayout): TlsEndpoint {
  const url = publishedUrl(settings.docker.publishAddress, settings.minio.port);
  const caFile = s3CaFile(settings, state);
  const serverName = settings.tls.mode === 'self-signed' ? undefined : s3Name(settings);
  return {
    url,
    ...(caFile === undefined ? {} : { caFile }),
    ...(serverName === undefined ? {} : { serverName }),
  };
}

/** What the certificates of the S3 API must cover: its names, or the address where there are none. */
export function s3RequiredNames(settings: Pick<Settings, 'docker' | 'minio' | 'tls'>): string[] {
  const names = s3Names(settings.minio);
  return names.length > 0 || settings.tls.mode === 'acme' ? names : [reachableAddress(settings.docker.publishAddress)];
}

/** The names of each certificate that is ordered, the first being MinIO's default one. */
export function acmeDomains(tls: AcmeSettings): readonly (readonly string[])[] {
  return [tls.domains, ...tls.additional.map(({ domains }) => domains)];
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
