/**
 * An embedded Vault that is opened by a key of another Vault, or of AWS KMS: begun so, robbed of it, taken back to shares, and
 * brought again.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { sealPolicy } from '../../config/keys/aws';
import { firstVault } from '../../config/node';
import { sealRules } from '../../config/vault/vault-policies';
import { newIdentity } from '../../operations/backup/age/age-keys';
import { type DrillObject, openObjects, writeObjects } from '../../operations/backup/drill/objects';
import type { AwsCredentials } from '../../operations/keys/aws-credentials';
import { reportSchema } from '../../operations/checks/report/model';
import { NotYet, waitFor } from '../../operations/lib/wait';
import { VaultClient } from '../../operations/vault/vault-client';
import { embeddedVault } from '../../config/vault/vault';
import { embeddedVaultUrl } from '../../config/docker/reachable';
import { mustSucceed } from '../helpers/e2e/command';
import { ThrowawayCa } from '../helpers/certificates';
import { bridgeAddress } from '../helpers/e2e/bridge-address';
import { ExternalVaultServer } from '../helpers/e2e/servers/external-vault';
import { measured } from '../helpers/e2e/clients/measured';
import { Moto, REGION } from '../helpers/e2e/servers/moto';
import { collectSecrets, dockerHaystacks, fileHaystacks, searchFor } from '../helpers/e2e/secrets';
import { keepSigner } from '../helpers/e2e/clients/signer';
import { type Settings, TestEnvironment } from '../helpers/e2e/test-environment';
import { testPorts } from '../helpers/e2e/test-ports';

const KEY = 'opens-backup';
const createdKmsKey = z.object({ KeyMetadata: z.object({ KeyId: z.string() }) });
const sealStatus = z.object({ type: z.string(), sealed: z.boolean(), n: z.number(), t: z.number() });

describe('a transit seal', () => {
  let environment: TestEnvironment;
  /** Has the key of the seal. */
  let owner: ExternalVaultServer;
  let objects: readonly DrillObject[];
  let token: string;
  /** Not in the environment's: who kills its workers must not meet this Vault. */
  const folder = mkdtempSync(path.join(tmpdir(), 'ebs-seal-'));
  const tokenFile = path.join(folder, 'token');

  const BUCKETS: Settings['buckets'] = [
    { name: 'plain' },
    { name: 'own', encryption: { type: 'sse-kms', key: 'own-key' } },
  ];
  const opened = (unseal: unknown, [shares, threshold] = [3, 2]): Settings => ({
    buckets: BUCKETS,
    vault: { mode: 'embedded', shares, threshold, unseal },
  });
  const byShares = opened('auto');
  const bySeal = (more: object = {}, numbers?: [number, number]): Settings =>
    opened({ type: 'transit', address: owner.url, caFile: owner.caFile, key: KEY, tokenFile, ...more }, numbers);

  const share = (kind: 'unseal' | 'recovery', number = 1): string =>
    environment.state.secret[kind === 'unseal' ? 'unsealShare' : 'recoveryShare'](number);
  const kindsOnDisk = (): string[] =>
    (['unseal', 'recovery'] as const).filter((kind) => [1, 2, 3].some((number) => existsSync(share(kind, number))));

  async function status(): Promise<z.infer<typeof sealStatus>> {
    const vault = embeddedVault(environment.loaded.environment);
    if (vault === undefined) throw new Error('the Vault is embedded');
    const client = new VaultClient({ url: embeddedVaultUrl(vault), caFile: environment.state.caCertificate });
    try {
      return sealStatus.parse(await client.read('sys/seal-status'));
    } finally {
      client.close();
    }
  }

  async function untilOpen(): Promise<void> {
    await waitFor({ what: 'Vault to open itself', timeoutMs: 180_000 }, async () =>
      (await status()).sealed ? new NotYet('it is sealed') : true,
    );
    await environment.untilHealthy('kes');
    await environment.untilHealthy('minio');
  }

  async function up(settings: Settings, what: string): Promise<void> {
    environment.write(settings);
    measured(`./scripts/up ${what}`, mustSucceed(await environment.script('up')).seconds);
  }

  beforeAll(async () => {
    environment = await TestEnvironment.create();
    owner = await ExternalVaultServer.start(environment, { folder });
    await owner.root.write('sys/mounts/transit', { type: 'transit' });
    await owner.root.write(`transit/keys/${KEY}`);
    environment.write(bySeal());
    const { stdout: policy } = mustSucceed(await environment.script('policy'));
    token = await owner.tokenWith('seals', policy);
    writeFileSync(tokenFile, token, { mode: 0o600 });
  });

  afterAll(async () => {
    await owner.stop();
    await environment.remove();
    rmSync(folder, { recursive: true });
  });

  test('opens a new Vault, whose shares open nothing: no unseal share and no unsealer, and the checks pass', async () => {
    await up(bySeal(), 'of a new environment with a seal');
    expect(await status()).toEqual({ type: 'transit', sealed: false, n: 3, t: 2 });
    expect(kindsOnDisk()).toEqual(['recovery']);
    const { containers } = await environment.dockerResources();
    expect(containers.map(({ name }) => name)).not.toContain(environment.containerName('vault-unsealer'));
    objects = await writeObjects(environment.loaded);
    await environment.expectNothingToDeploy();
  });

  test('needs the rights that the policy has, and uses each', () => {
    const wanted = sealRules({ mount: 'transit', key: KEY }).flatMap((rule) =>
      rule.capabilities.map((capability) => `${capability} ${rule.path}`),
    );
    expect([...owner.used('seals')].sort()).toEqual([...wanted].sort());
  });

  test('its token is in a file of the volume alone', async () => {
    const secrets = [...collectSecrets(environment.state), { name: 'token of the seal', value: token }];
    expect(searchFor(secrets, [...fileHaystacks(environment), ...(await dockerHaystacks(environment))])).toEqual([]);
  });

  test('opens Vault after a restart', async () => {
    await environment.docker.getContainer(firstVault(environment.loaded.environment).vault.container).restart();
    await untilOpen();
    await openObjects(environment.loaded, objects);
  });

  test('that is away is named by the checks and by a deploy; Vault opens when it is back', async () => {
    await owner.seal();
    const named = `the seal of Vault, the key ${KEY} of transit/ in Vault at ${owner.url}, does not answer: `;
    const running = await environment.script('check', ['--json']);
    const failed = reportSchema.parse(JSON.parse(running.stdout)).results.filter(({ status: is }) => is === 'failed');
    expect(failed.map(({ id }) => id)).toEqual(['vault-seal']);
    expect(failed[0]?.message).toContain(named);

    await environment.docker.getContainer(environment.containerName('vault')).restart();
    const away = await environment.script('check', ['--json', '--only', 'vault-seal']);
    expect(away.code).toBe(1);
    const life = await environment.lifeOf('minio');
    const deploy = await environment.script('up');
    expect(deploy.code).toBe(1);
    expect(deploy.stderr).toContain(`error: ${named}`);
    expect(await environment.lifeOf('minio')).toBe(life);

    await owner.unseal();
    await untilOpen();
    await openObjects(environment.loaded, objects);
  });

  test('is not left by an edited file: Vault would not start', async () => {
    environment.write(byShares);
    const refused = await environment.script('up');
    expect(refused.code).toBe(64);
    expect(refused.stderr).toContain(
      `vault.unseal: the Vault of environment ${environment.name} is opened by the key ${KEY} of transit/ in Vault at ${owner.url}, got: auto`,
    );
    expect((await status()).sealed).toBe(false);
  });

  test('is left when that is declared: its recovery shares become unseal shares', async () => {
    const before = readFileSync(share('recovery'), 'utf8');
    await up(bySeal({ leave: true }), 'that leaves the seal');
    expect(await status()).toEqual({ type: 'shamir', sealed: false, n: 3, t: 2 });
    expect(kindsOnDisk()).toEqual(['unseal']);
    expect(readFileSync(share('unseal'), 'utf8')).toBe(before);
    await up(byShares, 'after the seal was left');
    // nothing of it is asked any more
    await owner.seal();
    await environment.docker.getContainer(environment.containerName('vault')).restart();
    await untilOpen();
    await openObjects(environment.loaded, objects);
    await environment.expectNothingToDeploy();
    await owner.unseal();
  });

  test('takes the place of more shares; killed on the way, the deploy goes on, and the old shares open nothing', async () => {
    const before = [1, 2, 3].map((number) => readFileSync(share('unseal', number), 'utf8'));
    environment.write(bySeal({}, [1, 1]));
    const killed = environment.script('up');
    await waitFor({ what: 'Vault to be sealed by the other one', timeoutMs: 600_000, intervalMs: 50 }, () =>
      Promise.resolve(existsSync(environment.state.vaultSeal) || new NotYet('no note')),
    );
    await environment.killWorkers();
    expect((await killed).code).not.toBe(0);
    mustSucceed(await environment.script('up'));
    expect(await status()).toEqual({ type: 'transit', sealed: false, n: 1, t: 1 });
    expect(kindsOnDisk()).toEqual(['recovery']);
    expect(before).not.toContain(readFileSync(share('recovery'), 'utf8'));
    const { containers, fileVolumes } = await environment.dockerResources();
    expect(containers.map(({ name }) => name)).not.toContain(environment.containerName('vault-unsealer'));
    expect(fileVolumes.filter((name) => name.includes('unsealer'))).toEqual([]);
    await openObjects(environment.loaded, objects);
    await environment.expectNothingToDeploy();
  });

  test('has recovery shares that rotate', async () => {
    const before = readFileSync(share('recovery'), 'utf8');
    mustSucceed(await environment.rotate(['unseal-keys']));
    expect(readFileSync(share('recovery'), 'utf8')).not.toBe(before);
    expect(kindsOnDisk()).toEqual(['recovery']);
  });

  test('everything but objects and the seal is lost: a restore makes a Vault that the seal opens', async () => {
    const file = path.join(folder, 'backup.age');
    const identity = path.join(folder, 'identity.txt');
    const recipient = await newIdentity(identity);
    keepSigner(identity, mustSucceed(await environment.script('backup', ['--to', file, '--recipient', recipient])));
    const restore = () => environment.scriptWith('restore', ['--from', file, '--identity', identity, environment.file]);
    const before = await status();
    await environment.lose(/vault/);
    rmSync(environment.state.root, { recursive: true });
    mustSucceed(await restore());
    expect(await status()).toEqual(before);
    expect(kindsOnDisk()).toEqual(['recovery']);
    await openObjects(environment.loaded, objects);

    // WHEN the seal is lost, too
    await environment.lose();
    rmSync(environment.state.root, { recursive: true });
    await owner.seal();
    environment.write(byShares);
    const refused = await restore();
    expect(refused.code).toBe(64);
    expect(refused.stderr).toContain(
      `vault.unseal: the volume ${environment.containerName('vault')}-data is there, and its Vault is opened by the key ${KEY} of transit/ in Vault at ${owner.url}; ${environment.file} declares unseal shares`,
    );
    await environment.lose(/vault/);
    mustSucceed(await restore());
    expect(await status()).toEqual({ type: 'shamir', sealed: false, n: 3, t: 2 });
    expect(kindsOnDisk()).toEqual(['unseal']);
    await openObjects(environment.loaded, objects);
  });
});

describe('a seal of AWS KMS, for which moto stands', () => {
  let environment: TestEnvironment;
  let moto: Moto;
  let access: AwsCredentials;
  let key: string;
  let objects: readonly DrillObject[];
  const folder = mkdtempSync(path.join(tmpdir(), 'ebs-kms-'));
  const credentialsFile = path.join(folder, 'credentials');

  const bySeal = (more: object = {}): Settings => ({
    buckets: [{ name: 'plain' }],
    vault: {
      mode: 'embedded',
      unseal: {
        ...{ type: 'awskms', region: REGION, kmsKey: key, endpoint: moto.url, caFile: moto.caFile, credentialsFile },
        ...more,
      },
    },
  });
  const kindsOnDisk = (): string[] =>
    (['unsealShare', 'recoveryShare'] as const).filter((kind) => existsSync(environment.state.secret[kind](1)));

  beforeAll(async () => {
    environment = await TestEnvironment.create();
    const address = await bridgeAddress(environment.docker);
    const [port = 0] = await testPorts(1, address);
    const ca = await ThrowawayCa.create(folder, 'ca-of-moto');
    const logFile = path.join(folder, 'moto.log');
    moto = await Moto.start({ address, port, caFile: ca.file, ...(await ca.issue('moto', address)), logFile });
    key = createdKmsKey.parse(JSON.parse(await moto.aws(['kms', 'create-key']))).KeyMetadata.KeyId;
    // moto knows no resources: the policy is a list of actions
    const { Statement, ...policy } = sealPolicy({ region: REGION, kmsKey: key });
    access = await moto.user('seal', { ...policy, Statement: Statement.map((one) => ({ ...one, Resource: '*' })) });
    const { accessKeyId, secretAccessKey } = access;
    writeFileSync(
      credentialsFile,
      `[default]\naws_access_key_id = ${accessKeyId}\naws_secret_access_key = ${secretAccessKey.reveal()}\n`,
      { mode: 0o600 },
    );
  });

  afterAll(async () => {
    await moto.stop();
    await environment.remove();
    rmSync(folder, { recursive: true });
  });

  test('opens a new Vault, and again after a restart; its secret key is in a file of the volume alone', async () => {
    environment.write(bySeal());
    measured('./scripts/up with a seal of AWS KMS', mustSucceed(await environment.script('up')).seconds);
    expect(kindsOnDisk()).toEqual(['recoveryShare']);
    objects = await writeObjects(environment.loaded);
    const secrets = [
      ...collectSecrets(environment.state),
      { name: 'secret key of the seal', value: access.secretAccessKey.reveal() },
    ];
    expect(searchFor(secrets, [...fileHaystacks(environment), ...(await dockerHaystacks(environment))])).toEqual([]);
    await environment.docker.getContainer(environment.containerName('vault')).restart();
    for (const program of ['vault', 'kes', 'minio']) await environment.untilHealthy(program);
    await openObjects(environment.loaded, objects);
  });

  test('whose key is disabled is named, before a deploy touches anything', async () => {
    await moto.aws(['kms', 'disable-key', '--key-id', key]);
    const life = await environment.lifeOf('vault');
    environment.write(bySeal({ leave: true }));
    const refused = await environment.script('up');
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain(
      `error: the seal of Vault, the key ${key} of AWS KMS in ${REGION} (${moto.url}), does not answer: `,
    );
    expect(await environment.lifeOf('vault')).toBe(life);
    await moto.aws(['kms', 'enable-key', '--key-id', key]);
  });

  test('is left like any other', async () => {
    mustSucceed(await environment.script('up'));
    expect(kindsOnDisk()).toEqual(['unsealShare']);
    await openObjects(environment.loaded, objects);
  });
});
