import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { AUDIT_DEVICES } from '../../../config/key-store';
import { parseEnvironment } from '../../../config/load';
import { stateLayout } from '../../../config/state';
import { mayNeedAdoption } from '../../../scripts/lib/adopt-key-store';
import { useStateBucket } from '../../helpers/state-bucket';
import { useTemporaryFolder } from '../../helpers/temporary-folder';

const folder = useTemporaryFolder();
const bucket = useStateBucket();

interface Resource {
  readonly mode: 'managed';
  readonly type: string;
  readonly instances: readonly unknown[];
}

const made = (type: string, path: string): Resource => ({
  mode: 'managed',
  type,
  instances: [{ attributes: { path } }],
});
/** As Terraform writes it while it makes something: the kill that came then leaves no more. */
const begun = (type: string, ...instances: unknown[]): Resource => ({ mode: 'managed', type, instances });

const MOUNT = made('vault_mount', 'kes');
const APPROLE = made('vault_auth_backend', 'approle/');
const DEVICES = AUDIT_DEVICES.map((_, index) => made('vault_audit', `device-${index}`));
const ALL = [MOUNT, APPROLE, ...DEVICES];

/** An environment with these settings, in which Vault may have been initialised. */
function environmentWith(settings: string, initialised = true) {
  const state = stateLayout('home', folder());
  mkdirSync(path.dirname(state.secret.provisionerToken), { recursive: true });
  mkdirSync(state.terraform, { recursive: true });
  if (initialised) writeFileSync(state.secret.provisionerToken, 'token');
  return { environment: parseEnvironment(`name: home\n${settings}`, 'home.yaml'), file: 'home.yaml', state };
}

/** One whose `keystore` stack has this state in a file. */
function deployed(resources: readonly Resource[] | undefined) {
  const loaded = environmentWith('');
  const file = path.join(loaded.state.terraform, 'keystore.tfstate');
  if (resources !== undefined) writeFileSync(file, JSON.stringify({ version: 4, resources }));
  return loaded;
}

/** One that has it in a bucket. */
function deployedRemotely(resources: readonly Resource[] | undefined) {
  if (resources !== undefined) bucket.states.set('home/keystore', { version: 4, resources });
  return environmentWith(bucket.setting());
}

describe.each([
  ['in a file', deployed],
  ['in a bucket', deployedRemotely],
])('with state %s', (_, environment) => {
  test.each([
    ['its state is lost', undefined],
    ['its state is empty', []],
    ['a mount is missing in it', [APPROLE, ...DEVICES]],
    ['a mount was begun, and Vault may have made it', [begun('vault_mount'), APPROLE, ...DEVICES]],
    ['an audit device was begun', [MOUNT, APPROLE, begun('vault_audit', { attributes: null }), ...DEVICES.slice(1)]],
  ])('an embedded Vault may have more than Terraform knows where %s', async (__, resources) => {
    await expect(mayNeedAdoption(environment(resources))).resolves.toBe(true);
  });

  test('it has not where all of it is known', async () => {
    await expect(mayNeedAdoption(environment(ALL))).resolves.toBe(false);
  });
});

test('a state file that was cut short counts as lost', async () => {
  const loaded = deployed(ALL);
  truncateSync(path.join(loaded.state.terraform, 'keystore.tfstate'), 20);
  await expect(mayNeedAdoption(loaded)).resolves.toBe(true);
});

test('before Vault is initialised there is nothing to adopt, and a bucket is not asked', async () => {
  bucket.refusal = 'NoSuchBucket';
  await expect(mayNeedAdoption(environmentWith(bucket.setting(), false))).resolves.toBe(false);
});

test('a state that cannot be read does not tell, and stops no deploy: Terraform may know a way to it', async () => {
  bucket.refusal = 'AccessDenied';
  await expect(mayNeedAdoption(environmentWith(bucket.setting()))).resolves.toBe(false);
});

test('an external Vault is not looked at: what is in it may be somebody else’s', async () => {
  const external = environmentWith('vault: { mode: external, address: "https://vault.example.com" }');
  await expect(mayNeedAdoption(external)).resolves.toBe(false);
});
