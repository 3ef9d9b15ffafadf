import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { writtenSettings } from '../../../config/environment';
import { Deployment } from '../../../constructs/deployment';
import { UsageError } from '../../../operations/lib/errors';
import { keepEnvironment, loadEnvironment } from '../../../operations/state/load';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { thrownBy } from '../../helpers/thrown';

describe('which file is meant', () => {
  const folder = useTemporaryFolder();
  const before = process.env.EBS_ENVIRONMENT;
  afterEach(() => {
    if (before === undefined) delete process.env.EBS_ENVIRONMENT;
    else process.env.EBS_ENVIRONMENT = before;
  });

  test('local, when nobody names one', () => {
    delete process.env.EBS_ENVIRONMENT;
    expect(loadEnvironment().environment.name).toBe('local');
  });

  test('the one that EBS_ENVIRONMENT names', () => {
    // GIVEN
    const file = path.join(folder(), 'other.yaml');
    writeFileSync(file, `name: other\nstate: { backend: local, directory: ${folder()}/state }`);
    process.env.EBS_ENVIRONMENT = file;

    // WHEN
    const loaded = loadEnvironment();

    // THEN
    expect(loaded).toMatchObject({ file, environment: { name: 'other' }, state: { root: `${folder()}/state` } });
  });

  test.each([
    ['the state folder', ''],
    ['its secrets', 'secrets'],
    ['the folder of certificates', 'tls'],
    ['the state of Terraform', 'terraform'],
    ['the notes of operations', 'operations'],
    ['what is synthesized', 'cdktf.out'],
  ])('%s that others can write to is refused, and taken when they cannot', (_, part) => {
    const root = path.join(folder(), 'state');
    const file = path.join(folder(), 'shared.yaml');
    writeFileSync(file, `name: shared\nstate: { backend: local, directory: ${root} }`);
    const open = path.join(root, part);
    mkdirSync(open, { recursive: true });
    chmodSync(root, 0o700);
    chmodSync(open, 0o777);
    const error = thrownBy(() => loadEnvironment(file));
    expect(error).toBeInstanceOf(UsageError);
    expect(error).toMatchObject({
      message: `${open} must belong to you and be writable by you only, got: owner ${process.getuid?.()}, group ${process.getgid?.()}, mode 777. What is in it is deployed`,
      hint: 'Take it back: chown and chmod go-w, if its contents are unchanged; nothing was changed.',
    });
    chmodSync(open, 0o755);
    expect(loadEnvironment(file).state.root).toBe(root);
  });

  (process.getuid?.() === 0 ? test : test.skip)(
    'a state folder of another user is refused, or of a shared group',
    () => {
      const root = path.join(folder(), 'state');
      const file = path.join(folder(), 'shared.yaml');
      writeFileSync(file, `name: shared\nstate: { backend: local, directory: ${root} }`);
      mkdirSync(root);
      chownSync(root, 12_345, 12_345);
      expect(thrownBy(() => loadEnvironment(file)).message).toContain('got: owner 12345, group 12345, mode 755.');
      chownSync(root, 0, 12_345);
      chmodSync(root, 0o775);
      expect(thrownBy(() => loadEnvironment(file)).message).toContain('got: owner 0, group 12345, mode 775.');
      // the group of this user alone
      chownSync(root, 0, 0);
      expect(loadEnvironment(file).state.root).toBe(root);
    },
  );

  test('a file that is not there is a usage error', () => {
    const error = thrownBy(() => loadEnvironment(path.join(folder(), 'none.yaml')));
    expect(error).toBeInstanceOf(UsageError);
    expect(error.message).toBe(`environment file ${folder()}/none.yaml cannot be read: ENOENT`);
    expect(error).toHaveProperty('hint', 'name an environment of environments/, or give the path of a YAML file');
  });
});

test('settings of an app are kept as an environment file, which means the same', () => {
  // GIVEN
  const folder = mkdtempSync(path.join(tmpdir(), 'ebs-kept-'));
  try {
    const { environment } = new Deployment({ name: 'photos', stateDirectory: folder, minio: { port: 19000 } });

    // WHEN
    const kept = keepEnvironment(writtenSettings(environment));

    // THEN
    expect(kept.file).toBe(path.join(folder, 'deployment-settings.yaml'));
    expect(kept.environment).toEqual(environment);
    expect(loadEnvironment(kept.file)).toMatchObject({ environment, state: { root: folder } });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
