import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { AUDIT_DEVICES } from '../../../config/key-store';
import { parseEnvironment } from '../../../config/load';
import { stateLayout } from '../../../config/state';
import { mayNeedAdoption } from '../../../scripts/lib/adopt-key-store';
import { useTemporaryFolder } from '../../helpers/temporary-folder';

const folder = useTemporaryFolder();

interface Resource {
  readonly type: string;
  readonly name: string;
  readonly instances: readonly unknown[];
}

const made = (type: string, name: string): Resource => ({ type, name, instances: [{ attributes: { path: name } }] });
/** As Terraform writes it while it makes something: the kill that came then leaves no more. */
const begun = (type: string, name: string): Resource => ({ type, name, instances: [] });

const MOUNT = made('vault_mount', 'Mount');
const APPROLE = made('vault_auth_backend', 'AppRole');
const DEVICES = AUDIT_DEVICES.map((_, index) => made('vault_audit', `Audit-${index}`));

/** An environment whose `keystore` stack has this state. */
function deployed(resources: readonly Resource[] | undefined, text = 'name: home', initialised = true) {
  const state = stateLayout('home', folder());
  mkdirSync(path.dirname(state.secret.provisionerToken), { recursive: true });
  mkdirSync(state.terraform, { recursive: true });
  if (initialised) writeFileSync(state.secret.provisionerToken, 'token');
  if (resources !== undefined) {
    writeFileSync(path.join(state.terraform, 'keystore.tfstate'), JSON.stringify({ version: 4, resources }));
  }
  return { environment: parseEnvironment(text, 'home.yaml'), file: 'home.yaml', state };
}

test.each([
  ['its state is lost', undefined],
  ['its state is empty', []],
  ['a mount is missing in it', [APPROLE, ...DEVICES]],
  ['a mount was begun, and Vault may have made it', [begun('vault_mount', 'Mount'), APPROLE, ...DEVICES]],
  ['an audit device was begun', [MOUNT, APPROLE, begun('vault_audit', 'Audit-0'), ...DEVICES.slice(1)]],
])('an embedded Vault may have more than Terraform knows where %s', (_, resources) => {
  expect(mayNeedAdoption(deployed(resources))).toBe(true);
});

test('it has not where all of it is known, or nothing was made yet', () => {
  expect(mayNeedAdoption(deployed([MOUNT, APPROLE, ...DEVICES]))).toBe(false);
  expect(mayNeedAdoption(deployed(undefined, 'name: home', false))).toBe(false);
});

test('an external Vault is not looked at: what is in it may be somebody else’s', () => {
  const external = 'name: home\nvault: { mode: external, address: "https://vault.example.com" }';
  expect(mayNeedAdoption(deployed(undefined, external))).toBe(false);
});
