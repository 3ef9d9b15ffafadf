/**
 * One data volume, and its master keys on their way through every key store: files, Vault with KV v1, KV v2, AWS.
 * For AWS stands moto, which is not AWS: see test/helpers/e2e/moto.ts.
 */
import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { awsPolicy } from '../../config/aws';
import { loadEnvironment } from '../../config/load';
import { projectRoot } from '../../config/toolchain';
import { freePorts } from '../../operations/free-ports';
import { ThrowawayCa } from '../helpers/certificates';
import { mustSucceed, runCommand } from '../helpers/e2e/command';
import { measured } from '../helpers/e2e/measured';
import { Moto, REGION } from '../helpers/e2e/moto';
import { TestEnvironment } from '../helpers/e2e/test-environment';

const BUCKETS = [
  { name: 'plain' },
  { name: 'own-key', encryption: { type: 'sse-kms', key: 'key-of-a-bucket' } },
] as const;
const FILES = { keyStore: { type: 'filesystem' } } as const;
const KV1 = { keyStore: { type: 'vault', mount: 'kes-v1', kvVersion: 1 } } as const;
const KV2 = { keyStore: { type: 'vault', mount: 'kes-v2', kvVersion: 2 } } as const;

jest.setTimeout(900_000);

let environment: TestEnvironment;
let written = 0;

beforeAll(async () => {
  environment = await TestEnvironment.create({ ...FILES, buckets: [...BUCKETS] });
});

afterAll(async () => {
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

async function migrate(settings: Settings, env: Record<string, string> = {}) {
  const target = environment.writeOther('target.yaml', { ...settings, buckets: [...BUCKETS] });
  const program = path.join(projectRoot, 'scripts', 'migrate');
  const options = { transcript: environment.transcript, timeoutMs: 800_000, env };
  const result = await runCommand(program, [environment.file, '--to', target], options);
  return { ...result, target };
}

/** What stays true wherever the keys are. */
async function expectMoved(settings: Settings): Promise<void> {
  environment.write({ ...settings, buckets: [...BUCKETS] });
  expect(existsSync(environment.state.secret.migrationSource)).toBe(false);
  await writeAndReadAll();
  const report = JSON.parse(readFileSync(path.join(environment.state.reports, 'checks.json'), 'utf8')) as {
    outcome: string;
  };
  expect(report.outcome).toBe('passed');
}

test('files: a deploy without Vault proves itself, says how weak that is, and a second one changes nothing', async () => {
  const first = mustSucceed(await environment.script('up', [], { timeoutMs: 800_000 }));
  measured('first ./scripts/up with keys as files', first.seconds);
  expect(first.stderr).toContain('WARNING: keyStore.type is filesystem');
  const { containers, dataVolumes } = await environment.belongings();
  expect(containers.map(({ name }) => name)).not.toContain(environment.containerName('vault'));
  expect(dataVolumes).toContain(`ebs-${environment.name}-kes-keys`);
  await writeAndReadAll();
  const again = mustSucceed(await environment.script('up', [], { timeoutMs: 800_000 }));
  expect(Object.values(environment.changes(again)).filter((changes) => changes !== 'no change')).toEqual([]);
});

test('another keyStore in the file is refused: nothing moves keys but a migration', async () => {
  environment.write({ ...KV1, buckets: [...BUCKETS] });
  const result = await environment.script('up');
  environment.write({ ...FILES, buckets: [...BUCKETS] });
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
  expect((await environment.belongings()).dataVolumes).toContain(`ebs-${environment.name}-kes-keys`);
  const again = await runCommand(path.join(projectRoot, 'scripts', 'migrate'), [
    environment.file,
    '--to',
    environment.file,
  ]);
  expect(mustSucceed(again).stderr).toContain('the master keys are already in the embedded Vault');
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

test('Vault to AWS: KES has only the access key that the policy is for, as a file', async () => {
  const ca = await ThrowawayCa.create(environment.folder, 'ca-of-moto');
  const gateway = await bridgeGateway();
  const [port = 0] = await freePorts(1);
  const moto = await Moto.start({
    address: gateway,
    port,
    caFile: ca.file,
    ...(await ca.issue('moto', gateway)),
    logFile: path.join(environment.folder, 'moto.log'),
  });
  try {
    const key = JSON.parse(await moto.aws(['kms', 'create-key'])) as { KeyMetadata: { KeyId: string } };
    const settings = {
      keyStore: { type: 'aws', region: REGION, endpoint: moto.url, kmsKey: key.KeyMetadata.KeyId, caFile: ca.file },
    } as const;
    const target = loadEnvironment(environment.writeOther('target.yaml', { ...settings, buckets: [...BUCKETS] }));
    const policy = awsPolicy(target.environment);
    const kes = await moto.user('kes', {
      ...policy,
      // moto knows no resources
      Statement: policy.Statement.map(({ Condition: _, ...statement }) => ({ ...statement, Resource: '*' })),
    });
    const variables = { AWS_ACCESS_KEY_ID: kes.accessKeyId, AWS_SECRET_ACCESS_KEY: kes.secretAccessKey };
    const aws = { ...variables, AWS_ENDPOINT_URL_KMS: moto.url, AWS_EC2_METADATA_DISABLED: 'true' };
    const result = mustSucceed(await migrate(settings, aws));
    measured('./scripts/migrate from Vault to AWS', result.seconds);
    await expectMoved(settings);
    const secrets = JSON.parse(await moto.aws(['secretsmanager', 'list-secrets'])) as {
      SecretList: { Name: string; KmsKeyId: string }[];
    };
    expect(secrets.SecretList.map(({ Name }) => Name).sort()).toEqual(['backup-default', 'key-of-a-bucket']);
    expect(new Set(secrets.SecretList.map(({ KmsKeyId }) => KmsKeyId))).toEqual(new Set([key.KeyMetadata.KeyId]));
    const written = parse(readFileSync(environment.state.secret.kesConfiguration, 'utf8')) as { keystore: object };
    expect(Object.keys(written.keystore)).toEqual(['aws']);
    const { Config } = await environment.docker.getContainer(environment.containerName('kes')).inspect();
    expect(JSON.stringify(Config)).not.toContain(kes.accessKeyId);
    expect(readFileSync(environment.transcript, 'utf8')).not.toContain(kes.secretAccessKey);
  } finally {
    await moto.stop();
  }
});

/** The address by which containers reach this machine: a server there is reached from here, too, and from nowhere else. */
async function bridgeGateway(): Promise<string> {
  const { IPAM } = (await environment.docker.getNetwork('bridge').inspect()) as {
    IPAM?: { Config?: { Gateway?: string }[] };
  };
  const gateway = IPAM?.Config?.[0]?.Gateway;
  if (gateway === undefined) throw new Error('the bridge network of Docker has no gateway');
  return gateway;
}
