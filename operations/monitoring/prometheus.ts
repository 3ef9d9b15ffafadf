/** The files that Prometheus and Grafana are given. */
import { chownSync, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { stringify } from 'yaml';
import { monitoringNames } from '../../config/deployment-names';
import type { Environment } from '../../config/environment';
import { hasVaultClients } from '../../config/state/certificate-files';
import { embeddedVault } from '../../config/vault/vault';
import { UsageError } from '../lib/errors';
import { writeFileAtomically } from '../lib/files';
import type { LoadedEnvironment } from '../state/load';
import { dashboard } from './dashboard';
import { alertRules, type Timing } from './rules';
import { type MetricsFiles, metricsFiles, scrapeJobs } from './targets';

/** How often Prometheus asks. */
const INTERVAL = '30s';

export interface PrintedFile {
  readonly name: 'prometheus.yml' | 'rules.yml' | 'dashboard.json';
  readonly content: string;
}

/** @param rulesFile where Prometheus finds `rules.yml` */
export function monitoringFiles(
  environment: Environment,
  files: MetricsFiles,
  rulesFile: string,
  timing?: Timing,
): PrintedFile[] {
  const prometheus = {
    global: { scrape_interval: INTERVAL, evaluation_interval: INTERVAL },
    rule_files: [rulesFile],
    scrape_configs: scrapeJobs(environment, files),
  };
  const rules = { groups: [{ name: monitoringNames(environment).ruleGroup, rules: alertRules(environment, timing) }] };
  return [
    { name: 'prometheus.yml', content: stringify(prometheus, { lineWidth: 0 }) },
    { name: 'rules.yml', content: stringify(rules, { lineWidth: 0 }) },
    { name: 'dashboard.json', content: `${JSON.stringify(dashboard(environment), null, 2)}\n` },
  ];
}

/**
 * Writes them into a folder, with copies of the secrets that they name. All belong to whom the folder belongs to, where this
 * is run by root: Prometheus runs as a user of its own, and cannot look into the state folder.
 *
 * @throws UsageError if monitoring is not declared, or not deployed
 */
export function writeMonitoring(
  { environment, state, argument }: LoadedEnvironment,
  folder: string,
  timing?: Timing,
): string[] {
  requireMonitoring({ environment, argument });
  const from = metricsFiles(state);
  const at = (name: string): string => path.join(folder, name);
  const to: MetricsFiles = {
    ca: at('ca.crt'),
    minioToken: at('minio-token'),
    kesCertificate: at('kes.crt'),
    kesKey: at('kes.key'),
    vaultToken: at('vault-token'),
    vaultCertificate: at('vault.crt'),
    vaultKey: at('vault.key'),
  };
  const copied: readonly (keyof MetricsFiles)[] = [
    ...(['ca', 'minioToken', 'kesCertificate', 'kesKey'] as const),
    ...(embeddedVault(environment) === undefined ? [] : (['vaultToken'] as const)),
    ...(hasVaultClients(environment) ? (['vaultCertificate', 'vaultKey'] as const) : []),
  ];
  const missing = copied.map((file) => from[file]).filter((file) => !existsSync(file));
  if (missing.length > 0) {
    throw new UsageError(
      `environment ${environment.name} has no identity yet that reads metrics: there is no ${missing.join(', ')}`,
      `deploy it: ./scripts/up ${argument}`,
    );
  }
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { uid, gid } = statSync(folder);
  const write = (file: string, content: string | Buffer): string => {
    writeFileAtomically(file, content);
    if (process.getuid?.() === 0) chownSync(file, uid, gid);
    return file;
  };
  return [
    ...copied.map((file) => write(to[file], readFileSync(from[file]))),
    ...monitoringFiles(environment, to, at('rules.yml'), timing).map(({ name, content }) => write(at(name), content)),
  ];
}

/** @throws UsageError if monitoring is not declared */
export function requireMonitoring({
  environment,
  argument,
}: Pick<LoadedEnvironment, 'environment' | 'argument'>): void {
  if (environment.monitoring !== undefined) return;
  throw new UsageError(
    `environment ${environment.name} has no identity that may read metrics: monitoring is not declared`,
    `write \`monitoring: {}\` into its file, then ./scripts/up ${argument}`,
  );
}
