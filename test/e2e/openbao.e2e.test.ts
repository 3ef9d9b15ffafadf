/**
 * OpenBao, the openly licensed fork of Vault: as a key store of someone else, with the token that ./scripts/policy
 * documents; and in the place of the embedded Vault.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { vaultNames } from '../../config/deployment-names';
import { embeddedVaultUrl } from '../../config/docker/reachable';
import { provisionerRules } from '../../config/keys/key-store';
import { policyDocument } from '../../config/vault/vault-policies';
import { newIdentity } from '../../operations/backup/age/age-keys';
import { type DrillObject, openObjects, writeObjects } from '../../operations/backup/drill/objects';
import { reportSchema } from '../../operations/checks/report/model';
import { outputOf } from '../../operations/docker/docker';
import { projectRoot } from '../../operations/lib/project-root';
import { readSecret } from '../../operations/lib/secret';
import { loadEnvironment } from '../../operations/state/load';
import { readKesLogin } from '../../operations/vault/approle';
import { rotateAuditLogs } from '../../operations/vault/rotate-audit-log';
import { VaultClient } from '../../operations/vault/vault-client';
import { type CommandResult, mustSucceed, runCommand } from '../helpers/e2e/command';
import { ExternalVaultServer } from '../helpers/e2e/servers/external-vault';
import { measured } from '../helpers/e2e/clients/measured';
import { collectSecrets, dockerHaystacks, fileHaystacks, searchFor } from '../helpers/e2e/secrets';
import { keepSigner } from '../helpers/e2e/clients/signer';
import { type Settings, TestEnvironment } from '../helpers/e2e/test-environment';
import { inVault, ownVault } from '../helpers/servers/vault';
import { describeDisruptiveChecks } from './checks/disruptive';

/** `./scripts/migrate` of an environment to what another file declares. */
async function migrateTo(
  { file, transcript }: TestEnvironment,
  target: string,
  from: string = file,
): Promise<CommandResult> {
  const program = path.join(projectRoot, 'scripts', 'migrate');
  return runCommand(program, [from, '--to', target], { transcript, timeoutMs: 900_000 });
}

describe('OpenBao of someone else', () => {
  let environment: TestEnvironment;
  let bao: ExternalVaultServer;
  let objects: readonly DrillObject[];
  let token: string;
  /** Not in the environment's: who removes that must not meet this server. */
  const folder = mkdtempSync(path.join(tmpdir(), 'ebs-openbao-'));
  const tokenFile = path.join(folder, 'token');

  const BUCKETS: Settings['buckets'] = [
    { name: 'plain' },
    { name: 'own-key', encryption: { type: 'sse-kms', key: 'key-of-a-bucket' } },
  ];
  const EMBEDDED: Settings = { buckets: BUCKETS, keyStore: { type: 'vault' } };

  const inBao = (mount: string, approle: string): Settings => ({
    buckets: BUCKETS,
    vault: { mode: 'external', address: bao.url, caFile: bao.caFile, tokenFile },
    keyStore: { type: 'vault', mount, approle: { mount: approle } },
  });

  /** Gives the token what `./scripts/policy` prints for it, and no more. */
  async function allow(settings: Settings): Promise<void> {
    const { environment: declared } = loadEnvironment(environment.writeOther('target.yaml', settings));
    token = await bao.tokenWith('deploys', policyDocument(provisionerRules(inVault(declared))));
    writeFileSync(tokenFile, token, { mode: 0o600 });
  }

  const migrate = async (settings: Settings): Promise<CommandResult> =>
    migrateTo(environment, environment.writeOther('target.yaml', settings));

  beforeAll(async () => {
    environment = await TestEnvironment.create();
    bao = await ExternalVaultServer.start(environment, { folder, distribution: 'OpenBao' });
  });

  afterAll(async () => {
    await bao.stop();
    rmSync(folder, { recursive: true });
    await environment.remove();
  });

  test('a token with the printed policy deploys, the checks pass, and a second deploy would change nothing', async () => {
    environment.write(inBao('kes', 'approle'));
    await allow(inBao('kes', 'approle'));
    const result = mustSucceed(await environment.script('up'));
    measured('./scripts/up with an external OpenBao', result.seconds);
    expect(await bao.root.probe('GET', `kes/data/${environment.name}/key-of-a-bucket`)).toBe(200);
    objects = await writeObjects(environment.loaded);
    await environment.expectNothingToDeploy();
  });

  test('a rotation gives KES another SecretID, and OpenBao forgets the old one', async () => {
    const login = () => readKesLogin(environment.state.secret.kesConfiguration);
    const before = login();
    mustSucceed(await environment.rotate(['secret-id']));
    const after = login();
    const logsIn = (used: typeof before) =>
      bao.root.probe('POST', 'auth/approle/login', {
        role_id: used?.roleId,
        secret_id: used?.secretId.reveal(),
      });
    expect({ before: await logsIn(before), after: await logsIn(after) }).toEqual({ before: 400, after: 200 });
    await openObjects(environment.loaded, objects);
  });

  test('no secret of it is in what is not secret', () => {
    const secrets = [...collectSecrets(environment.state), { name: 'token of the deploy', value: token }];
    expect(searchFor(secrets, fileHaystacks(environment))).toEqual([]);
  });

  test('its keys, the state and the containers are lost: a restore brings them back, and every object opens', async () => {
    const file = path.join(folder, 'backup.age');
    const identity = path.join(folder, 'identity.txt');
    const recipient = await newIdentity(identity);
    keepSigner(identity, mustSucceed(await environment.script('backup', ['--to', file, '--recipient', recipient])));
    const { kesPolicy } = vaultNames(environment.loaded.environment);
    for (const lost of ['sys/mounts/kes', 'sys/auth/approle', `sys/policies/acl/${kesPolicy}`]) {
      expect(await bao.root.probe('DELETE', lost)).toBe(204);
    }
    await environment.lose();
    rmSync(environment.state.root, { recursive: true });
    const args = ['--from', file, '--identity', identity, environment.file];
    const result = mustSucceed(await environment.scriptWith('restore', args));
    measured('./scripts/restore into an external OpenBao', result.seconds);
    expect(result.stderr).toContain('Master keys: 2 of 2 written');
    await openObjects(environment.loaded, objects);
  });

  test('OpenBao to the embedded Vault: every object opens', async () => {
    const result = mustSucceed(await migrate(EMBEDDED));
    environment.write(EMBEDDED);
    measured('./scripts/migrate from OpenBao to the embedded Vault', result.seconds);
    expect(result.stdout).toContain(`They are still in Vault at ${bao.url}, kes/${environment.name} (KV v2)`);
    await openObjects(environment.loaded, objects);
  });

  test('and back to OpenBao, into another mount: every object opens', async () => {
    const settings = inBao('again', 'approle-again');
    await allow(settings);
    const result = mustSucceed(await migrate(settings));
    environment.write(settings);
    measured('./scripts/migrate from the embedded Vault to OpenBao', result.seconds);
    expect(result.stdout).toContain(`The master keys are in Vault at ${bao.url}, again/${environment.name} (KV v2).`);
    expect(await bao.root.probe('GET', `again/data/${environment.name}/key-of-a-bucket`)).toBe(200);
    await openObjects(environment.loaded, objects);
    await environment.expectNothingToDeploy();
  });
});

describe('OpenBao in the place of the embedded Vault', () => {
  let environment: TestEnvironment;
  let objects: readonly DrillObject[];
  const folder = mkdtempSync(path.join(tmpdir(), 'ebs-openbao-'));
  const backup = path.join(folder, 'backup.age');
  const identity = path.join(folder, 'identity.txt');

  const embedded = (distribution: 'vault' | 'openbao'): Settings => ({
    buckets: [{ name: 'plain' }, { name: 'own-key', encryption: { type: 'sse-kms', key: 'key-of-a-bucket' } }],
    vault: { mode: 'embedded', distribution, auditLog: {} },
  });
  const container = () => environment.docker.getContainer(environment.containerName('vault'));
  const dataVolumes = async () => [...(await environment.dockerResources()).dataVolumes].sort();
  const volumesOf = (distribution: string) =>
    [`${distribution}-audit`, `${distribution}-data`].map((volume) => environment.containerName(volume));

  async function inContainer(script: string): Promise<string> {
    const { code, output } = await outputOf(container(), ['sh', '-c', script]);
    expect({ code, output }).toMatchObject({ code: 0 });
    return output.trim();
  }

  /** The message of a check that must fail, alone. */
  async function failureOf(id: string): Promise<string | undefined> {
    const { code, stdout } = await environment.script('check', ['--json', '--only', id]);
    expect(code).toBe(1);
    return reportSchema.parse(JSON.parse(stdout)).results.find((result) => result.id === id)?.message;
  }

  async function expectPassed(id: string): Promise<void> {
    mustSucceed(await environment.script('check', ['--json', '--only', id]));
  }

  beforeAll(async () => {
    environment = await TestEnvironment.create(embedded('openbao'));
  });

  afterAll(async () => {
    await environment.remove();
    rmSync(folder, { recursive: true });
  });

  test('a first deploy passes its checks, and a second one would change nothing', async () => {
    measured('./scripts/up with an embedded OpenBao', mustSucceed(await environment.script('up')).seconds);
    expect((await container().inspect()).Config.Image).toMatch(/^encrypted-backup-storage\/openbao:/);
    expect(await inContainer('/bin/bao version')).toMatch(/^OpenBao v/);
    expect(await dataVolumes()).toEqual([environment.containerName('minio-data'), ...volumesOf('openbao')]);
    objects = await writeObjects(environment.loaded);
    await environment.expectNothingToDeploy();
  });

  describeDisruptiveChecks(() => environment.loaded);

  test('no secret of it is in what is not secret', async () => {
    const places = [...fileHaystacks(environment), ...(await dockerHaystacks(environment))];
    expect(searchFor(collectSecrets(environment.state), places)).toEqual([]);
  });

  test('unseal shares make a root token, and by that neither an audit device goes nor another comes', async () => {
    const access = {
      url: embeddedVaultUrl(ownVault(environment.loaded.environment)),
      caFile: environment.state.caCertificate,
    };
    const openbao = new VaultClient(access);
    const share = readSecret(environment.state.secret.unsealShare(1));
    if (share === undefined) throw new Error('there is no unseal share');
    await openbao.withToken(await openbao.generateRootToken([share])).usedUp(async (root) => {
      const device = { type: 'file', options: { file_path: '/vault/audit/another.log' } };
      const answers = {
        looks: await root.probe('GET', 'sys/audit'),
        removes: await root.probe('DELETE', 'sys/audit/file'),
        adds: await root.probe('POST', 'sys/audit/another', device),
      };
      expect(answers).toEqual({ looks: 200, removes: 400, adds: 400 });
    });
    openbao.close();
    await expectPassed('vault-audit-devices');
  });

  test('an audit device that cannot be written is found, and mended', async () => {
    const log = '/vault/audit/audit.log';
    await inContainer(`mv ${log} ${log}.kept && mkdir ${log}`);
    await container().kill({ signal: 'SIGHUP' });
    expect(await failureOf('vault-audit-devices')).toMatch(
      /^Vault cannot write to every audit device: .*is a directory/,
    );
    await inContainer(`rmdir ${log} && mv ${log}.kept ${log}`);
    await container().kill({ signal: 'SIGHUP' });
    await expectPassed('vault-audit-devices');
    await expectPassed('vault-audit-written');
  });

  test('its audit log is put aside, and a new one begun', async () => {
    const [rotated] = await rotateAuditLogs(environment.loaded, { always: true });
    expect((await inContainer('ls /vault/audit')).split('\n').sort()).toEqual([rotated?.putAside, 'audit.log']);
    await expectPassed('vault-audit-written');
  });

  test('SecretID and unseal shares rotate', async () => {
    const share = () => readFileSync(environment.state.secret.unsealShare(1), 'utf8');
    const before = share();
    mustSucceed(await environment.rotate(['secret-id']));
    mustSucceed(await environment.rotate(['unseal-keys']));
    expect(share()).not.toBe(before);
    await openObjects(environment.loaded, objects);
  });

  test('after a restart of everything it opens itself by the new shares', async () => {
    const { containers } = await environment.dockerResources();
    const running = containers.filter(({ name }) => !/-(?:loader|owner)$/.test(name));
    await Promise.all(
      running.map(async ({ id }) => {
        await environment.docker.getContainer(id).restart();
      }),
    );
    for (const program of ['vault', 'kes', 'minio']) await environment.untilHealthy(program);
    await openObjects(environment.loaded, objects);
    mustSucceed(await environment.script('check'));
  });

  test('everything but the objects is lost: a restore makes another OpenBao, and every object opens', async () => {
    const recipient = await newIdentity(identity);
    keepSigner(identity, mustSucceed(await environment.script('backup', ['--to', backup, '--recipient', recipient])));
    await environment.lose(/openbao/);
    rmSync(environment.state.root, { recursive: true });
    const args = ['--from', backup, '--identity', identity, environment.file];
    expect(mustSucceed(await environment.scriptWith('restore', args)).stderr).toContain('Master keys: 2 of 2 written');
    await openObjects(environment.loaded, objects);
  });

  test('an edited file does not make it a Vault, and neither does a migration', async () => {
    environment.write(embedded('vault'));
    const asVault = environment.file;
    const places = ['OpenBao', 'Vault'].map((name) => `the embedded ${name}, kes/${environment.name} (KV v2)`);
    const edited = await environment.script('up');
    expect(edited).toMatchObject({ code: 64 });
    expect(edited.stderr).toContain(
      `keyStore: environment ${environment.name} keeps its master keys in ${places.join(', got: ')}`,
    );
    const asOpenbao = environment.writeOther('openbao.yaml', embedded('openbao'));
    const migrated = await migrateTo(environment, asVault, asOpenbao);
    expect(migrated).toMatchObject({ code: 64 });
    expect(migrated.stderr).toContain(`--to: ${places.join(' and ')} cannot run side by side`);
  });

  test('a restore does: Vault gets volumes of its own, every object opens, and those of OpenBao stay', async () => {
    const replaced = ['--replace', environment.name, environment.file];
    const args = ['--from', backup, '--identity', identity, ...replaced];
    const result = mustSucceed(await environment.scriptWith('restore', args));
    measured('./scripts/restore of OpenBao into Vault', result.seconds);
    expect(result.stderr).toContain('Master keys: 2 of 2 written');
    expect(await dataVolumes()).toEqual(
      [environment.containerName('minio-data'), ...volumesOf('openbao'), ...volumesOf('vault')].sort(),
    );
    await openObjects(environment.loaded, objects);
    await environment.expectNothingToDeploy();
  });
});
