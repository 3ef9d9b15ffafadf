/** How clients reach the S3 side, whichever way its certificates come. */
import type { AcmeSettings, Environment } from '../environment';
import { publishedUrl, reachableAddress } from '../docker/reachable';

type Settings = Pick<Environment, 'docker' | 'minio' | 'tls' | 'hosts'>;

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

/** Where S3 clients connect; with several hosts each is as good as the first. */
export function s3Url(settings: Settings): string {
  const { docker, hosts: [host] = [], minio } = settings;
  const name = s3Name(settings);
  return name === undefined
    ? publishedUrl(host?.address ?? docker.publishAddress, minio.port)
    : `https://${name}:${minio.port}`;
}

/** What the certificates of the S3 API must cover: its names, or the address where there are none. */
export function s3RequiredNames(settings: Settings): string[] {
  const names = s3Names(settings.minio);
  if (names.length > 0 || settings.tls.mode === 'acme') return names;
  return settings.hosts?.map(({ address }) => address) ?? [reachableAddress(settings.docker.publishAddress)];
}

/** The names of each certificate that is ordered, the first being MinIO's default one. */
export function acmeDomains(tls: AcmeSettings): readonly (readonly string[])[] {
  return [tls.domains, ...tls.additional.map(({ domains }) => domains)];
}
