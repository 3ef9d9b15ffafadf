import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseEnvironment } from '../../../config/load';
import { stateLayout } from '../../../config/state/layout';
import { cutStates, deployedPaths, setAsideCutStates } from '../../../operations/terraform/terraform-state';
import { useTemporaryFolder } from '../../helpers/temporary-folder';

const environment = parseEnvironment('name: home', 'test.yaml');
const folder = useTemporaryFolder();

test('what a stack made is known with its path; what it only read, began or declared zero times is not among it', async () => {
  const state = stateLayout('home', folder());
  expect(await deployedPaths({ environment, state }, 'keystore')).toEqual(new Set());
  mkdirSync(state.terraform, { recursive: true });
  const resource = (mode: string, type: string, ...instances: object[]) => ({ mode, type, instances });
  writeFileSync(
    path.join(state.terraform, 'keystore.tfstate'),
    JSON.stringify({
      version: 4,
      resources: [
        resource('managed', 'vault_mount', { attributes: { path: 'team/kes', type: 'kv' } }),
        resource('managed', 'vault_auth_backend', { attributes: { path: 'approle/' } }),
        resource('managed', 'vault_policy', { attributes: { name: 'kes' } }),
        resource('managed', 'vault_audit'),
        resource('managed', 'vault_audit', { status: 'tainted', attributes: null }),
        resource('data', 'vault_mount', { attributes: { path: 'read' } }),
      ],
    }),
  );
  expect(await deployedPaths({ environment, state }, 'keystore')).toEqual(
    new Set(['vault_mount team/kes', 'vault_auth_backend approle']),
  );
});

test('of a state file that was cut short nothing is known', async () => {
  const state = stateLayout('home', folder());
  mkdirSync(state.terraform, { recursive: true });
  writeFileSync(path.join(state.terraform, 'keystore.tfstate'), '{"version":4,"resources":[');
  expect(await deployedPaths({ environment, state }, 'keystore')).toEqual(new Set());
});

describe('a state file that was cut short', () => {
  const WHOLE = JSON.stringify({ version: 4, serial: 7, resources: [] });
  const EXTERNAL = 'vault: { mode: external, address: "https://vault.example.com" }';

  /** An environment with these files in its folder of states. */
  function withStates(files: Readonly<Record<string, string>>, more = '') {
    const text = `name: home\n${more}`;
    const state = stateLayout('home', folder());
    mkdirSync(state.terraform, { recursive: true });
    for (const [name, content] of Object.entries(files)) writeFileSync(path.join(state.terraform, name), content);
    return { environment: parseEnvironment(text, 'home.yaml'), file: 'home.yaml', argument: 'home', state };
  }

  test.each([0, 1, WHOLE.length - 1])('is set aside as it is, after %d bytes; whole ones stay', (bytes) => {
    const left = WHOLE.slice(0, bytes);
    const loaded = withStates({ 'keystore.tfstate': left, 'keystore.tfstate.backup': WHOLE, 'kes.tfstate': WHOLE });
    const { terraform } = loaded.state;
    const [{ file, now } = { file: '', now: '' }, ...others] = setAsideCutStates(loaded);
    expect([file, others]).toEqual([path.join(terraform, 'keystore.tfstate'), []]);
    expect(readFileSync(now, 'utf8')).toBe(left);
    expect(readdirSync(terraform).sort()).toEqual(['kes.tfstate', 'keystore.tfstate.backup', path.basename(now)]);
    expect(cutStates(loaded)).toEqual([]);
  });

  test('of an external Vault is left, and the one before is offered', () => {
    const loaded = withStates({ 'keystore.tfstate': '{', 'keystore.tfstate.backup': WHOLE }, EXTERNAL);
    const before = readdirSync(loaded.state.terraform);
    expect(() => setAsideCutStates(loaded)).toThrow(
      expect.objectContaining({
        message: expect.stringContaining('keystore.tfstate was cut short') as string,
        hint: expect.stringMatching(/^put back the one before: cp (\S+)\.backup \1; /) as string,
      }) as Error,
    );
    expect(readdirSync(loaded.state.terraform)).toEqual(before);
  });

  test.each([
    ['the empty one that Terraform makes when it takes its lock', '', {}],
    ['one that was never written a second time', '{', {}],
    ['one whose backup was cut short, too', '{', { 'keystore.tfstate.backup': '{' }],
  ])('of an external Vault is set aside where there is nothing to put back: %s', (_, left, backup) => {
    const loaded = withStates({ 'keystore.tfstate': left, ...backup }, EXTERNAL);
    const [{ now } = { now: '' }] = setAsideCutStates(loaded);
    expect(readFileSync(now, 'utf8')).toBe(left);
    expect(cutStates(loaded)).toEqual([]);
  });

  test('of another stack than that with the mounts is set aside with an external Vault, too', () => {
    expect(setAsideCutStates(withStates({ 'kes.tfstate': '' }, EXTERNAL))).toHaveLength(1);
  });

  test('is no concern where the state is in a bucket', () => {
    const remote = 'state: { backend: s3, bucket: states, region: eu-central-1 }';
    expect(setAsideCutStates(withStates({ 'kes.tfstate': '' }, remote))).toEqual([]);
  });
});
