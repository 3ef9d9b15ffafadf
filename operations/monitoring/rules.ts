/** What Prometheus warns of. Each rule has a heading of its name in docs/operations.md, which says what to do. */
import { monitoringNames } from '../../config/deployment-names';
import type { Environment } from '../../config/environment';
import { nodesOf, vaultNodes } from '../../config/node';
import { embeddedVault } from '../../config/vault/vault';

export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly labels: { readonly severity: 'critical' | 'warning'; readonly environment: string };
  readonly annotations: { readonly summary: string; readonly runbook: string };
}

/** How long a rule waits and looks back. Tests wait less. */
export interface Timing {
  /** How long it must be true. */
  readonly hold: (duration: string) => string;
  /** How far back a rate looks. */
  readonly window: (duration: string) => string;
}

const AS_DECLARED: Timing = { hold: (duration) => duration, window: (duration) => duration };

/** A deploy renews what has a third of its life left. A weekly one comes before this. */
const LATE_SHARE = 0.3;
const CA_NOTICE = '90 * 86400';
/** Two nights, and the random delays. */
const MISSED_NIGHTLY = '50 * 3600';

/**
 * The rules of an environment. Those about the textfile are there only if it is written. Of a host that is away one alert
 * fires: the others leave out what is away along with it.
 */
export function alertRules(environment: Environment, { hold, window }: Timing = AS_DECLARED): AlertRule[] {
  const { name, monitoring, schedule } = environment;
  const of = `environment="${name}"`;
  const rule = (
    alert: string,
    severity: AlertRule['labels']['severity'],
    duration: string,
    expr: string,
    summary: string,
  ): AlertRule => ({
    alert,
    expr,
    for: hold(duration),
    labels: { severity, environment: name },
    annotations: { summary: `${name}: ${summary}`, runbook: `docs/operations.md#${alert.toLowerCase()}` },
  });
  const { jobs } = monitoringNames(environment);
  const nodes = nodesOf(environment);
  const [{ minio: perHost }] = nodes;
  const hasHosts = environment.hosts !== undefined;
  /** Nodes of which no target of these jobs answers. */
  const silent = (job: string, only = ''): string => `(max by (environment, node) (up{job=~"${job}"${only}}) == 0)`;
  const hostsAway = (only?: string): string => silent(`${jobs.minio}|${jobs.kes}`, only);
  const away = (service: 'minio' | 'kes'): string =>
    hasHosts ? `${silent(jobs[service])} unless ${hostsAway()}` : silent(jobs[service]);
  /** More than what is away anyway. */
  const besides = (count: string, job: string, each: number, absent: string): string =>
    `${count} - ${each} * (count by (environment) ${absent} or 0 * max by (environment) (up{job="${job}"})) > 0`;
  /**
   * A counter appears with its first count, which is no increase to Prometheus: then it is compared with nothing, if its
   * target answered then. One that comes back with an old count has not grown.
   */
  const grown = (service: keyof typeof jobs, metric: string, duration: string, more: number, only = ''): string => {
    const [series, back] = [`${metric}{${of}${only}}`, window(duration)];
    const answered = `(max by (node) (up{job="${jobs[service]}"} offset ${back}) == 1)`;
    const before = `(sum by (node) (${series} offset ${back}) or 0 * ${answered})`;
    return `sum(increase(${series}[${back}])) > ${more} or sum(sum by (node) (${series}) - ${before}) > ${more}`;
  };
  const drivesOffline = `max by (environment) (minio_cluster_health_drives_offline_count{${of}})`;
  const used = `1 - minio_system_drive_free_bytes{${of}} / minio_system_drive_total_bytes{${of}}`;
  const services = [
    ...(hasHosts
      ? [
          rule(
            'EbsHostUnavailable',
            'critical',
            '2m',
            hostsAway(),
            'host {{ $labels.node }} is away: neither MinIO nor KES gives metrics',
          ),
        ]
      : []),
    rule('EbsMinioUnavailable', 'critical', '2m', away('minio'), 'MinIO on {{ $labels.node }} gives no metrics'),
    rule('EbsKesUnavailable', 'critical', '2m', away('kes'), 'KES on {{ $labels.node }} gives no metrics'),
    rule(
      'EbsKeyStoreFailing',
      'critical',
      '1m',
      grown('kes', 'kes_http_request_failure', '5m', 0),
      'KES answers with 5xx: it does not reach its key store',
    ),
    rule(
      'EbsKesRefusing',
      'warning',
      '15m',
      `rate(kes_http_request_error{${of}}[${window('10m')}]) > 0.05`,
      'KES on {{ $labels.node }} keeps refusing requests',
    ),
    rule(
      'EbsDriveOffline',
      'critical',
      '2m',
      hasHosts ? besides(drivesOffline, jobs.minio, perHost.drives.length, silent(jobs.minio)) : `${drivesOffline} > 0`,
      '{{ $value }} drives of a MinIO that answers are offline',
    ),
    rule(
      'EbsDriveHealingLong',
      'warning',
      '12h',
      `max by (environment) (minio_cluster_erasure_set_healing_drives_count{${of}}) > 0`,
      '{{ $value }} drives have been healing for half a day',
    ),
    rule(
      'EbsDriveFilling',
      'warning',
      '5m',
      `(${used}) > 0.8 <= 0.9`,
      'drive {{ $labels.drive }} of {{ $labels.node }} is {{ $value | humanizePercentage }} full',
    ),
    rule(
      'EbsDriveNearlyFull',
      'critical',
      '5m',
      `(${used}) > 0.9`,
      'drive {{ $labels.drive }} of {{ $labels.node }} is {{ $value | humanizePercentage }} full; MinIO writes nothing at 99 %',
    ),
    rule(
      'EbsFailedLogins',
      'warning',
      '1m',
      // MinIO counts no wrong signatures; of these calls nearly every 4xx is a refusal, as of others it may be a 404
      grown('minio', 'minio_api_requests_4xx_errors_total', '5m', 200, ',name=~"ListBuckets|PutObject"'),
      'MinIO refused {{ $value }} requests to list buckets or to write',
    ),
  ];
  const audit =
    environment.minio.audit === undefined
      ? []
      : [
          rule(
            'EbsMinioAuditBehind',
            'warning',
            '10m',
            // MinIO tries again every 3 s; its length of the queue is that of the one in memory, not on the disk
            grown('minio', 'minio_audit_failed_messages', '5m', 0),
            'the audit webhook does not take the records of requests to MinIO, which wait',
          ),
        ];
  const withVault = vaultNodes(nodes).map(({ id, host }) => host?.name ?? id);
  const standbys = rule(
    'EbsVaultNodeUnavailable',
    'critical',
    '2m',
    // what the active Vault says of all; a sealed one takes no part in Raft
    besides(
      `count by (environment) (vault_autopilot_node_healthy{${of}} == 0)`,
      jobs.vault,
      1,
      hostsAway(`,node=~"${withVault.join('|')}"`),
    ),
    '{{ $value }} Vaults are sealed or away, on hosts that answer',
  );
  const vault =
    embeddedVault(environment) === undefined
      ? []
      : [
          rule(
            'EbsVaultUnavailable',
            'critical',
            '2m',
            // of several only the active one gives metrics
            `max by (environment) (up{job="${jobs.vault}"}) == 0`,
            hasHosts
              ? 'no Vault is active: each is sealed, without a leader, or away'
              : 'Vault is sealed, without a leader, or away',
          ),
          ...(hasHosts ? [standbys] : []),
          rule(
            'EbsAuditFailing',
            'critical',
            '1m',
            grown('vault', 'vault_audit_sink_failure', '5m', 0),
            'Vault cannot write to an audit device; with none left it answers nothing',
          ),
        ];
  if (monitoring?.textfile === undefined) return [...services, ...audit, ...vault];
  const left = `(ebs_expiry_timestamp_seconds{${of}} - time())`;
  const told = [
    rule(
      'EbsExpiring',
      'warning',
      '1h',
      `${left} / ebs_expiry_life_seconds{${of},kind!="ca"} < ${LATE_SHARE} or ${left} < ${CA_NOTICE} and ebs_expiry_timestamp_seconds{kind="ca"}`,
      '{{ $labels.kind }} {{ $labels.name }} ends, and no deploy renewed it',
    ),
    rule('EbsCheckFailed', 'critical', '0s', `ebs_check_failed{${of}} == 1`, 'the check {{ $labels.id }} did not pass'),
    rule(
      'EbsKeyNotInBackup',
      'critical',
      '1h',
      `ebs_keys_not_in_backup{${of}} > 0`,
      '{{ $value }} master keys are in no backup',
    ),
    rule(
      'EbsDriveUnhealed',
      'warning',
      '15m',
      `ebs_drives_unhealed{${of}} > 0`,
      '{{ $value }} drives were away, and no heal has looked at them since',
    ),
    rule('EbsDrillFailed', 'critical', '0s', `ebs_drill_passed{${of}} == 0`, 'the last drill failed'),
    rule(
      'EbsClockOff',
      'warning',
      '15m',
      `(abs(node_timex_offset_seconds) > 1 or node_timex_sync_status == 0) and on (instance) ebs_info{${of}}`,
      'the clock of {{ $labels.instance }} is wrong, or nothing sets it',
    ),
  ];
  const scheduled = [
    ...(schedule.jobs.includes('check')
      ? [
          rule(
            'EbsCheckMissing',
            'warning',
            '15m',
            `time() - ebs_check_timestamp_seconds{${of}} > ${MISSED_NIGHTLY} or absent(ebs_check_timestamp_seconds{${of}})`,
            'no check has run for two nights',
          ),
        ]
      : []),
    ...(schedule.jobs.includes('backup') && schedule.backup !== undefined
      ? [
          rule(
            'EbsBackupMissing',
            'critical',
            '15m',
            `time() - ebs_backup_timestamp_seconds{${of}} > ${MISSED_NIGHTLY} or absent(ebs_backup_timestamp_seconds{${of}})`,
            'no backup was made for two nights',
          ),
        ]
      : []),
  ];
  return [...services, ...audit, ...vault, ...told, ...scheduled];
}
