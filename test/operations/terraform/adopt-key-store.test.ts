import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { AUDIT_DEVICES } from '../../../config/keys/key-store';
import { parseEnvironment } from '../../../config/load';
import { stateLayout } from '../../../config/state/layout';
import { mayNeedAdoption } from '../../../operations/terraform/adopt-key-store';
import { ThrowawayCa } from '../../helpers/certificates';
import { useStateBucket } from '../../helpers/servers/state-bucket';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { TlsServer } from '../../helpers/servers/tls-server';
import { inVault } from '../../helpers/servers/vault';

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
const ROLE: Resource = {
  ...made('vault_approle_auth_backend_role', ''),
  instances: [{ attributes: { id: 'auth/approle/role/ebs-home-kes' } }],
};
const ALL = [MOUNT, APPROLE, ...DEVICES, ROLE];

/** An environment with these settings, in which Vault may have been initialised. */
function environmentWith(settings: string, initialised = true) {
  const state = stateLayout('home', folder());
  mkdirSync(path.dirname(state.secret.provisionerToken), { recursive: true });
  mkdirSync(state.terraform, { recursive: true });
  if (initialised) writeFileSync(state.secret.provisionerToken, 'token');
  return {
    environment: inVault(parseEnvironment(`name: home\n${settings}`, 'home.yaml')),
    file: 'home.yaml',
    argument: 'home',
    state,
  };
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
    ['a mount is missing in it', [APPROLE, ...DEVICES, ROLE]],
    ['the role is missing in it', [MOUNT, APPROLE, ...DEVICES]],
    ['a mount was begun, and Vault may have made it', [begun('vault_mount'), APPROLE, ...DEVICES, ROLE]],
    [
      'an audit device was begun',
      [MOUNT, APPROLE, ROLE, begun('vault_audit', { attributes: null }), ...DEVICES.slice(1)],
    ],
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

describe('of an external Vault nothing is adopted but the role, which is named after the environment', () => {
  let vault: TlsServer;
  /** What Vault answers to the reading of the role. */
  let answer: number;
  let asked: string[];

  beforeEach(async () => {
    const ca = await ThrowawayCa.create(folder(), 'ca-of-vault');
    answer = 200;
    asked = [];
    vault = await TlsServer.start(await ca.issue('vault'), ({ method, url }, response) => {
      asked.push(`${method ?? ''} ${url ?? ''}`);
      response.writeHead(answer).end('{}');
    });
    process.env = { ...process.env, VAULT_TOKEN: 'token', VAULT_CACERT: ca.file };
  });
  afterEach(() => vault.stop());

  const external = (resources: readonly Resource[]) => {
    const loaded = environmentWith(`vault: { mode: external, address: "${vault.url}" }`, false);
    writeFileSync(path.join(loaded.state.terraform, 'keystore.tfstate'), JSON.stringify({ version: 4, resources }));
    return loaded;
  };

  test('where the state lacks it and Vault has it', async () => {
    await expect(mayNeedAdoption(external([MOUNT, APPROLE]))).resolves.toBe(true);
    expect(asked).toEqual(['GET /v1/auth/approle/role/ebs-home-kes']);
  });

  test.each([
    ['Vault does not have it', 404],
    ['Vault does not say', 403],
  ])('not where %s', async (_, status) => {
    answer = status;
    await expect(mayNeedAdoption(external([]))).resolves.toBe(false);
  });

  test('nor where the state has it, and then Vault is not asked', async () => {
    await expect(mayNeedAdoption(external([ROLE]))).resolves.toBe(false);
    expect(asked).toEqual([]);
  });

  test('nor where Vault does not answer, or nobody has a token: the preflight says so', async () => {
    process.env = { ...process.env, VAULT_TOKEN: '' };
    await expect(mayNeedAdoption(external([]))).resolves.toBe(false);
    process.env = { ...process.env, VAULT_TOKEN: 'token' };
    await vault.stop();
    await expect(mayNeedAdoption(external([]))).resolves.toBe(false);
  });
});
