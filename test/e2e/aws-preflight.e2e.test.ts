/**
 * The look at AWS before a deploy, and the policy that the documentation prints. moto stands in for AWS, and a front for
 * the words in which AWS refuses: see test/helpers/e2e/servers/moto.ts.
 */
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { awsPolicy, type IamPolicy } from '../../config/keys/aws';
import type { AwsKeyStoreSettings } from '../../config/environment';
import { parseEnvironment } from '../../config/load';
import type { AwsCredentials } from '../../operations/keys/aws-credentials';
import { type AwsInQuestion, requireUsableAws } from '../../operations/keys/aws-preflight';
import { ThrowawayCa } from '../helpers/certificates';
import { Moto, REGION } from '../helpers/e2e/servers/moto';
import { TestEnvironment } from '../helpers/e2e/test-environment';
import { testPorts } from '../helpers/e2e/test-ports';
import { Secret } from '../../operations/lib/secret';

let folder: string;
let moto: Moto;
let keyStore: AwsKeyStoreSettings;
let kmsKey: string;
/** Holds what the policy grants, and nothing more. */
let kes: AwsCredentials;
let policy: IamPolicy;

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'ebs-moto-'));
  const ca = await ThrowawayCa.create(folder, 'ca-of-moto');
  const [port = 0] = await testPorts(1);
  moto = await Moto.start({
    address: '127.0.0.1',
    port,
    caFile: ca.file,
    ...(await ca.issue('moto')),
    logFile: path.join(folder, 'moto.log'),
  });
  // the SDK finds KMS where every AWS client looks for another address of it
  process.env.AWS_ENDPOINT_URL_KMS = moto.url;
  const created = JSON.parse(await moto.aws(['kms', 'create-key'])) as { KeyMetadata: { KeyId: string } };
  kmsKey = created.KeyMetadata.KeyId;
  const text = `name: x
keyStore: { type: aws, region: ${REGION}, endpoint: "${moto.url}", kmsKey: ${kmsKey}, caFile: ${ca.file} }
minio: { defaultKey: master-key }`;
  const environment = parseEnvironment(text, 'test.yaml');
  if (environment.keyStore.type !== 'aws') throw new Error('the tests are about AWS');
  keyStore = environment.keyStore;
  policy = awsPolicy(environment);
  kes = await moto.user('kes', forMoto(policy));
});

afterAll(async () => {
  delete process.env.AWS_ENDPOINT_URL_KMS;
  await moto.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** moto knows neither resources nor conditions: it can only say whether the actions suffice. */
function forMoto({ Statement, ...policy }: IamPolicy, without?: string) {
  return {
    ...policy,
    Statement: Statement.map(({ Condition: _, Action, ...statement }) => ({
      ...statement,
      Action: Action.filter((action) => action !== without),
      Resource: '*',
    })).filter(({ Action }) => Action.length > 0),
  };
}

async function look(credentials: AwsCredentials, more: Partial<AwsInQuestion> = {}): Promise<string[]> {
  const credentialsFile = path.join(folder, 'credentials.json');
  const { accessKeyId, secretAccessKey } = credentials;
  writeFileSync(credentialsFile, JSON.stringify({ accessKeyId, secretAccessKey: secretAccessKey.reveal() }));
  const said: string[] = [];
  const announce = (line: string): void => void said.push(line);
  const question = {
    keyStore,
    credentialsFile,
    trustedCAs: [],
    keys: ['master-key'],
    knownKeys: [],
    announce,
    ...more,
  };
  const found = await requireUsableAws(question);
  return [found, ...said];
}

test('the policy that the documentation prints is enough for it, and for KES to create and read a key', async () => {
  expect(await look(kes)).toEqual([`${REGION}, access key ${kes.accessKeyId}`]);
  const client = new SecretsManagerClient({
    region: REGION,
    endpoint: moto.url,
    credentials: { accessKeyId: kes.accessKeyId, secretAccessKey: kes.secretAccessKey.reveal() },
    requestHandler: { httpsAgent: new Agent({ ca: readFileSync(moto.caFile) }) },
  });
  await client.send(new CreateSecretCommand({ Name: 'made-by-kes', SecretString: 'of a test', KmsKeyId: kmsKey }));
  client.destroy();
});

test('a KMS key that is missing, disabled, or none for secrets', async () => {
  const missing = '00000000-0000-4000-8000-000000000000';
  await expect(look(kes, { keyStore: { ...keyStore, kmsKey: missing } })).rejects.toThrow(
    `keyStore.kmsKey: KMS key ${missing} does not exist in this account and region`,
  );
  await moto.aws(['kms', 'disable-key', '--key-id', kmsKey]);
  await expect(look(kes)).rejects.toThrow(`keyStore.kmsKey: KMS key ${kmsKey} must be enabled, got: Disabled`);
  await moto.aws(['kms', 'enable-key', '--key-id', kmsKey]);
  const signing = ['kms', 'create-key', '--key-usage', 'SIGN_VERIFY', '--key-spec', 'RSA_2048'];
  const { KeyId } = (JSON.parse(await moto.aws(signing)) as { KeyMetadata: { KeyId: string } }).KeyMetadata;
  await expect(look(kes, { keyStore: { ...keyStore, kmsKey: KeyId } })).rejects.toThrow(
    `keyStore.kmsKey: KMS key ${KeyId} must be symmetric, for Secrets Manager to seal with it, got: RSA_2048`,
  );
});

test('a secret that is lost, already there, or marked for deletion', async () => {
  await expect(look(kes, { knownKeys: ['master-key'] })).rejects.toThrow(
    `master key master-key has a canary, but there is no secret of its name in ${REGION}`,
  );
  await moto.aws(['secretsmanager', 'create-secret', '--name', 'master-key', '--secret-string', 'x']);
  expect(await look(kes)).toContainEqual(expect.stringMatching(/^WARNING: secret master-key exists already/));
  expect(await look(kes, { knownKeys: ['master-key'] })).toHaveLength(1);
  await moto.aws(['secretsmanager', 'delete-secret', '--secret-id', 'master-key']);
  await expect(look(kes)).rejects.toThrow(/^secret master-key is marked for deletion, since /);
});

test('an endpoint whose certificate nobody vouches for', async () => {
  const { region, endpoint, credentials } = keyStore;
  const publicOnly: AwsKeyStoreSettings = { type: 'aws', region, credentials, ...(endpoint ? { endpoint } : {}) };
  await expect(look(kes, { keyStore: publicOnly })).rejects.toThrow(
    `AWS at ${moto.url} cannot be asked for secret master-key`,
  );
});

describe('./scripts/up says which, and touches nothing, when', () => {
  let environment: TestEnvironment;

  beforeAll(async () => {
    environment = await TestEnvironment.create();
  });
  afterAll(async () => {
    await environment.remove();
  });

  async function expectRefused(
    { accessKeyId, secretAccessKey }: AwsCredentials,
    said: { error: string; hint: string },
    more: Partial<AwsKeyStoreSettings> = {},
  ): Promise<void> {
    environment.write({ keyStore: { ...keyStore, ...more }, minio: { defaultKey: 'of-the-refused' } });
    const { code, stderr } = await environment.script('up', [], {
      env: {
        AWS_ACCESS_KEY_ID: accessKeyId,
        AWS_SECRET_ACCESS_KEY: secretAccessKey.reveal(),
        AWS_SESSION_TOKEN: undefined,
        AWS_EC2_METADATA_DISABLED: 'true',
      },
    });
    expect(stderr).toContain(`error: ${said.error}\n`);
    expect(stderr).toContain(`hint: ${said.hint}`);
    expect(code).toBe(1);
    expect(await environment.dockerResources()).toEqual({
      containers: [],
      fileVolumes: [],
      dataVolumes: [],
      networks: [],
    });
    // or else the next deploy would try the same again, whatever it is given
    expect(existsSync(environment.state.secrets)).toBe(false);
    expect(readFileSync(environment.transcript, 'utf8')).not.toContain(secretAccessKey.reveal());
  }

  const RIGHT_ONES =
    'set the right ones (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE) and deploy again';

  test('nobody has that access key', async () => {
    const error = 'AWS does not accept the credentials (access key AKIAOFNOBODY): UnrecognizedClientException';
    await expectRefused({ ...kes, accessKeyId: 'AKIAOFNOBODY' }, { error, hint: RIGHT_ONES });
  });

  test('the secret of the access key is another', async () => {
    const error = `AWS does not accept the credentials (access key ${kes.accessKeyId}): InvalidSignatureException`;
    await expectRefused({ ...kes, secretAccessKey: new Secret('of-another-access-key') }, { error, hint: RIGHT_ONES });
  });

  test('the KMS key does not exist', async () => {
    const missing = '00000000-0000-4000-8000-000000000000';
    const error = `keyStore.kmsKey: KMS key ${missing} does not exist in this account and region`;
    await expectRefused(kes, { error, hint: 'correct it, or create the key first' }, { kmsKey: missing });
  });

  test('the KMS key is disabled', async () => {
    await moto.aws(['kms', 'disable-key', '--key-id', kmsKey]);
    const error = `keyStore.kmsKey: KMS key ${kmsKey} must be enabled, got: Disabled`;
    await expectRefused(kes, { error, hint: `aws kms enable-key --key-id ${kmsKey}` });
    await moto.aws(['kms', 'enable-key', '--key-id', kmsKey]);
  });

  test.each([
    ['kms:DescribeKey', () => `KMS key ${kmsKey}`],
    ['secretsmanager:DescribeSecret', () => 'secret of-the-refused'],
    ['secretsmanager:GetSecretValue', () => 'secret of-the-refused'],
  ])('the policy of KES lacks %s', async (right, on) => {
    const lesser = await moto.user(`without-${right.replace(':', '-')}`, forMoto(policy, right));
    const error = `AWS: access key ${lesser.accessKeyId} lacks the right ${right} on ${on()}`;
    await expectRefused(lesser, { error, hint: 'docs/key-stores.md has the policy that KES needs' });
  });
});
