import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { commandOf } from '../../../operations/schedule/jobs';
import { type Caller, cronLines, systemdUnits, type Unit } from '../../../operations/schedule/units';
import { projectRoot } from '../../../operations/lib/project-root';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { loaded } from '../checks/fakes';

const folder = useTemporaryFolder();
const ROOT: Caller = { user: 'root', nodeFolder: '/opt/node/bin', variables: {} };
const SCHEDULE = path.join(projectRoot, 'scripts', 'schedule');

const environment = (text = 'name: prod', file = '/etc/ebs/prod.yaml') => ({ ...loaded(folder(), text), file });
const MAXIMAL = `name: prod
schedule:
  backup: { to: /var/backups/ebs, recipients: [age1a, /etc/ebs/recipients] }
  variablesFile: /etc/ebs/prod.env`;

/** What systemd says against units; nothing where it takes them. */
function verified(units: readonly Unit[]): string {
  for (const { file, content } of units) writeFileSync(path.join(folder(), file), content);
  const files = units.map(({ file }) => path.join(folder(), file));
  const { stderr, status, error } = spawnSync('systemd-analyze', ['verify', ...files], { encoding: 'utf8' });
  if (error !== undefined) throw error;
  return status === 0 ? stderr : `${stderr}(exit code ${status})`;
}

test('without schedule.backup there are a start, checks, a deploy, a drill and a look at versions, each a service with a timer', () => {
  const units = systemdUnits(environment(), ROOT);
  expect(units.map(({ file }) => file)).toEqual(
    ['start', 'check', 'deploy', 'drill', 'versions'].flatMap((job) => [
      `ebs-prod-${job}.service`,
      `ebs-prod-${job}.timer`,
    ]),
  );
  expect(units[2]?.content).toBe(`[Unit]
Description=encrypted-backup-storage, environment prod: nightly checks
Documentation=file://${encodeURI(projectRoot).replaceAll('%', '%%')}/docs/schedule.md
Wants=network-online.target
After=network-online.target docker.service
RequiresMountsFor="${folder()}"

[Service]
Type=oneshot
User=root
Environment="PATH=/opt/node/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ExecStart="${SCHEDULE.replaceAll('%', '%%')}" "run" "check" "/etc/ebs/prod.yaml"
KillMode=mixed
TimeoutStartSec=6h
TimeoutStopSec=10min
Nice=10
UMask=0077
`);
  expect(units[3]?.content).toBe(`[Unit]
Description=encrypted-backup-storage, environment prod: nightly checks

[Timer]
OnCalendar=*-*-* 02:00:00
RandomizedDelaySec=30min
Persistent=true

[Install]
WantedBy=timers.target
`);
  expect(units[1]?.content).toContain('\n[Timer]\nOnBootSec=10s\n\n[Install]\n');
});

test('the units of a user name no user, and carry where state is', () => {
  const caller = { nodeFolder: '/opt/node/bin', variables: { XDG_STATE_HOME: '/home/u/my "state"' } };
  const [service] = systemdUnits(environment(MAXIMAL), caller);
  expect(service?.content).not.toContain('User=');
  expect(service?.content).not.toContain('network-online');
  expect(service?.content).toContain('Environment="XDG_STATE_HOME=/home/u/my \\"state\\""\n');
  expect(service?.content).toContain('EnvironmentFile=/etc/ebs/prod.env\n');
});

test('systemd takes them, with whatever is in a path', () => {
  writeFileSync(path.join(folder(), 'variables'), '');
  const text = MAXIMAL.replace('/etc/ebs/prod.env', path.join(folder(), 'variables'));
  const units = systemdUnits(environment(text, '/etc/100 % "of" $HOME/a\\b.yaml'), ROOT);
  expect(units).toHaveLength(12);
  expect(verified(units)).toBe('');
  // and would say so if it did not
  const broken = units.map((unit) => ({ ...unit, content: unit.content.replace('OnCalendar=', 'OnCalendar=often ') }));
  expect(verified(broken)).toContain('Failed to parse calendar specification');
});

test('cron runs the same, at a minute of its own, with the variables of the file', () => {
  // the clone may be in a path with a space
  const program = /^[\w./-]+$/.test(SCHEDULE) ? SCHEDULE : `'${SCHEDULE}'`;
  const command = (job: string): string => `${program} run ${job} '/etc/ebs/50\\% off.yaml' 2>&1`;
  expect(cronLines(environment(MAXIMAL, '/etc/ebs/50% off.yaml'), ROOT, 17)).toBe(
    `PATH=/opt/node/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
@reboot set -a; . /etc/ebs/prod.env; set +a; ${command('start')} | logger -t ebs-prod-start
17 1 * * * set -a; . /etc/ebs/prod.env; set +a; ${command('backup')} | logger -t ebs-prod-backup
17 2 * * * set -a; . /etc/ebs/prod.env; set +a; ${command('check')} | logger -t ebs-prod-check
17 3 * * 0 set -a; . /etc/ebs/prod.env; set +a; ${command('deploy')} | logger -t ebs-prod-deploy
17 4 1 * * set -a; . /etc/ebs/prod.env; set +a; ${command('drill')} | logger -t ebs-prod-drill
17 5 * * 1 set -a; . /etc/ebs/prod.env; set +a; ${command('versions')} | logger -t ebs-prod-versions
`,
  );
});

test.each<[Parameters<typeof commandOf>[0], string, string[]]>([
  ['start', MAXIMAL, ['start', '/etc/ebs/prod.yaml']],
  ['deploy', MAXIMAL, ['up', '/etc/ebs/prod.yaml']],
  ['check', MAXIMAL, ['check', '/etc/ebs/prod.yaml']],
  ['drill', MAXIMAL, ['drill', '/etc/ebs/prod.yaml']],
  ['versions', MAXIMAL, ['versions', '/etc/ebs/prod.yaml']],
  [
    'backup',
    MAXIMAL,
    [
      ...['backup', '/etc/ebs/prod.yaml', '--to', '/var/backups/ebs/prod-20260131T010203Z.age'],
      ...['--recipient', 'age1a', '--recipient', '/etc/ebs/recipients'],
    ],
  ],
  [
    'backup',
    'name: prod\nschedule: { backup: { to: s3://far/ebs/, endpoint: https://s3.test, caFile: /ca, recipients: [age1a] } }',
    [
      ...['backup', '/etc/ebs/prod.yaml', '--to', 's3://far/ebs/prod-20260131T010203Z.age'],
      ...['--endpoint', 'https://s3.test', '--ca', '/ca', '--recipient', 'age1a'],
    ],
  ],
])('%s is the command that a person would call', (job, text, expected) => {
  const { environment: declared, file } = environment(text);
  const [program, ...args] = commandOf(job, file, declared, new Date('2026-01-31T01:02:03.456Z'));
  expect([path.relative(path.join(projectRoot, 'scripts'), program), ...args]).toEqual(expected);
});
