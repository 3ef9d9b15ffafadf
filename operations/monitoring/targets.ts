/** What Prometheus reads of a deployment, and by which files it is let in. */
import { METRICS_CLIENT, monitoringNames } from '../../config/deployment-names';
import { kesUrl, minioPublication, urlOf, vaultPublication } from '../../config/docker/reachable';
import type { Environment } from '../../config/environment';
import { type Node, type NodeServer, nodesOf, vaultNodes } from '../../config/node';
import { hasVaultClients } from '../../config/state/certificate-files';
import { vaultClientFiles } from '../../config/state/endpoints';
import type { StateLayout } from '../../config/state/layout';
import { embeddedVault } from '../../config/vault/vault';

/** Files by which Prometheus knows a server, and is known by it. */
export interface MetricsFiles {
  /** The private CA: every server shows a certificate of it to who asks for its name in the networks of the node. */
  readonly ca: string;
  readonly minioToken: string;
  readonly kesCertificate: string;
  readonly kesKey: string;
  readonly vaultToken: string;
  /** Shown to the Vaults of several hosts; one alone asks for none. */
  readonly vaultCertificate: string;
  readonly vaultKey: string;
}

/** Where they are in the state folder. */
export function metricsFiles(state: StateLayout): MetricsFiles {
  const { caCertificate, tls, secret } = state;
  const vaultClient = vaultClientFiles(state, METRICS_CLIENT);
  return {
    ca: caCertificate,
    minioToken: secret.minioMetricsToken,
    kesCertificate: `${tls}/${METRICS_CLIENT}.crt`,
    kesKey: `${secret.tls}/${METRICS_CLIENT}.key`,
    vaultToken: secret.vaultMetricsToken,
    vaultCertificate: vaultClient.certificate,
    vaultKey: vaultClient.privateKey,
  };
}

/** Parts of MinIO's metrics; it has no path for all of them (minio/minio, cmd/metrics-v3-handler.go). */
const MINIO_PARTS = ['api', 'system', 'cluster'] as const;

/** One scrape job of Prometheus. */
export interface ScrapeJob {
  readonly job_name: string;
  readonly scheme: 'https';
  readonly metrics_path?: string;
  readonly params?: Readonly<Record<string, readonly string[]>>;
  /** @default true */
  readonly follow_redirects?: false;
  readonly authorization?: { readonly type: 'Bearer'; readonly credentials_file: string };
  readonly tls_config: Readonly<Record<'ca_file' | 'server_name', string>> &
    Partial<Record<'cert_file' | 'key_file', string>>;
  readonly static_configs: readonly {
    readonly targets: readonly string[];
    readonly labels: Readonly<Record<string, string>>;
  }[];
}

/**
 * The scrape jobs: one for each service, with a target for each host. An external Vault is scraped by who runs it. Of several
 * Vaults only the active one gives metrics: a standby redirects to it (hashicorp/vault, http/handler.go, respondStandby), by a
 * name that only the networks of the hosts know.
 */
export function scrapeJobs(environment: Environment, files: MetricsFiles): ScrapeJob[] {
  const nodes = nodesOf(environment);
  const [node] = nodes;
  const vault = embeddedVault(environment);
  const { jobs } = monitoringNames(environment);
  const target = (url: string, { id, host }: Node, labels: Readonly<Record<string, string>> = {}) => ({
    targets: [new URL(url).host],
    labels: { environment: environment.name, node: host?.name ?? id, ...labels },
  });
  // every server of a kind has it in its certificate
  const tls = ({ sharedUrl }: NodeServer) => ({ ca_file: files.ca, server_name: new URL(sharedUrl).hostname });
  const bearer = (file: string) => ({ type: 'Bearer' as const, credentials_file: file });
  return [
    {
      job_name: jobs.minio,
      scheme: 'https',
      authorization: bearer(files.minioToken),
      tls_config: tls(node.minio),
      static_configs: nodes.flatMap((one) =>
        [...MINIO_PARTS, ...(environment.minio.audit === undefined ? [] : ['audit'])].map((part) =>
          target(urlOf(minioPublication(environment, one), one), one, {
            part,
            __metrics_path__: `/minio/metrics/v3/${part}`,
          }),
        ),
      ),
    },
    {
      job_name: jobs.kes,
      scheme: 'https',
      metrics_path: '/v1/metrics',
      tls_config: { ...tls(node.kes), cert_file: files.kesCertificate, key_file: files.kesKey },
      static_configs: nodes.map((one) => target(kesUrl(environment, one), one)),
    },
    ...(vault === undefined
      ? []
      : [
          {
            job_name: jobs.vault,
            scheme: 'https' as const,
            metrics_path: '/v1/sys/metrics',
            params: { format: ['prometheus'] },
            authorization: bearer(files.vaultToken),
            follow_redirects: false as const,
            tls_config: {
              ...tls(vaultNodes(nodes)[0].vault),
              ...(hasVaultClients(environment) ? { cert_file: files.vaultCertificate, key_file: files.vaultKey } : {}),
            },
            static_configs: vaultNodes(nodes).map((one) => target(urlOf(vaultPublication(vault, one), one), one)),
          },
        ]),
  ];
}
