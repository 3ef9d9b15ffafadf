import { chmodSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import {
  installUnits,
  removeUnits,
  requireUsable,
  type Systemd,
  thisCaller,
} from '../../../operations/schedule/install';
import type { Caller } from '../../../operations/schedule/units';
import { newIdentity } from '../../../operations/backup/age/age-keys';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { thrownBy } from '../../helpers/thrown';
import { loaded } from '../checks/fakes';

const folder = useTemporaryFolder();
const inFolder = (name: string): string => path.join(folder(), name);
const CALLER: Caller = { user: 'root', nodeFolder: '/usr/bin', variables: {} };

let asked: string[];
let systemd: Systemd;
let recipient: string;

beforeEach(async () => {
  asked = [];
  systemd = {
    folder: inFolder('systemd'),
    // no systemd runs in a unit test
    systemctl: (...args) => {
      asked.push(args.join(' '));
      return Promise.resolve();
    },
  };
  recipient = await newIdentity(inFolder('identity'));
  mkdirSync(inFolder('backups'));
  writeFileSync(inFolder('secret'), 'https://hooks.test/x\n', { mode: 0o600 });
});

test('a unit has the variables by which its engine and Vault are found, and no secret', () => {
  const before = { ...process.env };
  try {
    Object.assign(process.env, { DOCKER_HOST: 'ssh://nas', VAULT_ADDR: 'https://vault.test', VAULT_TOKEN: 'secret' });
    const { variables } = thisCaller();
    expect(variables).toMatchObject({ DOCKER_HOST: 'ssh://nas', VAULT_ADDR: 'https://vault.test' });
    expect(JSON.stringify(variables)).not.toContain('secret');
  } finally {
    process.env = before;
  }
});

const backup = (): string => `schedule: { backup: { to: ${inFolder('backups')}, recipients: [${recipient}] } }`;
const units = (): string[] => readdirSync(systemd.folder).sort();

test('units are written, and their timers started', async () => {
  const scheduled = await installUnits(loaded(folder(), `name: prod\n${backup()}`), CALLER, systemd);
  expect(scheduled).toEqual([
    'ebs-prod-start.timer: start after a boot, each time',
    'ebs-prod-backup.timer: nightly backup of keys and settings, *-*-* 01:00:00',
    'ebs-prod-check.timer: nightly checks, *-*-* 02:00:00',
    'ebs-prod-deploy.timer: weekly deploy, which renews, Sun *-*-* 03:00:00',
    'ebs-prod-drill.timer: monthly drill, *-*-01 04:00:00',
    'ebs-prod-versions.timer: weekly look at versions, Mon *-*-* 05:00:00',
  ]);
  expect(units()).toEqual(
    ['backup', 'check', 'deploy', 'drill', 'start', 'versions'].flatMap((job) => [
      `ebs-prod-${job}.service`,
      `ebs-prod-${job}.timer`,
    ]),
  );
  expect(asked).toEqual([
    'daemon-reload',
    'enable --now ebs-prod-start.timer ebs-prod-backup.timer ebs-prod-check.timer ebs-prod-deploy.timer ebs-prod-drill.timer ebs-prod-versions.timer',
  ]);
});

test('a job that is no longer declared goes, and units of others stay', async () => {
  await installUnits(loaded(folder(), `name: prod\n${backup()}`), CALLER, systemd);
  writeFileSync(path.join(systemd.folder, 'ebs-production-drill.timer'), '');
  asked = [];
  await installUnits(loaded(folder(), 'name: prod\nschedule: { jobs: [check] }'), CALLER, systemd);
  expect(units()).toEqual(['ebs-prod-check.service', 'ebs-prod-check.timer', 'ebs-production-drill.timer']);
  expect(asked).toEqual([
    'disable --now ebs-prod-start.timer ebs-prod-deploy.timer ebs-prod-backup.timer ebs-prod-drill.timer ebs-prod-versions.timer',
    'daemon-reload',
    'daemon-reload',
    'enable --now ebs-prod-check.timer',
  ]);
});

test('all of them are removed, and a second time there is nothing to do', async () => {
  await installUnits(loaded(folder(), 'name: prod'), CALLER, systemd);
  expect(await removeUnits({ name: 'prod' }, systemd)).toHaveLength(10);
  expect(units()).toEqual([]);
  asked = [];
  expect(await removeUnits({ name: 'prod' }, systemd)).toEqual([]);
  expect(asked).toEqual([]);
});

describe('what a run at night would stumble over is refused', () => {
  const usable = (settings: string): void => {
    requireUsable(loaded(folder(), `name: prod\n${settings}`).environment);
  };

  test('everything in its place is taken', () => {
    usable(`${backup().replace(' } }', ` }, variablesFile: ${inFolder('secret')} }`)}
notify: { type: webhook, urlFile: ${inFolder('secret')} }`);
    usable('notify: { type: command, command: [/bin/cat] }');
  });

  test.each<[string, () => string, RegExp]>([
    [
      'a file of variables that is not there',
      () => `schedule: { variablesFile: ${inFolder('none')} }`,
      /^schedule\.variablesFile: there is no file .*none$/,
    ],
    [
      'one that others may read',
      () => {
        chmodSync(inFolder('secret'), 0o640);
        return `schedule: { variablesFile: ${inFolder('secret')} }`;
      },
      /^schedule\.variablesFile: .*secret must be readable by its owner alone, got mode 0640$/,
    ],
    [
      'an address of a webhook that is none',
      () => {
        writeFileSync(inFolder('secret'), 'http://hooks.test/with-a-token');
        return `notify: { type: webhook, urlFile: ${inFolder('secret')} }`;
      },
      /^\S*secret holds no https:\/\/ address$/,
    ],
    [
      'a program that is not there',
      () => 'notify: { type: command, command: [/nowhere/page] }',
      /^notify\.command: \/nowhere\/page cannot be run: ENOENT/,
    ],
    [
      'a folder of backups that is not there',
      () => backup().replace('/backups', '/none'),
      /^schedule\.backup\.to: no backup can be written to .*none: ENOENT/,
    ],
    [
      'a recipient with a slip in it',
      () => backup().replace('age1', 'age1x'),
      /^--recipient: age1x\S+ has a slip in it/,
    ],
  ])('%s', (_, settings, message) => {
    const text = settings();
    expect(
      thrownBy(() => {
        usable(text);
      }).message,
    ).toMatch(message);
  });
});
