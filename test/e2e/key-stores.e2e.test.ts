/**
 * One data volume, and its master keys on their way through every key store: files, the embedded Vault with KV v1 and KV
 * v2, two mounts in a Vault of someone else, AWS, files.
 * For AWS stands moto, which is not AWS: see test/helpers/e2e/servers/moto.ts.
 */
import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { awsPolicy } from '../../config/keys/aws';
import { provisionerRules } from '../../config/keys/key-store';
import { readKeyStoreNote } from '../../operations/state/notes/key-store-note';
import { loadEnvironment } from '../../operations/state/load';
import { projectRoot } from '../../operations/lib/project-root';
import { policyDocument } from '../../config/vault/vault-policies';
import type { AwsCredentials } from '../../operations/keys/aws-credentials';
import { newIdentity } from '../../operations/backup/age/age-keys';
import { NotYet, waitFor } from '../../operations/lib/wait';
import { ThrowawayCa } from '../helpers/certificates';
import { bridgeAddress } from '../helpers/e2e/bridge-address';
import { type CommandResult, mustSucceed, runCommand } from '../helpers/e2e/command';
import { ExternalVaultServer } from '../helpers/e2e/servers/external-vault';
import { measured } from '../helpers/e2e/clients/measured';
import { forMoto, Moto, REGION } from '../helpers/e2e/servers/moto';
import { keepSigner } from '../helpers/e2e/clients/signer';
import { TestEnvironment } from '../helpers/e2e/test-environment';
import { testPorts } from '../helpers/e2e/test-ports';
import { RecordingProxy } from '../helpers/servers/recording-proxy';
import { inVault } from '../helpers/servers/vault';

const BUCKETS = [
  { name: 'plain' },
  { name: 'own-key', encryption: { type: 'sse-kms', key: 'key-of-a-bucket' } },
] as const;
const LATER_BUCKET = { name: 'later', encryption: { type: 'sse-kms', key: 'key-of-later' } } as const;
const FILES = { keyStore: { type: 'filesystem' } } as const;
const KV1 = { keyStore: { type: 'vault', mount: 'kes-v1', kvVersion: 1 } } as const;
const KV2 = { keyStore: { type: 'vault', mount: 'kes-v2', kvVersion: 2 } } as const;

const createdKmsKey = z.object({ KeyMetadata: z.object({ KeyId: z.string() }) });
const secretList = z.object({
  SecretList: z.array(
    z.object({
      Name: z.string(),
      KmsKeyId: z.string(),
      SecretVersionsToStages: z.record(z.string(), z.array(z.string())),
    }),
  ),
});

let environment: TestEnvironment;
/** Issues the certificate of what stands for AWS; only `trustedCAs` names it. */
let ca: ThrowawayCa;
/** Is of someone else, and has a mount with things of theirs. */
let vault: ExternalVaultServer;
/** Not in the environment's: who kills its workers must not meet this Vault. */
const vaultFolder = mkdtempSync(path.join(tmpdir(), 'ebs-vault-'));
let written = 0;

beforeAll(async () => {
  environment = await TestEnvironment.create();
  ca = await ThrowawayCa.create(environment.folder, 'ca-of-moto');
  environment.write(whole(FILES));
  vault = await ExternalVaultServer.start(environment, { folder: vaultFolder });
});

afterAll(async () => {
  await vault.stop();
  rmSync(vaultFolder, { recursive: true });
  await environment.remove();
});

/** Writes another object into each bucket, and reads everything that was ever written. */
async function writeAndReadAll(): Promise<void> {
  const s3 = environment.s3();
  try {
    written += 1;
    for (const { name: Bucket } of BUCKETS) {
      await s3.send(new PutObjectCommand({ Bucket, Key: `object-${written}`, Body: `content ${written}` }));
      for (let number = 1; number <= written; number += 1) {
        const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key: `object-${number}` }));
        expect(await Body?.transformToString()).toBe(`content ${number}`);
      }
    }
  } finally {
    s3.destroy();
  }
}

type Settings = Parameters<TestEnvironment['write']>[0];
type VaultKeyStore = Extract<Settings['keyStore'], { type: 'vault' }>;

/** What every environment file of these tests says. */
function whole(settings: Settings): Settings {
  return { buckets: [...BUCKETS], trustedCAs: [ca.file], ...settings };
}

/** In the Vault of someone else. */
function externally(keyStore: Omit<VaultKeyStore, 'type'>): Settings {
  const { url: address, caFile } = vault;
  return {
    vault: { mode: 'external', address, caFile, tokenFile: tokenFile() },
    keyStore: { type: 'vault', ...keyStore },
  };
}
const theirMount = (): Settings => externally({ mount: 'theirs', existingMount: true, kvVersion: 1 });
const ownMount = (): Settings => externally({ mount: 'own', kvVersion: 2 });

function tokenFile(): string {
  return path.join(vaultFolder, 'token');
}

/** What `./scripts/policy` prints for it. */
function policyFor(settings: Settings): string {
  const { environment: target } = loadEnvironment(environment.writeOther('target.yaml', whole(settings)));
  return policyDocument(provisionerRules(inVault(target)));
}

async function migrate(settings: Settings, env: Record<string, string> = {}): Promise<CommandResult> {
  const target = environment.writeOther('target.yaml', whole(settings));
  const program = path.join(projectRoot, 'scripts', 'migrate');
  const options = { transcript: environment.transcript, env };
  return runCommand(program, [environment.file, '--to', target], options);
}

/** It is left running where the keys have moved out of it. */
async function removeEmbeddedVault(): Promise<void> {
  const names = ['vault-unsealer', 'vault'].map((program) => environment.containerName(program));
  const { containers } = await environment.dockerResources();
  for (const { id, name } of containers) {
    if (names.includes(name)) await environment.docker.getContainer(id).remove({ force: true });
  }
}

/** What stays true wherever the keys are. */
async function expectMoved(settings: Settings): Promise<void> {
  environment.write(whole(settings));
  expect(existsSync(environment.state.secret.migrationSource)).toBe(false);
  await writeAndReadAll();
  const report = JSON.parse(readFileSync(path.join(environment.state.reports, 'checks.json'), 'utf8')) as {
    outcome: string;
  };
  expect(report.outcome).toBe('passed');
}

test('files: a deploy without Vault proves itself, says how weak that is, and a second one would change nothing', async () => {
  const first = mustSucceed(await environment.script('up'));
  measured('first ./scripts/up with keys as files', first.seconds);
  expect(first.stderr).toContain('WARNING: keyStore.type is filesystem');
  const { containers, dataVolumes } = await environment.dockerResources();
  expect(containers.map(({ name }) => name)).not.toContain(environment.containerName('vault'));
  expect(dataVolumes).toContain(`ebs-${environment.name}-kes-keys`);
  await writeAndReadAll();
  await environment.expectNothingToDeploy();
});

test('another keyStore in the file is refused: nothing moves keys but a migration', async () => {
  environment.write(whole(KV1));
  const result = await environment.script('up');
  environment.write(whole(FILES));
  expect(result.code).toBe(64);
  expect(result.stderr).toContain(
    `keyStore: environment ${environment.name} keeps its master keys in a volume of the Docker host, got: the embedded Vault, kes-v1/${environment.name} (KV v1)`,
  );
});

test('files to Vault: the data stays, the files stay, and it can be repeated', async () => {
  const result = mustSucceed(await migrate(KV1));
  measured('./scripts/migrate from files to Vault', result.seconds);
  expect(result.stdout).toContain(`The master keys are in the embedded Vault, kes-v1/${environment.name} (KV v1).`);
  await expectMoved(KV1);
  expect((await environment.dockerResources()).dataVolumes).toContain(`ebs-${environment.name}-kes-keys`);
  const again = mustSucceed(await migrate(KV1));
  measured('./scripts/migrate again, with nothing to do', again.seconds);
  expect(again.stderr).toContain('the master keys are already in the embedded Vault');
  expect(Object.values(environment.changes(again)).filter((changes) => changes !== 'no change')).toEqual([]);
});

test('killed on the way: objects are read, only the migration goes on', async () => {
  const killed = migrate(KV2);
  await waitFor({ what: 'the old mount to be let go', timeoutMs: 400_000 }, () => {
    const { migration } = readKeyStoreNote(environment.state) ?? {};
    return Promise.resolve(migration?.sourceForgotten === true ? true : new NotYet(JSON.stringify(migration)));
  });
  await environment.killWorkers();
  expect((await killed).code).not.toBe(0);
  await writeAndReadAll();
  const refused = await environment.script('up');
  expect(refused.code).toBe(64);
  expect(refused.stderr).toContain(
    `the master keys of environment ${environment.name} are on their way from the embedded Vault, kes-v1/${environment.name} (KV v1) to the embedded Vault, kes-v2/${environment.name} (KV v2)`,
  );
  // as the next run does with a KES that was made when a run was killed, and that Terraform has not written down
  await environment.docker.getContainer(environment.containerName('kes')).remove({ force: true });
});

test('Vault KV v1 to v2, in the same Vault: the old mount stays, and KES may no longer look at it', async () => {
  const result = mustSucceed(await migrate(KV2));
  measured('./scripts/migrate from KV v1 to v2', result.seconds);
  await expectMoved(KV2);
  const state = JSON.parse(readFileSync(path.join(environment.state.terraform, 'keystore.tfstate'), 'utf8')) as {
    resources: { type: string; instances: { attributes: Record<string, string> }[] }[];
  };
  const attributes = (type: string) =>
    state.resources.filter((one) => one.type === type).flatMap(({ instances }) => instances.map((i) => i.attributes));
  expect(attributes('vault_mount').map(({ path: mount }) => mount)).toEqual(['kes-v2']);
  expect(attributes('vault_policy')[0]?.policy).toBe(
    `path "kes-v2/data/${environment.name}/*" {\n  capabilities = ["create", "read"]\n}\n`,
  );
});

describe('the embedded Vault to one of someone else', () => {
  const place = (mount: string) => `Vault at ${vault.url}, ${mount}/${environment.name}`;
  const theirs = async (): Promise<unknown[]> =>
    Promise.all(
      ['sys/mounts/theirs', 'theirs/of-someone-else'].map(
        // the rest is of the answer, not of what was asked for
        async (path) => z.object({ data: z.unknown() }).parse(await vault.root.read(path)).data,
      ),
    );
  let before: unknown[];

  beforeAll(async () => {
    await vault.root.write('sys/mounts/theirs', { type: 'kv', description: 'theirs', options: { version: '1' } });
    await vault.root.write('theirs/of-someone-else', { value: 'stays' });
    before = await theirs();
    const policies = { period: '2h', policies: ['deploys', 'deploys-next'] };
    writeFileSync(tokenFile(), await vault.tokenWith('deploys', policyFor(theirMount()), policies), { mode: 0o600 });
  });

  test('into a mount that is there, KV version 1: it stays what it is, and the embedded Vault is needed no more', async () => {
    const result = mustSucceed(await migrate(theirMount()));
    measured('./scripts/migrate from the embedded Vault to another', result.seconds);
    expect(result.stdout).toContain(`The master keys are in ${place('theirs')} (KV v1).`);
    expect(result.stdout).toContain(`They are still in the embedded Vault, kes-v2/${environment.name} (KV v2), too`);
    await removeEmbeddedVault();
    await expectMoved(theirMount());
    expect(await theirs()).toEqual(before);
    expect(await vault.root.probe('GET', `theirs/${environment.name}/key-of-a-bucket`)).toBe(200);
    const configuration = readFileSync(environment.state.secret.kesConfiguration, 'utf8');
    expect(configuration).toContain(vault.url);
  });

  test('and on into a mount of its own there, KV version 2, with a token that may do what both files need', async () => {
    const refused = await migrate(ownMount());
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('it lacks:\n');
    expect(refused.stderr).toContain('sys/mounts/own: ');
    await vault.root.write('sys/policies/acl/deploys-next', { policy: policyFor(ownMount()) });
    const result = mustSucceed(await migrate(ownMount()));
    measured('./scripts/migrate between two mounts of an external Vault', result.seconds);
    expect(result.stdout).toContain(`The master keys are in ${place('own')} (KV v2).`);
    await expectMoved(ownMount());
    expect(await theirs()).toEqual(before);
    expect(await vault.root.probe('GET', `theirs/${environment.name}/key-of-a-bucket`)).toBe(200);
  });
});

describe('Vault to AWS, which is behind a proxy', () => {
  let moto: Moto;
  let proxy: RecordingProxy;
  let kmsKey: string;
  let kes: AwsCredentials;
  let settings: Settings;

  beforeAll(async () => {
    const address = await bridgeAddress(environment.docker);
    const [port = 0] = await testPorts(1);
    const logFile = path.join(environment.folder, 'moto.log');
    moto = await Moto.start({ address, port, caFile: ca.file, ...(await ca.issue('moto', address)), logFile });
    kmsKey = createdKmsKey.parse(JSON.parse(await moto.aws(['kms', 'create-key']))).KeyMetadata.KeyId;
    proxy = await RecordingProxy.start(address);
    settings = { keyStore: { type: 'aws', region: REGION, endpoint: moto.url, kmsKey, proxy: proxy.url } };
    const buckets = [...BUCKETS, LATER_BUCKET];
    const target = loadEnvironment(environment.writeOther('target.yaml', whole({ ...settings, buckets })));
    kes = await moto.user('kes', forMoto(awsPolicy(target.environment)));
  });
  afterAll(async () => {
    await proxy.stop();
    await moto.stop();
  });

  /** AWS gives credentials by variables; KMS has no other place for its address. */
  const variables = (): Record<string, string> => ({
    AWS_ACCESS_KEY_ID: kes.accessKeyId,
    AWS_SECRET_ACCESS_KEY: kes.secretAccessKey.reveal(),
    AWS_ENDPOINT_URL_KMS: moto.url,
    AWS_EC2_METADATA_DISABLED: 'true',
  });
  /** A refusal that left everything as it was. */
  async function expectRefused(message: string): Promise<void> {
    const before = await environment.lifeOf('kes');
    const refused = await migrate(settings, variables());
    expect(refused.stderr).toContain(message);
    expect(refused.code).toBe(1);
    expect(await environment.lifeOf('kes')).toBe(before);
    expect(readKeyStoreNote(environment.state)?.migration).toBeUndefined();
  }
  const secrets = async (): Promise<z.infer<typeof secretList>['SecretList']> =>
    secretList.parse(JSON.parse(await moto.aws(['secretsmanager', 'list-secrets']))).SecretList;

  test('refused before anything is touched: a disabled KMS key, another key of the same name', async () => {
    await moto.aws(['kms', 'disable-key', '--key-id', kmsKey]);
    await expectRefused(`keyStore.kmsKey: KMS key ${kmsKey} must be enabled, got: Disabled`);
    expect(proxy.asked).toContain(new URL(moto.url).host);
    await moto.aws(['kms', 'enable-key', '--key-id', kmsKey]);
    const named = ['--name', 'key-of-a-bucket', '--secret-string', masterKey()];
    await moto.aws(['secretsmanager', 'create-secret', ...named]);
    await expectRefused('the new place has other keys named key-of-a-bucket; nothing was written over');
    const gone = ['--secret-id', 'key-of-a-bucket', '--force-delete-without-recovery'];
    await moto.aws(['secretsmanager', 'delete-secret', ...gone]);
  });

  test('KES has only the access key that the policy is for, as a file, and trusts the CA of trustedCAs', async () => {
    const result = mustSucceed(await migrate(settings, variables()));
    measured('./scripts/migrate from Vault to AWS', result.seconds);
    expect(result.stdout).toContain(`The master keys are in AWS Secrets Manager, ${REGION} (${moto.url}).`);
    await expectMoved(settings);
    const kept = await secrets();
    expect(kept.map(({ Name }) => Name).sort()).toEqual(['backup-default', 'key-of-a-bucket']);
    expect(kept.map(({ KmsKeyId }) => KmsKeyId)).toEqual([kmsKey, kmsKey]);
    const configuration = readFileSync(environment.state.secret.kesConfiguration, 'utf8');
    expect(Object.keys((parse(configuration) as { keystore: object }).keystore)).toEqual(['aws']);
    const { Config } = await environment.docker.getContainer(environment.containerName('kes')).inspect();
    expect(JSON.stringify(Config)).not.toContain(kes.accessKeyId);
    expect(Config.Env).toContain(`HTTPS_PROXY=${proxy.url}`);
    // not the Vault that the keys came from
    expect([...new Set(proxy.asked)]).toEqual([new URL(moto.url).host]);
    expect(readFileSync(environment.transcript, 'utf8')).not.toContain(kes.secretAccessKey.reveal());
  });

  test('without Vault, a KES that has forgotten everything reads it back', async () => {
    await vault.seal();
    await removeEmbeddedVault();
    const before = proxy.asked.length;
    await environment.docker.getContainer(environment.containerName('kes')).restart();
    await environment.untilHealthy('kes');
    await writeAndReadAll();
    // nobody but KES asked
    expect(proxy.asked.slice(before)).toContain(new URL(moto.url).host);
  });

  test('a deploy makes another key there without credentials in variables, and no secret is written twice', async () => {
    environment.write(whole({ ...settings, buckets: [...BUCKETS, LATER_BUCKET] }));
    const { AWS_ENDPOINT_URL_KMS = '' } = variables();
    const result = mustSucceed(await environment.script('up', [], { env: { AWS_ENDPOINT_URL_KMS } }));
    measured('./scripts/up with another key in AWS', result.seconds);
    const kept = await secrets();
    expect(kept.map(({ Name }) => Name).sort()).toEqual(['backup-default', 'key-of-a-bucket', 'key-of-later']);
    expect(kept.map((one) => Object.keys(one.SecretVersionsToStages).length)).toEqual([1, 1, 1]);
  });

  test('the secrets are lost, and state and containers: a backup has them, and every object opens', async () => {
    const file = path.join(environment.folder, 'backup.age');
    const identity = path.join(environment.folder, 'identity.txt');
    const recipient = await newIdentity(identity);
    keepSigner(identity, mustSucceed(await environment.script('backup', ['--to', file, '--recipient', recipient])));
    const before = await secrets();
    for (const { Name } of before) {
      await moto.aws(['secretsmanager', 'delete-secret', '--secret-id', Name, '--force-delete-without-recovery']);
    }
    expect(await secrets()).toEqual([]);
    await environment.lose();
    rmSync(environment.state.root, { recursive: true });

    const { AWS_ENDPOINT_URL_KMS = '' } = variables();
    const restore = ['--from', file, '--identity', identity, environment.file];
    const env = { AWS_ENDPOINT_URL_KMS };
    const result = mustSucceed(await environment.scriptWith('restore', restore, { env }));
    measured('./scripts/restore into AWS', result.seconds);
    expect(result.stderr).toContain('Master keys: 3 of 3 written');
    const sealed = (list: typeof before): string[] => list.map(({ Name, KmsKeyId }) => `${Name} ${KmsKeyId}`).sort();
    expect(sealed(await secrets())).toEqual(sealed(before));
    await writeAndReadAll();
  });

  test('and back to the files, with what else is in the account left alone', async () => {
    const back = { ...FILES, buckets: [...BUCKETS, LATER_BUCKET] };
    const { AWS_ENDPOINT_URL_KMS = '' } = variables();
    await moto.aws(['secretsmanager', 'create-secret', '--name', 'of-others', '--secret-string', masterKey()]);
    const result = mustSucceed(await migrate(back, { AWS_ENDPOINT_URL_KMS }));
    measured('./scripts/migrate from AWS to files', result.seconds);
    // the two others are there since the beginning
    expect(result.stderr).toContain('1 of 3 copied');
    await expectMoved(back);
  });
});

/** A master key as KES reads it (kes v0.24.0, internal/crypto/key.go). */
function masterKey(): string {
  return JSON.stringify({ bytes: randomBytes(32).toString('base64'), algorithm: 'AES256' });
}
