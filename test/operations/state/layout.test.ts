import { homedir } from 'node:os';
import path from 'node:path';
import { defaultStateHome, stateLayout } from '../../../config/state/layout';

describe('defaultStateHome', () => {
  test('is under XDG_STATE_HOME', () => {
    expect(defaultStateHome({ XDG_STATE_HOME: '/xdg' })).toBe('/xdg/encrypted-backup-storage');
  });

  test.each([
    ['not set', {}],
    ['empty', { XDG_STATE_HOME: '' }],
    ['relative, which the XDG specification calls invalid', { XDG_STATE_HOME: 'state' }],
  ])('is under ~/.local/state when XDG_STATE_HOME is %s', (_, env) => {
    expect(defaultStateHome(env)).toBe(path.join(homedir(), '.local/state/encrypted-backup-storage'));
  });
});

describe('stateLayout', () => {
  const before = process.env.XDG_STATE_HOME;
  afterEach(() => {
    if (before === undefined) delete process.env.XDG_STATE_HOME;
    else process.env.XDG_STATE_HOME = before;
  });

  test('is named after the environment', () => {
    // GIVEN
    process.env.XDG_STATE_HOME = '/xdg';

    // THEN
    expect(stateLayout('local').root).toBe('/xdg/encrypted-backup-storage/local');
  });

  test('can be a folder of its own', () => {
    const layout = stateLayout('local', '/srv/backup');

    expect(layout).toMatchObject({
      root: '/srv/backup',
      secrets: '/srv/backup/secrets',
      tls: '/srv/backup/tls',
      caCertificate: '/srv/backup/tls/ca.crt',
      terraform: '/srv/backup/terraform',
      canaries: '/srv/backup/keys.json',
      reports: '/srv/backup/reports',
      logs: '/srv/backup/logs',
      lock: '/srv/backup/lock',
      deployment: '/srv/backup/deployment.json',
    });
    expect(layout.secret.unsealShare(2)).toBe('/srv/backup/secrets/vault/unseal-share-2');
  });

  test('has every secret under secrets/, and nothing else there', () => {
    const { secret, secrets, ...others } = stateLayout('local', '/srv/backup');

    for (const file of Object.values(secret)) {
      expect(typeof file === 'string' ? file : file(1)).toMatch(/^\/srv\/backup\/secrets\/./);
    }
    for (const file of Object.values(others)) expect(file.startsWith(secrets)).toBe(false);
  });
});
