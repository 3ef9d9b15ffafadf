import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { newIdentity } from '../../../operations/backup/age/age-keys';
import { readLastBackup } from '../../../operations/backup/last-backup';
import { thisCaller } from '../../../operations/schedule/install';
import type { Message } from '../../../operations/schedule/notify';
import { systemdUnits } from '../../../operations/schedule/units';
import { loadEnvironment } from '../../../operations/state/load';
import { type CommandResult, mustSucceed, runCommand } from '../../helpers/e2e/command';
import type { TestEnvironment } from '../../helpers/e2e/test-environment';

/** Scheduled runs, started as the units of systemd say: their command line, their variables and no others. */
export function describeSchedule(subject: () => { environment: TestEnvironment }): void {
  describe('a scheduled run', () => {
    let folder: string;
    let file: string;

    beforeAll(async () => {
      const { environment } = subject();
      folder = path.join(environment.folder, 'schedule');
      mkdirSync(path.join(folder, 'backups'), { recursive: true });
      const recipient = await newIdentity(path.join(folder, 'identity'));
      const { name, minio, buckets } = environment.loaded.environment;
      file = environment.writeOther('scheduled.yaml', {
        minio: { defaultKey: minio.defaultKey },
        buckets: [...buckets],
        schedule: { backup: { to: path.join(folder, 'backups'), recipients: [recipient], keep: 2 } },
        notify: {
          type: 'command',
          when: 'always',
          command: ['/bin/sh', '-c', 'cat > "$0"', path.join(folder, 'told')],
        },
      });
      for (const day of ['01', '02']) {
        writeFileSync(path.join(folder, 'backups', `${name}-202601${day}T010000Z.age`), '');
      }
    });

    async function run(job: string): Promise<CommandResult> {
      const { environment } = subject();
      const units = systemdUnits(loadEnvironment(file), thisCaller());
      const service = units.find((unit) => unit.file.endsWith(`-${job}.service`))?.content ?? '';
      const setting = (name: string): string[][] =>
        [...service.matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map(([, value = '']) =>
          // the paths of a test have nothing that systemd reads in another way
          [...value.matchAll(/"([^"\\%$]*)"/g)].map(([, word = '']) => word),
        );
      const [command = []] = setting('ExecStart');
      // systemd sets HOME to that of the user
      const variables = [...setting('Environment').flat(), `HOME=${homedir()}`];
      return runCommand('env', ['-i', ...variables, ...command], { transcript: environment.transcript });
    }

    test.each([
      ['systemd or cron', ['--print']],
      ['cron', ['--print', '--cron']],
    ] as const)('is printed for %s, and nothing is installed', async (_, args) => {
      const { stdout } = mustSucceed(await subject().environment.scriptWith('schedule', [file, ...args]));
      for (const job of ['backup', 'check', 'deploy', 'drill', 'versions']) expect(stdout).toContain(job);
      expect(stdout).toContain(file);
    });

    const told = (): Message => JSON.parse(readFileSync(path.join(folder, 'told'), 'utf8')) as Message;

    test('of a backup makes one, and the oldest goes', async () => {
      const { environment } = subject();
      mustSucceed(await run('backup'));
      const backups = readdirSync(path.join(folder, 'backups')).sort();
      expect(backups).toHaveLength(2);
      expect(backups[0]).toBe(`${environment.name}-20260102T010000Z.age`);
      const made = path.join(folder, 'backups', backups[1] ?? '');
      expect(readFileSync(made).subarray(0, 21).toString()).toBe('age-encryption.org/v1');
      expect(readLastBackup(environment.state)?.destination).toBe(made);
      expect(told()).toMatchObject({ job: 'backup', outcome: 'passed' });
      expect(existsSync(environment.state.scheduleLock)).toBe(false);
    });

    test('of the checks runs them, and tells that they passed', async () => {
      const { state } = subject().environment;
      const report = (): string => readFileSync(path.join(state.reports, 'checks.json'), 'utf8');
      const before = report();
      const { stdout } = mustSucceed(await run('check'));
      expect(stdout).toContain('ciphertext-on-disk');
      expect(report()).not.toBe(before);
      expect(told()).toMatchObject({ job: 'check', outcome: 'passed', exitCode: 0 });
    });

    test('of the checks that finds a service stopped fails, and tells which', async () => {
      const { environment } = subject();
      const kes = environment.docker.getContainer(environment.containerName('kes'));
      await kes.stop();
      const { code } = await run('check');
      await kes.start();
      await environment.untilHealthy('kes');
      expect(code).toBe(1);
      expect(told()).toMatchObject({ job: 'check', outcome: 'failed', exitCode: 1 });
      expect(told().problems.join('\n')).toContain(environment.containerName('kes'));
    });
  });
}
