import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { AUDIT_DEVICES } from '../../../config/keys/key-store';
import { parseEnvironment } from '../../../config/load';
import { stateLayout } from '../../../config/state/layout';
import { adoptingDeploy } from '../../../operations/terraform/adopting-deploy';
import { deployBy } from '../../../operations/terraform/deploy-step';
import { useTemporaryFolder } from '../../helpers/temporary-folder';

const folder = useTemporaryFolder();

const made = (type: string, name: string) => ({
  ...{ mode: 'managed', type, name },
  instances: [{ attributes: { path: name } }],
});
const MOUNT = made('vault_mount', 'kes');
const APPROLE = made('vault_auth_backend', 'approle');
const DEVICES = AUDIT_DEVICES.map(({ name }) => made('vault_audit', name));
const ROLE = {
  ...made('vault_approle_auth_backend_role', 'kes'),
  instances: [{ attributes: { id: 'auth/approle/role/ebs-home-kes' } }],
};
const OPERATION = { mode: 'managed', type: 'terraform_data', name: 'One', instances: [{ attributes: {} }] };

const EMBEDDED = 'keyStore: { type: vault, mount: kes }';
const EXTERNAL = 'vault: { mode: external, address: "https://vault.example.com" }';
const FILES = 'keyStore: { type: filesystem }';

/** What is done to deploy a target, where Terraform's state is that of a migration on its way. */
async function stepsTo(
  settings: string,
  resources: readonly object[] | undefined,
  { initialised = true } = {},
): Promise<string[]> {
  const state = stateLayout('home', folder());
  mkdirSync(path.dirname(state.secret.provisionerToken), { recursive: true });
  mkdirSync(state.terraform, { recursive: true });
  if (initialised) writeFileSync(state.secret.provisionerToken, 'token');
  if (resources !== undefined) {
    writeFileSync(path.join(state.terraform, 'keystore.tfstate'), JSON.stringify({ version: 4, resources }));
  }
  const environment = parseEnvironment(`name: home\n${settings}`, 'home.yaml');
  const loaded = { environment, file: 'home.yaml', argument: 'home', state };
  const deploy = deployBy({ loaded, synthesize: () => [], verbose: false });
  const steps = await adoptingDeploy(loaded, deploy, { to: 'keystore' });
  return steps.map(({ title }) => title);
}

const AT_ONCE = ['Deploy foundation, vault, keystore'];
const ADOPTING = ['Deploy foundation, vault', 'Existing key store', 'Deploy keystore'];

test.each([
  ['between two mounts of one Vault, while the state names the old one', [MOUNT, APPROLE, ROLE, ...DEVICES], {}],
  ['from another Vault, before this one was initialised', [MOUNT, APPROLE], { initialised: false }],
  ['from elsewhere, when all of it was made', [MOUNT, APPROLE, ROLE, ...DEVICES, OPERATION], {}],
])('into an embedded Vault at once: %s', async (_, resources, vault) => {
  expect(await stepsTo(EMBEDDED, resources, vault)).toEqual(AT_ONCE);
});

test.each([
  ['between two mounts of one Vault, once the old one is forgotten', [APPROLE, ROLE, ...DEVICES]],
  ['from another Vault, which the state still names', [MOUNT, APPROLE]],
  ['from files or AWS', [OPERATION]],
  ['from anywhere, with a state that was lost', undefined],
])('into an embedded Vault that an earlier run may have changed, adopting what it has: %s', async (_, resources) => {
  expect(await stepsTo(EMBEDDED, resources)).toEqual(ADOPTING);
});

test('an embedded Vault that the keys leave is asked nothing', async () => {
  expect(await stepsTo(EXTERNAL, [])).toEqual(['Deploy foundation, keystore']);
  expect(await stepsTo(FILES, [])).toEqual(['Deploy foundation, keystore']);
});
