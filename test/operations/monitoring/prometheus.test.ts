/** What Prometheus and Grafana are given, and what promtool says of it. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parse, stringify } from 'yaml';
import { leafCertificates } from '../../../config/certificates/leaf-certificates';
import { projectRoot } from '../../../operations/lib/project-root';
import { monitoringFiles, writeMonitoring } from '../../../operations/monitoring/prometheus';
import { alertRules } from '../../../operations/monitoring/rules';
import { metricsFiles, scrapeJobs } from '../../../operations/monitoring/targets';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { thrownBy } from '../../helpers/thrown';
import { loaded } from '../checks/fakes';

const folder = useTemporaryFolder();
const EVERYTHING = `name: prod
monitoring: { textfile: /metrics }
schedule: { backup: { to: /var/backups/ebs, recipients: [age1a] } }
minio: { audit: { endpoint: https://audit.example.com/ } }
`;
const EXTERNAL = 'name: prod\nmonitoring: {}\nvault: { mode: external, address: "https://vault.example.org" }\n';

/** Of three hosts Vault demands certificates. */
const HOSTS = `${EVERYTHING}hosts: [${['a', 'b', 'c'].map((name, index) => `{ name: ${name}, docker: "ssh://${name}", address: 192.0.2.${index + 11} }`).join(', ')}]
`;

const watched = (text = EVERYTHING) => loaded(path.join(folder(), 'state'), text);
const alertsOf = (text: string): string[] => alertRules(watched(text).environment).map(({ alert }) => alert);

test('each service is scraped under TLS, by its name in its network, with an identity of its own', () => {
  const { environment, state } = watched();
  const labels = { environment: 'prod', node: 'ebs-prod' };
  expect(scrapeJobs(environment, metricsFiles(state))).toEqual([
    {
      job_name: 'ebs-prod-minio',
      scheme: 'https',
      authorization: { type: 'Bearer', credentials_file: state.secret.minioMetricsToken },
      tls_config: { ca_file: state.caCertificate, server_name: 'minio' },
      static_configs: ['api', 'system', 'cluster', 'audit'].map((part) => ({
        targets: ['127.0.0.1:9000'],
        labels: { ...labels, part, __metrics_path__: `/minio/metrics/v3/${part}` },
      })),
    },
    {
      job_name: 'ebs-prod-kes',
      scheme: 'https',
      metrics_path: '/v1/metrics',
      tls_config: {
        ca_file: state.caCertificate,
        server_name: 'kes',
        cert_file: `${state.tls}/monitoring.crt`,
        key_file: `${state.secret.tls}/monitoring.key`,
      },
      static_configs: [{ targets: ['127.0.0.1:7373'], labels }],
    },
    {
      job_name: 'ebs-prod-vault',
      scheme: 'https',
      metrics_path: '/v1/sys/metrics',
      params: { format: ['prometheus'] },
      follow_redirects: false,
      authorization: { type: 'Bearer', credentials_file: state.secret.vaultMetricsToken },
      tls_config: { ca_file: state.caCertificate, server_name: 'vault' },
      static_configs: [{ targets: ['127.0.0.1:8200'], labels }],
    },
  ]);
});

test('of several hosts each has its target, and Vault is shown a certificate as well', () => {
  const { environment, state } = watched(HOSTS);
  const jobs = scrapeJobs(environment, metricsFiles(state));
  const targets = (port: number) =>
    ['a', 'b', 'c'].map((node, index) => ({ node, target: `192.0.2.${index + 11}:${port}` }));
  expect(
    jobs.map(({ static_configs }) =>
      static_configs
        .filter(({ labels }) => labels.part === undefined || labels.part === 'api')
        .map(({ labels, targets: [target] }) => ({ node: labels.node, target })),
    ),
  ).toEqual([targets(9010), targets(7373), targets(8200)]);
  expect(jobs.map(({ tls_config }) => tls_config)).toEqual([
    { ca_file: state.caCertificate, server_name: 'minio' },
    {
      ca_file: state.caCertificate,
      server_name: 'kes',
      cert_file: `${state.tls}/monitoring.crt`,
      key_file: `${state.secret.tls}/monitoring.key`,
    },
    {
      ca_file: state.caCertificate,
      server_name: 'vault',
      cert_file: `${state.vaultClients}/monitoring.crt`,
      key_file: `${state.secret.vaultClients}/monitoring.key`,
    },
  ]);
  // whatever the mode of the S3 API, the private CA issues a certificate of the names that are asked for
  const external = { ...environment, tls: { mode: 'files', additional: [] } as unknown as typeof environment.tls };
  const names = [environment, external].map((one) =>
    leafCertificates(one)
      .filter(({ usage }) => usage === 'server')
      .map(({ name, dnsNames }) => [name.split('-')[0], dnsNames] as const),
  );
  for (const [server, dnsNames] of names.flat()) expect(dnsNames).toContain(server);
});

test('an external Vault is left to who runs it', () => {
  const { environment, state } = watched(EXTERNAL);
  expect(scrapeJobs(environment, metricsFiles(state)).map(({ job_name }) => job_name)).toEqual([
    'ebs-prod-minio',
    'ebs-prod-kes',
  ]);
  expect(alertsOf(EXTERNAL).filter((alert) => /Vault|Audit/.test(alert))).toEqual([]);
});

test('rules about what is written into the textfile are there only if it is', () => {
  const about = ['EbsExpiring', 'EbsCheckFailed', 'EbsKeyNotInBackup', 'EbsCheckMissing', 'EbsBackupMissing'];
  expect(alertsOf(EVERYTHING)).toEqual(expect.arrayContaining(about));
  expect(alertsOf('name: prod\nmonitoring: {}\n').filter((alert) => about.includes(alert))).toEqual([]);
});

test('every rule has its heading in the runbook, and every such heading its rule', () => {
  const runbook = readFileSync(path.join(projectRoot, 'docs', 'operations.md'), 'utf8');
  const headings = [...runbook.matchAll(/^### (Ebs\w+)$/gm)].map(([, heading = '']) => heading);
  expect([...headings].sort()).toEqual([...new Set([...alertsOf(EVERYTHING), ...alertsOf(HOSTS)])].sort());
  for (const { alert, annotations } of alertRules(watched(HOSTS).environment)) {
    expect(annotations.runbook).toBe(`docs/operations.md#${alert.toLowerCase()}`);
  }
});

describe('--write', () => {
  const deploy = (text = EVERYTHING): ReturnType<typeof watched> => {
    const environment = watched(text);
    for (const file of Object.values<string>({ ...metricsFiles(environment.state) })) {
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(file, `content of ${path.basename(file)}`);
    }
    return environment;
  };

  test.each([
    ['one host', EVERYTHING, ['vault-token']],
    ['three hosts', HOSTS, ['vault-token', 'vault.crt', 'vault.key']],
  ])('%s: copies what lets Prometheus in, for the owner of the folder alone', (_, text, ofVault) => {
    const environment = deploy(text);
    const to = path.join(folder(), 'prometheus');
    const written = writeMonitoring(environment, to);
    expect(written.map((file) => path.basename(file))).toEqual([
      ...['ca.crt', 'minio-token', 'kes.crt', 'kes.key', ...ofVault],
      ...['prometheus.yml', 'rules.yml', 'dashboard.json'],
    ]);
    expect(written.map((file) => statSync(file).mode & 0o777)).toEqual(written.map(() => 0o600));
    expect(readFileSync(path.join(to, 'minio-token'), 'utf8')).toBe('content of minio-token');
    const configuration = readFileSync(path.join(to, 'prometheus.yml'), 'utf8');
    expect(configuration).not.toContain(environment.state.root);
    expect(configuration).not.toContain('content of');
  });

  test.each([
    [
      'name: prod',
      'environment prod has no identity that may read metrics: monitoring is not declared',
      'write `monitoring: {}` into its file, then ./scripts/up prod',
    ],
    [
      'name: prod\nmonitoring: {}\n',
      /^environment prod has no identity yet that reads metrics: there is no .*ca\.crt, .*minio-token/,
      'deploy it: ./scripts/up prod',
    ],
    [
      HOSTS,
      /^environment prod has no identity yet that reads metrics: there is no .*vault-clients\/monitoring\.crt, .*vault-clients\/monitoring\.key$/,
      'deploy it: ./scripts/up prod',
    ],
  ])('%j: refused', (text, message, hint) => {
    const error = thrownBy(() => writeMonitoring(watched(text), folder()));
    if (typeof message === 'string') expect(error.message).toBe(message);
    else expect(error.message).toMatch(message);
    expect(error).toHaveProperty('hint', hint);
  });
});

const promtool = (...args: string[]) => spawnSync('promtool', args, { encoding: 'utf8' });
const withPromtool = promtool('--version').status === 0 ? test : test.skip;

withPromtool.each([
  ['one host', EVERYTHING],
  ['three hosts', HOSTS],
])('promtool takes configuration and rules of %s', (_, text) => {
  const { environment, state } = watched(text);
  const files = monitoringFiles(environment, metricsFiles(state), path.join(folder(), 'rules.yml'));
  for (const { name, content } of files) writeFileSync(path.join(folder(), name), content);
  const checked = promtool('check', 'config', '--syntax-only', path.join(folder(), 'prometheus.yml'));
  expect([checked.status, checked.stderr]).toEqual([0, '']);
  const rules = promtool('check', 'rules', path.join(folder(), 'rules.yml'));
  expect(rules.stdout).toContain(`${alertRules(environment).length} rules found`);
});

interface Series {
  readonly series: string;
  readonly values: string;
}

/** A value that stays. */
const always = (series: string, value: number): Series => ({ series, values: `${value}x60` });
const OF = 'environment="prod"';
const ON = `${OF},node="ebs-prod"`;
/** What a deployment looks like of which nothing is wrong; the clock of the test begins at 0. */
const HEALTHY = {
  minio: always(`up{job="ebs-prod-minio",part="api",${ON}}`, 1),
  kes: always(`up{job="ebs-prod-kes",${ON}}`, 1),
  vault: always(`up{job="ebs-prod-vault",${ON}}`, 1),
  failures: always(`kes_http_request_failure{${ON}}`, 3),
  refusals: always(`kes_http_request_error{${ON}}`, 3),
  offline: always(`minio_cluster_health_drives_offline_count{${ON}}`, 0),
  healing: always(`minio_cluster_erasure_set_healing_drives_count{${ON}}`, 0),
  free: always(`minio_system_drive_free_bytes{drive="/data",${ON}}`, 50),
  total: always(`minio_system_drive_total_bytes{drive="/data",${ON}}`, 100),
  unsent: always(`minio_audit_failed_messages{${ON}}`, 3),
  logins: always(`minio_api_requests_4xx_errors_total{name="ListBuckets",${ON}}`, 7),
  missing: growing('minio_api_requests_4xx_errors_total', 500, ',name="HeadObject"'),
  sink: always(`vault_audit_sink_failure{${ON}}`, 0),
  expiry: always(`ebs_expiry_timestamp_seconds{kind="certificate",name="kes-server",${OF}}`, 900_000),
  life: always(`ebs_expiry_life_seconds{kind="certificate",name="kes-server",${OF}}`, 1_000_000),
  ca: always(`ebs_expiry_timestamp_seconds{kind="ca",name="ca",${OF}}`, 91 * 86_400),
  caLife: always(`ebs_expiry_life_seconds{kind="ca",name="ca",${OF}}`, 3650 * 86_400),
  check: always(`ebs_check_timestamp_seconds{${OF}}`, 0),
  keys: always(`ebs_keys_not_in_backup{${OF}}`, 0),
  backup: always(`ebs_backup_timestamp_seconds{${OF}}`, 0),
  unhealed: always(`ebs_drives_unhealed{${OF}}`, 0),
  drill: always(`ebs_drill_passed{${OF}}`, 1),
  info: always(`ebs_info{instance="host:9100",${OF}}`, 1),
  offset: always('node_timex_offset_seconds{instance="host:9100"}', 0.001),
  sync: always('node_timex_sync_status{instance="host:9100"}', 1),
  // another environment of the same Prometheus is nobody's business here
  other: always('ebs_check_failed{environment="other",id="drive-space"}', 1),
};

/** The same series with another value; `_` for none. */
const stays = ({ series }: Series, value: string): Series => ({ series, values: `${value}x60` });

/** By what is wrong: the series that differ, and the alert that fires after half an hour of it; no other one does. */
const WRONG: readonly [string, string | undefined, Readonly<Record<string, Series>>][] = [
  ['nothing', undefined, {}],
  ['MinIO is down', 'EbsMinioUnavailable', { minio: stays(HEALTHY.minio, '0') }],
  ['KES is down', 'EbsKesUnavailable', { kes: stays(HEALTHY.kes, '0') }],
  ['Vault is sealed', 'EbsVaultUnavailable', { vault: stays(HEALTHY.vault, '0') }],
  [
    'the key store was away once',
    'EbsKeyStoreFailing',
    { failures: { series: `kes_http_request_failure{${ON}}`, values: '_x27 1x33' } },
  ],
  ['the key store is away', 'EbsKeyStoreFailing', { failures: growing('kes_http_request_failure', 5) }],
  ['KES refuses', 'EbsKesRefusing', { refusals: growing('kes_http_request_error', 6) }],
  ['a drive is away', 'EbsDriveOffline', { offline: stays(HEALTHY.offline, '1') }],
  ['a drive heals for long', 'EbsDriveHealingLong', { healing: stays(HEALTHY.healing, '1') }],
  ['a drive is 85 % full', 'EbsDriveFilling', { free: stays(HEALTHY.free, '15') }],
  ['a drive is 95 % full', 'EbsDriveNearlyFull', { free: stays(HEALTHY.free, '5') }],
  ['the audit webhook is away', 'EbsMinioAuditBehind', { unsent: growing('minio_audit_failed_messages', 20) }],
  [
    'somebody guesses',
    'EbsFailedLogins',
    { logins: growing('minio_api_requests_4xx_errors_total', 100, ',name="ListBuckets"') },
  ],
  ['an audit device is full', 'EbsAuditFailing', { sink: growing('vault_audit_sink_failure', 1) }],
  ['a certificate was not renewed', 'EbsExpiring', { expiry: stays(HEALTHY.expiry, '300000') }],
  ['the CA ends', 'EbsExpiring', { ca: stays(HEALTHY.ca, `${90 * 86_400}`) }],
  ['a check is red', 'EbsCheckFailed', { red: always(`ebs_check_failed{id="drive-space",${OF}}`, 1) }],
  ['a key is in no backup', 'EbsKeyNotInBackup', { keys: stays(HEALTHY.keys, '1') }],
  ['no check has run', 'EbsCheckMissing', { check: stays(HEALTHY.check, '-180000') }],
  ['no backup was made', 'EbsBackupMissing', { backup: stays(HEALTHY.backup, '_') }],
  ['a drive was not healed', 'EbsDriveUnhealed', { unhealed: stays(HEALTHY.unhealed, '1') }],
  ['a drill failed', 'EbsDrillFailed', { drill: stays(HEALTHY.drill, '0') }],
  ['the clock is not set', 'EbsClockOff', { sync: stays(HEALTHY.sync, '0') }],
];

function growing(metric: string, aMinute: number, only = ''): Series {
  return { series: `${metric}{${ON}${only}}`, values: `0+${aMinute}x60` };
}

/** By what is wrong: the series, and the alerts that fire after half an hour of it; no other one does. */
type Story = readonly [what: string, alerts: readonly string[], series: readonly Series[]];

function expectByPromtool(text: string, stories: readonly Story[]): void {
  // half a day of a minute each takes promtool minutes
  const hold = (duration: string): string => (duration.endsWith('h') ? '15m' : duration);
  const rules = alertRules(watched(text).environment, { hold, window: (duration) => duration });
  writeFileSync(path.join(folder(), 'rules.yml'), stringify({ groups: [{ name: 'all', rules }] }));
  // `ALERTS` has what fires, by name
  const tests = stories.map(([what, alerts, series]) => ({
    name: what,
    interval: '1m',
    input_series: series,
    promql_expr_test: [
      {
        expr: 'count by (alertname) (ALERTS{alertstate="firing"})',
        eval_time: '30m',
        exp_samples: alerts.map((alert) => ({ labels: `{alertname="${alert}"}`, value: 1 })),
      },
    ],
  }));
  const file = path.join(folder(), 'tests.yml');
  writeFileSync(file, stringify({ rule_files: ['rules.yml'], evaluation_interval: '1m', tests }));
  const { status, stdout, stderr } = promtool('test', 'rules', file);
  expect({ status, said: `${stdout}${stderr}` }).toEqual({
    status: 0,
    said: expect.stringContaining('SUCCESS') as string,
  });
}

withPromtool('by promtool, each of these makes its alert and no other one', () => {
  expectByPromtool(
    EVERYTHING,
    WRONG.map(([what, alert, wrong]) => [
      what,
      alert === undefined ? [] : [alert],
      Object.values({ ...HEALTHY, ...wrong }),
    ]),
  );
  // and none is left out
  expect([...new Set(WRONG.flatMap(([, alert]) => (alert === undefined ? [] : [alert])))].sort()).toEqual(
    [...alertsOf(EVERYTHING)].sort(),
  );
});

describe('of three hosts', () => {
  const UP = '1x60';
  const DOWN = '1x5 0x55';
  const up = (job: 'minio' | 'kes' | 'vault', node: string, values: string): Series => ({
    series: `up{job="ebs-prod-${job}",${OF},node="${node}"}`,
    values,
  });
  const of = (metric: string, node: string, values: string, more = ''): Series => ({
    series: `${metric}{${OF},node="${node}"${more}}`,
    values,
  });
  /** What the active Vault, that of host a, says of one of them. */
  const raft = (number: number, values: string): Series =>
    of('vault_autopilot_node_healthy', 'a', values, `,node_id="vault-${number}"`);
  const offline = (values: string): Series => of('minio_cluster_health_drives_offline_count', 'a', values);
  const well = {
    ...Object.fromEntries(
      ['a', 'b', 'c'].flatMap((node) => [
        [`minio-${node}`, up('minio', node, UP)],
        [`kes-${node}`, up('kes', node, UP)],
        // a standby redirects, which Prometheus counts as a failure
        [`vault-${node}`, up('vault', node, node === 'a' ? UP : '0x60')],
        [`failures-${node}`, of('kes_http_request_failure', node, '3x60')],
        [`refused-${node}`, of('minio_api_requests_4xx_errors_total', node, '900x60', ',name="ListBuckets"')],
      ]),
    ),
    ...{ 'raft-1': raft(1, UP), 'raft-2': raft(2, UP), 'raft-3': raft(3, UP) },
    ...{ sink: of('vault_audit_sink_failure', 'a', '2x60'), offline: offline('0x60') },
  };
  const away = {
    ...{ 'minio-c': up('minio', 'c', DOWN), 'kes-c': up('kes', 'c', DOWN), 'raft-3': raft(3, DOWN) },
    offline: offline('0x5 1x55'),
  };
  const STORIES: readonly (readonly [string, readonly string[], Readonly<Record<string, Series>>])[] = [
    ['nothing', [], {}],
    ['a host is away', ['EbsHostUnavailable'], away],
    [
      'a host is away, and a drive of another',
      ['EbsDriveOffline', 'EbsHostUnavailable'],
      { ...away, offline: offline('0x5 2x55') },
    ],
    [
      'a host is away, and the Vault of another is sealed',
      ['EbsHostUnavailable', 'EbsVaultNodeUnavailable'],
      { ...away, 'raft-2': raft(2, DOWN) },
    ],
    [
      'the MinIO of a host is down',
      ['EbsMinioUnavailable'],
      { 'minio-c': up('minio', 'c', DOWN), offline: offline('0x5 1x55') },
    ],
    ['a drive is offline', ['EbsDriveOffline'], { offline: offline('0x5 1x55') }],
    ['the KES of a host is down', ['EbsKesUnavailable'], { 'kes-b': up('kes', 'b', DOWN) }],
    ['a standby is sealed', ['EbsVaultNodeUnavailable'], { 'raft-2': raft(2, DOWN) }],
    [
      'no Vault is active',
      ['EbsVaultUnavailable'],
      {
        'vault-a': up('vault', 'a', DOWN),
        ...Object.fromEntries([1, 2, 3].map((number) => [`raft-${number}`, raft(number, '1x5 _x55')])),
      },
    ],
    [
      'another Vault has become active, with an old count',
      [],
      {
        'vault-a': up('vault', 'a', '1x27 0x33'),
        'vault-b': up('vault', 'b', '0x27 1x33'),
        sink: of('vault_audit_sink_failure', 'a', '2x27 _x33'),
        'sink-b': of('vault_audit_sink_failure', 'b', '_x27 7x33'),
        ...Object.fromEntries([1, 2, 3].map((number) => [`raft-${number}`, raft(number, '1x27 _x33')])),
      },
    ],
    [
      'a host that was cut off is back, with its old counts',
      [],
      {
        'minio-c': up('minio', 'c', '1x5 0x20 1x35'),
        'kes-c': up('kes', 'c', '1x5 0x20 1x35'),
        'failures-c': of('kes_http_request_failure', 'c', '3x5 _x20 3x35'),
        'refused-c': of('minio_api_requests_4xx_errors_total', 'c', '900x5 _x20 900x35', ',name="ListBuckets"'),
      },
    ],
    [
      'the KES of one host fails for the first time',
      ['EbsKeyStoreFailing'],
      { 'failures-b': of('kes_http_request_failure', 'b', '_x27 1x33') },
    ],
  ];

  withPromtool('by promtool, each of these makes these alerts and no other one', () => {
    expectByPromtool(
      HOSTS.replace('{ textfile: /metrics }', '{}'),
      STORIES.map(([what, alerts, wrong]) => [what, alerts, Object.values({ ...well, ...wrong })]),
    );
  });
});

test('the dashboard is whole', () => {
  const { environment, state } = watched();
  const [, , json] = monitoringFiles(environment, metricsFiles(state), 'rules.yml');
  const { panels, uid } = parse(json?.content ?? '') as { uid: string; panels: { id: number; targets: unknown[] }[] };
  expect(uid).toBe('ebs-prod');
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  expect(panels.every(({ targets }) => targets.length > 0)).toBe(true);
});
