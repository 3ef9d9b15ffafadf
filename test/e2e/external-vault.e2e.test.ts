/**
 * Deployments whose master keys are in a Vault of someone else, with tokens that may do just what is documented; the
 * images of the first come from a registry that asks for a login.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { vaultNames } from '../../config/deployment-names';
import type { VaultKeyStoreSettings } from '../../config/environment';
import { provisionerRules } from '../../config/keys/key-store';
import { policyDocument, type PolicyRule } from '../../config/vault/vault-policies';
import { CHECKED_ROWS } from '../../config/guard-rules';
import { nonDisruptive } from '../../operations/checks/catalogue';
import { holeChecks } from '../../operations/checks/holes/hole-checks';
import { reportSchema } from '../../operations/checks/report/model';
import { messageOf } from '../../operations/lib/errors';
import { requireUsableVault } from '../../operations/vault/external-vault-preflight';
import { Rotation } from '../../operations/state/rotation';
import { rotateSecretId } from '../../operations/kes/rotate-secret-id';
import { VaultClient } from '../../operations/vault/vault-client';
import { waitFor } from '../../operations/lib/wait';
import { mustSucceed, type CommandResult } from '../helpers/e2e/command';
import { ExternalVaultServer } from '../helpers/e2e/servers/external-vault';
import { encodedLogin, ImageRegistry, REGISTRY_LOGIN } from '../helpers/e2e/servers/image-registry';
import { measured } from '../helpers/e2e/clients/measured';
import { collectSecrets, fileHaystacks, searchFor } from '../helpers/e2e/secrets';
import { TestEnvironment } from '../helpers/e2e/test-environment';
import {
  describeImagesThatCannotBePulled,
  describePushes,
  type ImagesBlock,
  pushImages,
  pushUnguarded,
  requireNoImageHere,
  requirePulledImages,
} from './registry-images';
import { inVault } from '../helpers/servers/vault';
import { Secret } from '../../operations/lib/secret';

type Settings = NonNullable<Parameters<typeof TestEnvironment.create>[0]>;

const NOTHING = { containers: [], fileVolumes: [], dataVolumes: [], networks: [] };
const kesFile = z.object({
  keystore: z.object({ vault: z.object({ approle: z.object({ id: z.string(), secret: z.string() }) }) }),
});
const mountOrSecret = z.object({ data: z.record(z.string(), z.unknown()) });
const wrapped = z.object({ wrap_info: z.object({ token: z.string() }) });

/** The environment of the first half: mounts that the deploy makes. */
let environment: TestEnvironment;
let vault: ExternalVaultServer;
let token = '';
let registry: ImageRegistry;
let images: ImagesBlock;
const pulled: string[] = [];

beforeAll(async () => {
  environment = await TestEnvironment.create();
  vault = await ExternalVaultServer.start(environment);
  registry = await ImageRegistry.start(environment.folderFor('registry'), environment.docker);
  images = await pushImages(environment, registry);
  environment.write(settings());
  token = await vault.tokenWith('deploys', await printedPolicy(environment));
});

afterAll(async () => {
  await vault.stop();
  await environment.remove();
  await registry.stop([images.kes, images.minio, ...pulled]);
});

/** Where the Vault is comes from its own variables in the first half, and from the environment file in the second. */
const variables = () => ({ VAULT_ADDR: vault.url, VAULT_CACERT: vault.caFile, VAULT_TOKEN: token });

function settings(secretId?: Record<string, unknown>, more: Settings = {}): Settings {
  return {
    vault: { mode: 'external' },
    keyStore: { type: 'vault', ...(secretId === undefined ? {} : { approle: { secretId: secretId as never } }) },
    buckets: [{ name: 'backup' }],
    images,
    ...more,
  };
}

function keyStoreOf({ loaded }: TestEnvironment): VaultKeyStoreSettings {
  const { keyStore } = loaded.environment;
  if (keyStore.type !== 'vault') throw new Error('the tests keep the keys in Vault');
  return keyStore;
}

async function printedPolicy(of: TestEnvironment): Promise<string> {
  return mustSucceed(await of.script('policy')).stdout;
}

/** Deploys up to a stack: nothing after it is changed by a setting of the key store. */
async function deployUpTo(
  last: 'keystore' | 'kes',
  of: TestEnvironment,
  env: Record<string, string>,
): Promise<CommandResult> {
  const stacks = ['foundation', 'keystore', ...(last === 'kes' ? ['kes'] : [])];
  return of.cdktf(['deploy', ...stacks.map((stack) => `${of.name}-${stack}`), '--auto-approve'], { env });
}

function secretIdOf({ state }: TestEnvironment): { readonly role_id: string; readonly secret_id: string } {
  const { id, secret } = kesFile.parse(parse(readFileSync(state.secret.kesConfiguration, 'utf8'))).keystore.vault
    .approle;
  return { role_id: id, secret_id: secret };
}

/** What Vault answers to a login from this machine. */
async function login(mount: string, credentials: ReturnType<typeof secretIdOf>): Promise<string> {
  try {
    await vault.root.write(`auth/${mount}/login`, credentials);
    return 'logged in';
  } catch (error) {
    return messageOf(error);
  }
}

const UNKNOWN = expect.stringContaining('invalid role or secret ID') as string;
const NOT_FROM_HERE = expect.stringContaining('unauthorized through CIDR restrictions') as string;

function everythingSaid({ stdout, stderr }: CommandResult): string {
  return stdout + stderr;
}

describe('before anything is deployed', () => {
  const request = (over: Partial<Parameters<typeof requireUsableVault>[0]> = {}) => ({
    address: { url: vault.url, caFile: vault.caFile },
    token: { token: new Secret(token), source: 'VAULT_TOKEN' },
    rights: provisionerRules(inVault(environment.loaded.environment)),
    keyStore: keyStoreOf(environment),
    made: new Set<string>(),
    mintPath: `auth/approle/role/${vaultNames(environment.loaded.environment).kesRole}/secret-id`,
    needsSecretId: true,
    policyCommand: './scripts/policy test',
    announce: () => undefined,
    ...over,
  });

  test('a token with the printed policy is enough', async () => {
    await expect(requireUsableVault(request())).resolves.toBeUndefined();
  });

  test('each right is needed, and one that is missing is named', async () => {
    const rules = provisionerRules(inVault(environment.loaded.environment));
    const missing = rules.flatMap(({ path, capabilities }) => capabilities.map((capability) => ({ path, capability })));
    for (const { path, capability } of missing) {
      const fewer = rules.map((rule): PolicyRule => ({
        ...rule,
        capabilities: rule.capabilities.filter((kept) => rule.path !== path || kept !== capability),
      }));
      const policy = policyDocument(
        fewer.map((rule) => (rule.capabilities.length === 0 ? { ...rule, capabilities: ['deny'] } : rule)),
      );
      const lesser = { token: new Secret(await vault.tokenWith('lesser', policy)), source: 'VAULT_TOKEN' };
      const remark = path === 'sys/capabilities-self' ? ' (without it other missing rights are unknown)' : '';
      await expect(requireUsableVault(request({ token: lesser }))).rejects.toThrow(
        `the token in VAULT_TOKEN may not do everything that it must at Vault at ${vault.url}; it lacks:\n  - ${path}: ${capability}${remark}`,
      );
    }
    expect(missing.length).toBeGreaterThan(20);
  });

  test('several that are missing are named at once, by ./scripts/up, which touches nothing', async () => {
    const rules = provisionerRules(inVault(environment.loaded.environment)).filter(
      ({ path }) => !path.endsWith('/role-id') && path !== 'sys/mounts',
    );
    const VAULT_TOKEN = await vault.tokenWith('lesser', policyDocument(rules));
    const { code, stderr } = await environment.script('up', [], { env: { ...variables(), VAULT_TOKEN } });
    expect(code).toBe(1);
    const role = vaultNames(environment.loaded.environment).kesRole;
    expect(stderr).toContain(`it lacks:\n  - sys/mounts: read\n  - auth/approle/role/${role}/role-id: read\n`);
    expect(await environment.dockerResources()).toEqual(NOTHING);
  });

  test.each([
    [
      'a token that is none',
      () => request({ token: { token: new Secret('hvs.none'), source: '/a/file' } }),
      'does not accept the token in /a/file (HTTP 403)',
    ],
    ['another CA', () => request({ address: { url: vault.url } }), 'does not answer: '],
    [
      'no Vault there',
      () => request({ address: { url: 'https://127.0.0.1:1' } }),
      'Vault at https://127.0.0.1:1 does not answer: ',
    ],
    [
      'a namespace',
      () => request({ address: { url: vault.url, caFile: vault.caFile, namespace: 'team-a' } }),
      'has no namespaces and ignores team-a: it is the Community Edition',
    ],
  ])('%s is refused', async (_, asked, message) => {
    await expect(requireUsableVault(asked())).rejects.toThrow(message);
  });

  test.each([
    ['ends too soon', { ttl: '5m' }, /ends in (2[89]\d|300) s, and a deploy may take 900 s$/],
    ['has a limit of uses', { period: '2h', num_uses: 50 }, /may be used \d\d more time\(s\) only$/],
  ])('a token that %s is refused', async (_, kind, message) => {
    const policy = policyDocument(provisionerRules(inVault(environment.loaded.environment)));
    const token = { token: new Secret(await vault.tokenWith('deploys', policy, kind)), source: 'VAULT_TOKEN' };
    await expect(requireUsableVault(request({ token }))).rejects.toThrow(message);
  });

  test('a sealed one is refused', async () => {
    await vault.seal();
    await expect(requireUsableVault(request())).rejects.toThrow(`Vault at ${vault.url} is sealed`);
    await vault.unseal();
  });

  test('mounts that are there although, or not there as, the file does not say so are refused, all at once', async () => {
    await vault.root.write('sys/mounts/there', { type: 'kv', options: { version: '1' } });
    await vault.root.write('sys/auth/userpass', { type: 'userpass' });
    const keyStore = keyStoreOf(environment);
    const asked = (mount: string, existingMount: boolean, approle: object, made: string[] = []) =>
      requireUsableVault(
        request({
          keyStore: { ...keyStore, mount, existingMount, approle: { ...keyStore.approle, ...approle } },
          made: new Set(made),
        }),
      );
    await expect(asked('there', false, { mount: 'userpass' })).rejects.toThrow(
      `is not as the environment file says:
  - the mount there exists already, and this deployment did not make it. To use it, or if a killed deploy of this environment made it, write keyStore.existingMount: true; else choose another
  - the auth method userpass exists already, and this deployment did not make it. To use it, or if a killed deploy of this environment made it, write keyStore.approle.existingMount: true; else choose another
  - the auth method userpass must be of type approle, it is of type userpass. Choose another keyStore.approle.mount`,
    );
    await expect(asked('gone', true, { mount: 'gone', existingMount: true })).rejects.toThrow(
      `is not as the environment file says:
  - the mount gone is not there, but keyStore.existingMount says that it is. Remove keyStore.existingMount, and the deploy makes it
  - the auth method gone is not there, but keyStore.approle.existingMount says that it is. Remove keyStore.approle.existingMount, and the deploy makes it`,
    );
    await expect(asked('there', true, {}, ['vault_mount there'])).rejects.toThrow(
      `is not as the environment file says:
  - the mount there was made by this deployment, which would have to delete it. Remove keyStore.existingMount
  - the mount there has version 1, keyStore.kvVersion says 2. Write 1`,
    );
    await expect(asked('cubbyhole', true, {})).rejects.toThrow(
      'the mount cubbyhole must be of type kv, it is of type cubbyhole',
    );
  });
});

describePushes(() => ({ environment, registry }));

describeImagesThatCannotBePulled(() => ({ environment, registry, images }));

describe('mounts of its own, KV version 2, where VAULT_… variables say', () => {
  test('a token with the printed policy deploys everything, from images that are pulled by digest', async () => {
    environment.write(settings());
    await requireNoImageHere({ environment, registry, images });
    const result = mustSucceed(await environment.script('up', [], { env: variables() }));
    measured('./scripts/up with an external Vault and images from a registry', result.seconds);
    expect(result.stderr).toContain('2 can be pulled');
    await requirePulledImages({ environment, registry, images });
    expect(await vault.root.probe('GET', `kes/data/${environment.name}/backup-default`)).toBe(200);
  });

  test('a SecretID that shall end, and be used by the network of KES alone, takes the place of one that may do more', async () => {
    const before = secretIdOf(environment);
    expect(await login('approle', before)).toBe('logged in');
    const { IPAM } = await environment.docker.getNetwork(`ebs-${environment.name}`).inspect();
    const network = IPAM?.Config?.[0]?.Subnet;
    if (network === undefined) throw new Error('Docker does not say which addresses the network has');
    const secretId = { delivery: 'minted', ttl: '720h', boundCidrs: [network], tokenBoundCidrs: [network] };
    environment.write(settings(secretId));
    mustSucceed(await deployUpTo('kes', environment, variables()));
    const after = secretIdOf(environment);
    expect(after.role_id).toBe(before.role_id);
    // the last thing of that deploy was KES opening its canaries with it; this test is not in that network
    expect({ before: await login('approle', before), after: await login('approle', after) }).toEqual({
      before: UNKNOWN,
      after: NOT_FROM_HERE,
    });
    const note = JSON.parse(readFileSync(environment.state.secretIdNote, 'utf8')) as {
      expires: string;
      renewAfter: string;
    };
    const days = (time: string): number => Math.round((Date.parse(time) - Date.now()) / 86_400_000);
    expect([days(note.renewAfter), days(note.expires)]).toEqual([20, 30]);
  });

  test('the checks pass with it, and leave out what only KES can do then', async () => {
    const { stdout } = mustSucceed(await environment.script('check', ['--json'], { env: variables() }));
    const { results } = reportSchema.parse(JSON.parse(stdout));
    const declared = inVault(environment.loaded.environment);
    const ofVault = nonDisruptive.filter((check) => check.from === 'vault');
    const ids = ofVault.map(({ id }) => id);
    const skipped = results.filter(({ id, status }) => status === 'skipped' && ids.includes(id));
    // a reason is that of the variables with which the command ran
    const env = jest.replaceProperty(process, 'env', { ...process.env, ...variables() });
    const expected = ofVault.flatMap(({ id, skipReason }) => {
      const reason = skipReason?.(declared);
      return reason === undefined ? [] : [[id, reason]];
    });
    env.restore();
    expect(skipped.map(({ id, message }) => [id, message])).toEqual(expected);
    expect(skipped).toContainEqual(
      expect.objectContaining({
        id: 'vault-kes-token-confined',
        message: expect.stringMatching(/^KES logs in from \S+ only, not from here$/) as string,
      }),
    );
  });

  test('it is renewed by the first deploy in the last third of its life, and works until KES has the new one', async () => {
    const before = secretIdOf(environment);
    const file = environment.state.secretIdNote;
    const note = JSON.parse(readFileSync(file, 'utf8')) as object;
    writeFileSync(file, JSON.stringify({ ...note, renewAfter: new Date().toISOString() }));
    mustSucceed(await deployUpTo('kes', environment, variables()));
    expect(secretIdOf(environment).secret_id).not.toBe(before.secret_id);
    // bound as it is, it is still known
    expect(await login('approle', before)).toEqual(NOT_FROM_HERE);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ generation: 2 });
    const again = mustSucceed(await deployUpTo('keystore', environment, variables()));
    expect(environment.changes(again)).toEqual({ foundation: 'no change', keystore: 'no change' });
  });

  test('a mount that the deploy made cannot be called existing: plain cdktf would delete every key', async () => {
    environment.write(settings(undefined, { keyStore: { type: 'vault', existingMount: true } }));
    const result = await deployUpTo('keystore', environment, variables());
    expect(result.code).not.toBe(0);
    expect(everythingSaid(result)).toContain('Instance cannot be destroyed');
    expect(await vault.root.probe('GET', `kes/data/${environment.name}/backup-default`)).toBe(200);
  });

  test('neither token nor SecretID nor the login of the registry is in anything that is not secret', () => {
    const secrets = [
      ...collectSecrets(environment.state),
      { name: 'token of the deploy', value: token },
      { name: 'password of the registry', value: REGISTRY_LOGIN.password },
      { name: 'login of the registry', value: encodedLogin() },
    ];
    expect(searchFor(secrets, fileHaystacks(environment))).toEqual([]);
  });

  test('an image that takes forged writes, with its program elsewhere, fails the deploy; accepted, each report says so', async () => {
    const forked = await pushUnguarded({ environment, registry, images }, '/usr/bin/silo');
    pulled.push(forked.minio);
    environment.write(settings(undefined, { images: forked }));
    const failed = await environment.script('up', ['--without-backup'], { env: variables() });
    expect(failed.code).toBe(1);
    for (const id of holeChecks.map((one) => one.id)) expect(failed.stderr).toMatch(new RegExp(`^ *${id}: `, 'm'));
    expect(failed.stderr).toContain('or the image that `./scripts/images push` builds and pushes');
    const { Config } = await environment.docker.getContainer(environment.containerName('minio')).inspect();
    expect([Config.Image, Config.Entrypoint]).toEqual([forked.minio, ['/usr/bin/silo']]);

    environment.write(settings(undefined, { images: forked, minio: { acceptedRisks: [...CHECKED_ROWS] } }));
    const accepted = mustSucceed(await environment.script('up', [], { env: variables() }));
    expect(accepted.stdout).toContain('minio.acceptedRisks accepts that MinIO may let through');
    const { reports } = environment.state;
    const report = reportSchema.parse(JSON.parse(readFileSync(path.join(reports, 'checks.json'), 'utf8')));
    expect(report).toMatchObject({ outcome: 'passed', counts: { accepted: holeChecks.length, failed: 0 } });
    expect(readFileSync(path.join(reports, 'checks.xml'), 'utf8')).toContain(
      '<skipped message="accepted risk: unsigned-',
    );
    expect(readFileSync(path.join(reports, 'checks.html'), 'utf8')).toContain('4 with accepted risks');
  });

  test('what the policy allows was all used, once the key store was destroyed, too', async () => {
    environment.write(settings(undefined, { allowDataLoss: environment.name }));
    const policy = await printedPolicy(environment);
    // a token that can have no child and be renewed by nobody does as well
    const env = { ...variables(), VAULT_TOKEN: await vault.tokenWith('deploys', policy, { type: 'batch', ttl: '1h' }) };
    // an update of each, which is not a change of what they are
    environment.write(
      settings(undefined, {
        allowDataLoss: environment.name,
        keyStore: { type: 'vault', approle: { tokenPeriod: '40m' } },
      }),
    );
    mustSucceed(await deployUpTo('keystore', environment, env));
    const name = `${environment.name}-keystore`;
    mustSucceed(
      await environment.cdktf(['destroy', name, '--auto-approve', '--ignore-missing-stack-dependencies'], { env }),
    );
    const used = [...vault.used('deploys')];
    const wasUsed = (capability: string, allowed: string): boolean =>
      used.some((request) =>
        allowed.endsWith('*')
          ? request.startsWith(`${capability} ${allowed.slice(0, -1)}`)
          : request === `${capability} ${allowed}`,
      );
    const unused = provisionerRules(inVault(environment.loaded.environment)).flatMap(({ path, capabilities }) =>
      capabilities.filter((capability) => !wasUsed(capability, path)).map((capability) => `${capability} ${path}`),
    );
    const mount = 'sys/mounts/kes';
    const auth = 'sys/auth/approle';
    expect(unused).toEqual([
      // a change of keyStore.kvVersion
      `update ${mount}/tune`,
      // an audit log does not say that Vault asked for it
      `sudo ${auth}`,
    ]);
  });
});

describe('mounts of someone else, KV version 2, a SecretID that the deploy must not mint', () => {
  let adopting: TestEnvironment;
  let mintPath = '';
  let untouched: unknown[];
  const tokenFile = () => path.join(adopting.folderFor('vault'), 'token');
  const wrappingTokenFile = () => path.join(adopting.folderFor('vault'), 'wrapping-token');
  // variables would be of no use: the environment file wins
  const env = { VAULT_ADDR: '', VAULT_TOKEN: 'of-someone-else', VAULT_CACERT: '' };

  beforeAll(async () => {
    adopting = await TestEnvironment.create();
    await vault.root.write('sys/mounts/shared/keys', {
      type: 'kv',
      description: 'of someone else',
      options: { version: '2' },
      config: { max_lease_ttl: '77h' },
    });
    await vault.root.write('sys/auth/shared', { type: 'approle', description: 'of someone else' });
    await waitFor({ what: 'the mount to be version 2', timeoutMs: 180_000 }, () =>
      vault.root.write('shared/keys/config', { max_versions: 3, delete_version_after: '2000h' }),
    );
    await vault.root.write('shared/keys/data/of-someone-else', { data: { value: 'stays' } });
    untouched = await ofSomeoneElse();
    adopting.write({
      vault: { mode: 'external', address: vault.url, caFile: vault.caFile, tokenFile: tokenFile() },
      keyStore: {
        type: 'vault',
        mount: 'shared/keys',
        existingMount: true,
        kvVersion: 2,
        approle: {
          mount: 'shared',
          existingMount: true,
          secretId: { delivery: 'wrapped', wrappingTokenFile: wrappingTokenFile(), ttl: '720h' },
        },
      },
    });
    mintPath = `auth/shared/role/${vaultNames(adopting.loaded.environment).kesRole}/secret-id`;
    writeFileSync(tokenFile(), await vault.tokenWith('adopts', await printedPolicy(adopting)));
    writeFileSync(wrappingTokenFile(), '');
  });

  afterAll(async () => {
    await adopting.remove();
  });

  /** What a mount is and holds: its accessor would be another if it had been made anew. */
  function ofSomeoneElse(): Promise<unknown[]> {
    const places = [
      'sys/mounts/shared/keys',
      'sys/auth/shared',
      'shared/keys/config',
      'shared/keys/data/of-someone-else',
    ];
    return Promise.all(places.map(async (place) => mountOrSecret.parse(await vault.root.read(place)).data));
  }

  /** What a login through a role needs besides a SecretID. */
  async function roleOf(role: string): Promise<{ appRoleLogin: string; roleId: string }> {
    const { data } = z
      .object({ data: z.object({ role_id: z.string() }) })
      .parse(await vault.root.read(`${role}/role-id`));
    return { appRoleLogin: path.posix.join(role, '../../login'), roleId: data.role_id };
  }

  async function mintWrapped(path: string, bounds: object = {}): Promise<string> {
    // a token that can do just that, and cannot see the SecretID
    const pipeline = await vault.tokenWith(
      'mints',
      `path "${path}" {\n  capabilities = ["update"]\n  min_wrapping_ttl = "1m"\n  max_wrapping_ttl = "10m"\n}\n`,
    );
    const client = new VaultClient({ url: vault.url, caFile: vault.caFile }, new Secret(pipeline));
    expect(await client.probe('PUT', path)).toBe(403);
    const answer = wrapped.parse(await client.write(path, bounds, { wrapTtl: '5m' }));
    client.close();
    return answer.wrap_info.token;
  }

  test('the policy has no right to mint, and none on the mounts', async () => {
    const policy = await printedPolicy(adopting);
    expect(policy).not.toContain(`path "${mintPath}"`);
    expect(policy).not.toMatch(/sys\/(mounts|auth)\/\w/);
  });

  test('the first deploy makes the role, and asks for a SecretID of it', async () => {
    const result = await deployUpTo('keystore', adopting, env);
    expect(result.code).not.toBe(0);
    expect(everythingSaid(result)).toContain(
      `KES needs a SecretID of ${path.posix.dirname(mintPath)}, and none was handed over`,
    );
    const up = await adopting.script('up', [], { env });
    expect(up.code).toBe(1);
    expect(up.stderr).toContain(
      `hint: mint one where that is allowed: vault write -wrap-ttl=10m -field=wrapping_token -f ${mintPath}; then hand it over in ${wrappingTokenFile()} and deploy again`,
    );
  });

  test('with one, KES keeps its keys in the existing mount', async () => {
    const wrappingToken = await mintWrapped(mintPath);
    writeFileSync(wrappingTokenFile(), `${wrappingToken}\n`);
    mustSucceed(await deployUpTo('kes', adopting, env));
    expect(await vault.root.probe('GET', `shared/keys/data/${adopting.name}/backup-default`)).toBe(200);
    expect(await ofSomeoneElse()).toEqual(untouched);
    const secrets = [...collectSecrets(adopting.state), { name: 'wrapping token', value: wrappingToken }];
    expect(searchFor(secrets, fileHaystacks(adopting))).toEqual([]);
    const again = mustSucceed(await deployUpTo('keystore', adopting, env));
    expect(adopting.changes(again)).toEqual({ foundation: 'no change', keystore: 'no change' });
  });

  test('the token of the deploy cannot log in as KES: it may keep the role, not open it', async () => {
    const role = path.posix.dirname(mintPath);
    const { appRoleLogin, roleId } = await roleOf(role);
    const deploying = vault.root.withToken(new Secret(readFileSync(tokenFile(), 'utf8').trim()));
    try {
      const opening = { bind_secret_id: false, secret_id_bound_cidrs: ['0.0.0.0/0'] };
      for (const [where, body] of [
        [role, opening],
        [role, { ...opening, bind_secret_id: 'false' }],
        [role, { ...opening, bind_secret_id: 0 }],
        [`${role}/bind-secret-id`, { bind_secret_id: false }],
        [mintPath, {}],
        [`${role}/custom-secret-id`, { secret_id: 'of-my-own' }],
      ] as const) {
        expect([where, body, await deploying.probe('POST', where, body)]).toEqual([where, body, 403]);
      }
      // what a deploy does to the role is allowed, and a login still needs a SecretID
      expect(await deploying.probe('POST', role, { bind_secret_id: true })).toBe(204);
      expect(await vault.root.probe('POST', appRoleLogin, { role_id: roleId })).toBe(400);
    } finally {
      deploying.close();
    }
  });

  test('a rotation takes the SecretID that is handed over; none, and one that is not as declared, are refused', async () => {
    const before = secretIdOf(adopting);
    const rotating = (phase: 'New SecretID' | 'Destroy the old SecretID') => {
      const context = { report: () => undefined, announce: () => undefined, signal: new AbortController().signal };
      const rotation = Rotation.begin(adopting.state, 'secret-id', adopting.name);
      const phases = rotateSecretId({
        loaded: adopting.loaded,
        rotation,
        deploy: (title) => ({ title, run: () => Promise.reject(new Error('KES is not to read it')) }),
        prove: () => Promise.reject(new Error('KES is not to be asked')),
      });
      const steps = rotation.steps(phases);
      const step = steps.find(({ title }) => title === phase);
      if (step === undefined) throw new Error(`no phase ${phase}`);
      return step.run(context);
    };
    writeFileSync(wrappingTokenFile(), '');
    await expect(rotating('New SecretID')).rejects.toThrow('and none was handed over');
    writeFileSync(wrappingTokenFile(), await mintWrapped(mintPath, { cidr_list: ['192.0.2.0/24'] }));
    await expect(rotating('New SecretID')).rejects.toThrow(
      'is not as declared and was destroyed: keyStore.approle.secretId.boundCidrs says none, it has 192.0.2.0/24',
    );
    expect(secretIdOf(adopting)).toEqual(before);
    writeFileSync(wrappingTokenFile(), await mintWrapped(mintPath));
    await rotating('New SecretID');
    expect(await login('shared', before)).toBe('logged in');
    await rotating('Destroy the old SecretID');
    expect(await login('shared', before)).toEqual(UNKNOWN);
    expect(await login('shared', secretIdOf(adopting))).toBe('logged in');
  });

  test('a wrapping token that someone has used, or that holds something else, is refused before anything is done', async () => {
    const used = await adopting.script('up', [], { env });
    expect(used.code).toBe(1);
    expect(used.stderr).toContain(`the wrapping token in ${wrappingTokenFile()} was used already, or has expired`);
    expect(used.stderr).toContain('someone else has the SecretID');

    const other = wrapped.parse(
      await vault.root.write('sys/wrapping/wrap', { secret_id: 'swapped' }, { wrapTtl: '5m' }),
    );
    writeFileSync(wrappingTokenFile(), other.wrap_info.token);
    const swapped = await adopting.script('up', [], { env });
    expect(swapped.code).toBe(64);
    expect(swapped.stderr).toContain(
      `the wrapping token in ${wrappingTokenFile()} must hold an answer of ${mintPath}, got one of sys/wrapping/wrap`,
    );
  });

  test('where the state of Terraform was lost, what is there is used, and KES keeps its SecretID', async () => {
    const before = secretIdOf(adopting);
    rmSync(path.join(adopting.state.terraform, 'keystore.tfstate'));
    writeFileSync(wrappingTokenFile(), '');
    // its checks refuse a mount that forgets keys, which this one does
    const { stderr } = await adopting.script('up', [], { env });
    expect(stderr).toContain('Existing key store: 1 adopted');
    expect(stderr).toContain(`${adopting.name}-keystore: 1 created, 1 run`);
    expect(secretIdOf(adopting)).toEqual(before);
    expect(await login('shared', before)).toBe('logged in');
  });

  test('cdktf destroy takes role and policy away, and leaves the mounts with what is in them', async () => {
    const destroy = ['destroy', `${adopting.name}-keystore`, '--auto-approve', '--ignore-missing-stack-dependencies'];
    mustSucceed(await adopting.cdktf(destroy, { env }));
    expect({
      role: await vault.root.probe('GET', path.posix.dirname(mintPath)),
      policy: await vault.root.probe('GET', `sys/policies/acl/${vaultNames(adopting.loaded.environment).kesPolicy}`),
      key: await vault.root.probe('GET', `shared/keys/data/${adopting.name}/backup-default`),
      others: await ofSomeoneElse(),
    }).toEqual({ role: 404, policy: 404, key: 200, others: untouched });
  });
});
