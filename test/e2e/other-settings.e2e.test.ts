/** A deployment with everything that the default does not use, and the ways to destroy it. */
import {
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { s3Endpoint } from '../../config/state/endpoints';
import { KesClient } from '../../operations/kes/kes-client';
import { s3Client } from '../../operations/minio/s3-client';
import { unsealVault } from '../../operations/vault/unseal-vault';
import { VaultClient } from '../../operations/vault/vault-client';
import { NotYet, waitFor } from '../../operations/lib/wait';
import { mc } from '../helpers/e2e/clients/clients';
import { mustSucceed } from '../helpers/e2e/command';
import { measured } from '../helpers/e2e/clients/measured';
import { STACKS, TestEnvironment } from '../helpers/e2e/test-environment';
import { ownVault } from '../helpers/servers/vault';
import { Secret } from '../../operations/lib/secret';

const SETTINGS = {
  vault: { unseal: 'manual', shares: 3, threshold: 2 },
  keyStore: { type: 'vault', kvVersion: 1, mount: 'keys/of-kes', prefix: 'e2e', approle: { mount: 'kes-logins' } },
  kes: { clients: [{ name: 'warehouse', keys: ['stock'] }] },
  minio: {
    defaultKey: 'another_default',
    keys: ['legal'],
    sseC: 'deny',
    autoEncryption: false,
    region: 'eu-central-1',
    hostnames: ['backup.test'],
  },
} as const;

let environment: TestEnvironment;

beforeAll(async () => {
  environment = await TestEnvironment.create(SETTINGS);
});

afterAll(async () => {
  await environment.remove();
});

function vault(): VaultClient {
  const settings = ownVault(environment.loaded.environment);
  return new VaultClient({ url: `https://127.0.0.1:${settings.port}`, caFile: environment.state.caCertificate });
}

test("npx cdktf deploy '*' alone: KV v1, manual unseal with 2 of 3 shares, no auto-encryption, no buckets", async () => {
  const result = mustSucceed(await environment.cdktf(['deploy', '*', '--auto-approve']));
  measured("first npx cdktf deploy '*'", result.seconds);
  const client = vault();
  expect(await client.sealStatus()).toMatchObject({ sealed: false, n: 3, t: 2 });
  client.close();
  const report = JSON.parse(readFileSync(path.join(environment.state.reports, 'checks.json'), 'utf8')) as {
    outcome: string;
  };
  expect(report.outcome).toBe('passed');
  const { containers } = await environment.dockerResources();
  expect(containers.map(({ name }) => name)).not.toContain(environment.containerName('vault-unsealer'));
});

test('without auto-encryption a plain PUT stays plain, and one that asks is encrypted', async () => {
  const s3 = environment.s3();
  const object = { Bucket: 'of-a-test', Key: 'object' };
  await s3.send(new CreateBucketCommand({ Bucket: object.Bucket }));
  await s3.send(new PutObjectCommand({ ...object, Body: 'plain' }));
  expect((await s3.send(new HeadObjectCommand(object))).ServerSideEncryption).toBeUndefined();
  await s3.send(new PutObjectCommand({ ...object, Body: 'secret', ServerSideEncryption: 'AES256' }));
  expect((await s3.send(new HeadObjectCommand(object))).ServerSideEncryption).toBe('AES256');
  s3.destroy();
});

function filesOf(client: string): { readonly certificateFile: string; readonly privateKeyFile: string } {
  const { state } = environment;
  return {
    certificateFile: path.join(state.tls, `${client}.crt`),
    privateKeyFile: path.join(state.secret.tls, `${client}.key`),
  };
}

function kesAs(client: string): KesClient {
  const { loaded, state } = environment;
  const url = `https://127.0.0.1:${loaded.environment.kes.port}`;
  return new KesClient({ url, caFile: state.caCertificate, ...filesOf(client) });
}

describe('who may use which master key', () => {
  test('a further client of KES encrypts under its own key, and is refused those of MinIO', async () => {
    const warehouse = kesAs('client-warehouse');
    const dataKey = await warehouse.generate('stock');
    const opened = await warehouse.decrypt('stock', dataKey?.ciphertext ?? '', undefined);
    expect((opened as Buffer).toString('base64')).toBe(dataKey?.plaintext);
    for (const key of ['another_default', 'legal']) {
      await expect(warehouse.generate(key)).rejects.toThrow('(HTTP 403)');
    }
    await expect(warehouse.create('another')).rejects.toThrow('(HTTP 403)');
    warehouse.close();
  });

  test('MinIO is refused the key of that client, and so is an S3 client that names it', async () => {
    const minio = kesAs('minio');
    await expect(minio.generate('stock')).rejects.toThrow('(HTTP 403)');
    minio.close();
    const s3 = environment.s3();
    const request = { Bucket: 'of-a-test', Key: 'kms', Body: 'x', ServerSideEncryption: 'aws:kms' } as const;
    await expect(s3.send(new PutObjectCommand({ ...request, SSEKMSKeyId: 'stock' }))).rejects.toThrow(
      'insufficient permissions to perform KMS operation',
    );
    await s3.send(new PutObjectCommand({ ...request, SSEKMSKeyId: 'legal' }));
    expect((await s3.send(new HeadObjectCommand(request))).SSEKMSKeyId).toBe('arn:aws:kms:legal');
    s3.destroy();
  });
});

test('who has the policy that denies SSE-C writes nothing under keys of their own, and everything else', async () => {
  const secretKey = randomBytes(16).toString('hex');
  await mc(environment, ['admin', 'user', 'add', 'e2e', 'writer', secretKey]);
  await mc(environment, ['admin', 'policy', 'attach', 'e2e', 'readwrite', 'ebs-deny-sse-c', '--user', 'writer']);
  const { minio } = environment.loaded.environment;
  const endpoint = s3Endpoint(environment.loaded.environment, environment.state);
  const s3 = s3Client({
    endpoint,
    region: minio.region,
    credentials: { accessKey: 'writer', secretKey: new Secret(secretKey) },
  });
  const object = { Bucket: 'of-a-test', Key: 'of the writer', Body: 'x' };
  const own = { SSECustomerAlgorithm: 'AES256', SSECustomerKey: randomBytes(32).toString('base64') };

  await s3.send(new PutObjectCommand({ ...object, ServerSideEncryption: 'AES256' }));
  const refused = { name: 'AccessDenied' };
  await expect(s3.send(new PutObjectCommand({ ...object, ...own }))).rejects.toMatchObject(refused);
  await expect(s3.send(new CreateMultipartUploadCommand({ ...object, ...own }))).rejects.toMatchObject(refused);
  const copy = { ...own, Bucket: object.Bucket, Key: 'copy', CopySource: 'of-a-test/object' };
  await expect(s3.send(new CopyObjectCommand(copy))).rejects.toMatchObject(refused);
  s3.destroy();
  const root = environment.s3();
  await root.send(new PutObjectCommand({ ...object, Key: 'of root', ...own }));
  root.destroy();
});

test('cdktf output shows the endpoint', async () => {
  const file = path.join(environment.folder, 'outputs.json');
  mustSucceed(await environment.cdktf(['output', `${environment.name}-minio`, '--skip-synth', '--outputs-file', file]));
  expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({
    [`${environment.name}-minio`]: {
      s3_endpoint: environment.s3Url.replace('127.0.0.1', 'backup.test'),
      region: 'eu-central-1',
      ca_certificate_pem: readFileSync(environment.state.caCertificate, 'utf8'),
    },
  });
});

test('after a restart Vault stays sealed until a person gives 2 shares', async () => {
  await environment.docker.getContainer(environment.containerName('vault')).restart();
  const client = vault();
  await waitFor({ what: 'Vault to answer', timeoutMs: 180_000 }, async () =>
    (await client.sealStatus()).sealed ? true : new NotYet('unsealed'),
  );
  const settings = ownVault(environment.loaded.environment);
  const endpoint = { url: `https://127.0.0.1:${settings.port}`, caFile: environment.state.caCertificate };
  const share = (number: number): Secret =>
    new Secret(readFileSync(environment.state.secret.unsealShare(number), 'utf8').trim());
  const one = [share(1)];
  await expect(unsealVault(endpoint, () => Promise.resolve(one.shift()))).rejects.toThrow('1 of the 2 shares');
  const two = [share(3)];
  expect(await unsealVault(endpoint, () => Promise.resolve(two.shift()))).toBe('unsealed');
  client.close();
});

describe('cdktf destroy', () => {
  test('(meanwhile, another default key: what is under the old one still opens, what is new is under the new one; and a client whose files were removed gets another identity)', async () => {
    const old = kesAs('client-warehouse');
    for (const file of Object.values(filesOf('client-warehouse'))) rmSync(file);
    // the same deploy also allows the data loss that the last test needs
    environment.write({
      ...SETTINGS,
      minio: { ...SETTINGS.minio, defaultKey: 'a-new-default' },
      allowDataLoss: environment.name,
    });
    // the checks would be destroyed next
    const stacks = STACKS.filter((stack) => stack !== 'checks').map((stack) => `${environment.name}-${stack}`);
    mustSucceed(await environment.cdktf(['deploy', ...stacks, '--auto-approve']));
    await expect(old.generate('stock')).rejects.toThrow('(HTTP 403)');
    old.close();
    const warehouse = kesAs('client-warehouse');
    expect(await warehouse.generate('stock')).toBeDefined();
    warehouse.close();
    const s3 = environment.s3();
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: 'of-a-test', Key: 'object' }));
    expect(await Body?.transformToString()).toBe('secret');
    const object = { Bucket: 'of-a-test', Key: 'new object' };
    await s3.send(new PutObjectCommand({ ...object, Body: 'new', ServerSideEncryption: 'aws:kms' }));
    expect((await s3.send(new HeadObjectCommand(object))).SSEKMSKeyId).toBe('arn:aws:kms:a-new-default');
    s3.destroy();
  });

  test('takes everything away once the environment file allows data loss', async () => {
    mustSucceed(await environment.cdktf(['destroy', '*', '--auto-approve']));
    expect(await environment.dockerResources()).toEqual({
      containers: [],
      fileVolumes: [],
      dataVolumes: [],
      networks: [],
    });
    for (const stack of STACKS) {
      const file = path.join(environment.state.terraform, `${stack}.tfstate`);
      if (existsSync(file)) expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ resources: [] });
    }
  });
});
