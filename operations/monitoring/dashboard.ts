/** A dashboard for Grafana, of the same metrics as the rules. */
import { monitoringNames } from '../../config/deployment-names';
import type { Environment } from '../../config/environment';
import { embeddedVault } from '../../config/vault/vault';

/** A panel: what it is called, in which unit, and what it asks Prometheus. */
interface Panel {
  readonly title: string;
  /** Of Grafana (grafana/grafana, packages/grafana-data, valueFormats). */
  readonly unit: string;
  /** By what the legend says. */
  readonly queries: Readonly<Record<string, string>>;
}

const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };

export function dashboardPanels(environment: Environment): Panel[] {
  const of = `environment="${environment.name}"`;
  const rate = (metric: string): string => `rate(${metric}{${of}}[5m])`;
  const minioAndKes: Panel[] = [
    { title: 'Answers', unit: 'bool_on_off', queries: { '{{job}} {{node}} {{part}}': `up{${of}}` } },
    {
      title: 'S3 requests',
      unit: 'reqps',
      queries: { '{{name}}': `sum by (name) (${rate('minio_api_requests_total')})` },
    },
    {
      title: 'S3 requests that were refused',
      unit: 'reqps',
      queries: {
        '4xx': `sum(${rate('minio_api_requests_4xx_errors_total')}) or vector(0)`,
        invalid: `sum(${rate('minio_api_requests_rejected_invalid_total')}) or vector(0)`,
      },
    },
    {
      title: 'S3 traffic',
      unit: 'Bps',
      queries: {
        sent: `sum(${rate('minio_api_requests_traffic_sent_bytes')})`,
        received: `sum(${rate('minio_api_requests_traffic_received_bytes')})`,
      },
    },
    {
      title: 'Drives',
      unit: 'short',
      queries: {
        online: `max(minio_cluster_health_drives_online_count{${of}})`,
        // MinIO leaves out what is zero
        offline: `max(minio_cluster_health_drives_offline_count{${of}}) or vector(0)`,
      },
    },
    {
      title: 'Drives, used',
      unit: 'percentunit',
      queries: {
        '{{node}} {{drive}}': `1 - minio_system_drive_free_bytes{${of}} / minio_system_drive_total_bytes{${of}}`,
      },
    },
    {
      title: 'KES',
      unit: 'reqps',
      queries: {
        answered: `sum(${rate('kes_http_request_success')})`,
        'refused (4xx)': `sum(${rate('kes_http_request_error')}) or vector(0)`,
        'failed (5xx)': `sum(${rate('kes_http_request_failure')}) or vector(0)`,
      },
    },
    {
      title: 'KES, slowest of twenty requests',
      unit: 's',
      queries: { '{{node}}': `histogram_quantile(0.95, sum by (node, le) (${rate('kes_http_response_time_bucket')}))` },
    },
    {
      title: 'Memory of MinIO',
      unit: 'bytes',
      queries: { '{{node}}': `minio_system_process_resident_memory_bytes{${of}}` },
    },
  ];
  const vault: Panel[] =
    embeddedVault(environment) === undefined
      ? []
      : [
          {
            title: 'Vault, requests',
            unit: 'reqps',
            queries: { '{{node}}': rate('vault_core_handle_request_count') },
          },
          {
            title: 'Vault, audit records',
            unit: 'reqps',
            queries: { '{{node}}': rate('vault_audit_log_request_count') },
          },
        ];
  if (environment.monitoring?.textfile === undefined) return [...minioAndKes, ...vault];
  return [
    ...minioAndKes,
    ...vault,
    { title: 'Checks', unit: 'short', queries: { '{{status}}': `ebs_checks{${of}}` } },
    {
      title: 'Days left',
      unit: 'd',
      queries: { '{{kind}} {{name}}': `(ebs_expiry_timestamp_seconds{${of}} - time()) / 86400` },
    },
    { title: 'Age of the newest backup', unit: 's', queries: { age: `time() - ebs_backup_timestamp_seconds{${of}}` } },
    { title: 'Master keys in no backup', unit: 'short', queries: { keys: `ebs_keys_not_in_backup{${of}}` } },
    { title: 'Recovery time of the last drill', unit: 's', queries: { time: `ebs_drill_recovery_seconds{${of}}` } },
    { title: 'Drives to heal', unit: 'short', queries: { drives: `ebs_drives_unhealed{${of}}` } },
  ];
}

/** The JSON that Grafana imports. */
export function dashboard(environment: Environment): object {
  const panels = dashboardPanels(environment).map(({ title, unit, queries }, index) => ({
    id: index + 1,
    type: 'timeseries',
    title,
    datasource: DATASOURCE,
    gridPos: { h: 7, w: 8, x: (index % 3) * 8, y: Math.floor(index / 3) * 7 },
    fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
    targets: Object.entries(queries).map(([legendFormat, expr], number) => ({
      refId: String.fromCharCode('A'.charCodeAt(0) + number),
      datasource: DATASOURCE,
      expr,
      legendFormat,
    })),
  }));
  return {
    uid: monitoringNames(environment).dashboard,
    title: `Encrypted backup storage: ${environment.name}`,
    tags: ['encrypted-backup-storage'],
    schemaVersion: 38,
    editable: true,
    refresh: '1m',
    time: { from: 'now-24h', to: 'now' },
    templating: { list: [{ name: 'datasource', type: 'datasource', query: 'prometheus', label: 'Prometheus' }] },
    panels,
  };
}
