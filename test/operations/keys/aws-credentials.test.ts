import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { awsOptions, storeAwsCredentials } from '../../../operations/keys/aws-credentials';
import { ExternalError, UsageError } from '../../../operations/lib/errors';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { rejectionOf } from '../../helpers/thrown';

const folder = useTemporaryFolder();
const LASTING = { accessKeyId: 'AKIA1', secretAccessKey: 'secret-1' };
const input = () => ({ region: 'eu-central-1', file: path.join(folder(), 'aws', 'credentials.json') });
let said: string[];

/** With the secret, which would otherwise compare as equal to any. */
async function stored(...given: Parameters<typeof storeAwsCredentials>) {
  const { accessKeyId, secretAccessKey } = await storeAwsCredentials(...given);
  return { accessKeyId, secretAccessKey: secretAccessKey.reveal() };
}

beforeEach(() => {
  said = [];
  jest.spyOn(process.stderr, 'write').mockImplementation((text) => said.push(String(text)) > 0);
});
afterEach(() => {
  jest.restoreAllMocks();
});

test('lasting credentials are kept where nobody else can read them, and the secret is not said', async () => {
  expect(await stored(input(), () => Promise.resolve(LASTING))).toEqual(LASTING);
  expect(JSON.parse(readFileSync(input().file, 'utf8'))).toEqual(LASTING);
  expect(statSync(input().file).mode & 0o777).toBe(0o600);
  expect(said).toEqual(['KES uses the AWS access key AKIA1\n']);
});

test('those that are kept stay, whatever the variables of a later deploy are meant for', async () => {
  await storeAwsCredentials(input(), () => Promise.resolve(LASTING));
  const other = () => Promise.resolve({ accessKeyId: 'AKIA2', secretAccessKey: 'secret-2' });
  expect(await stored(input(), other)).toEqual(LASTING);
  expect(await stored(input(), () => Promise.reject(new Error('none')))).toEqual(LASTING);
});

test('without any, nothing is deployed', async () => {
  const error = await rejectionOf(storeAwsCredentials(input(), () => Promise.reject(new Error('no providers'))));
  expect(error).toBeInstanceOf(UsageError);
  expect(error.message).toBe('AWS credentials: must be there for keyStore.type aws, got none (no providers)');
});

test('temporary ones are refused: KES would stop when they end', async () => {
  const temporary = { ...LASTING, sessionToken: 'token' };
  const error = await rejectionOf(storeAwsCredentials(input(), () => Promise.resolve(temporary)));
  expect(error).toBeInstanceOf(UsageError);
  expect(error.message).toBe(
    'AWS credentials: must be lasting ones, because KES needs them for as long as it runs, got: temporary ones (AKIA1)',
  );
});

test('a broken file is named and not quoted', async () => {
  await storeAwsCredentials(input(), () => Promise.resolve(LASTING));
  writeFileSync(input().file, '{"accessKeyId": "AKIA1", "secretAccessKey": "secr');
  const error = await rejectionOf(storeAwsCredentials(input()));
  expect(error).toBeInstanceOf(ExternalError);
  expect(error.message).toBe(`${input().file} does not hold {accessKeyId, secretAccessKey}`);
});

describe('with keyStore.credentials: instance-role', () => {
  /** A fake of the metadata service, which cannot run here. */
  const metadata = createServer((request, response) => {
    const answers: Readonly<Record<string, string>> = {
      '/latest/api/token': 'a-token',
      '/latest/meta-data/iam/security-credentials/': 'kes',
      '/latest/meta-data/iam/security-credentials/kes': JSON.stringify({
        ...{ Code: 'Success', AccessKeyId: 'ASIAROLE', SecretAccessKey: 'of-the-role', Token: 'session' },
        Expiration: new Date(Date.now() + 3_600_000).toISOString(),
      }),
    };
    const answer = answers[request.url ?? ''];
    response.writeHead(answer === undefined ? 404 : 200).end(answer);
  });
  beforeAll(() => new Promise<void>((resolve) => metadata.listen(0, '127.0.0.1', resolve)));
  afterAll(() => new Promise((resolve) => metadata.close(resolve)));

  test('the role of the instance is asked, whatever variables say', async () => {
    const { port } = metadata.address() as AddressInfo;
    jest.replaceProperty(process, 'env', {
      ...process.env,
      AWS_EC2_METADATA_SERVICE_ENDPOINT: `http://127.0.0.1:${port}`,
      AWS_ACCESS_KEY_ID: 'AKIAOTHER',
      AWS_SECRET_ACCESS_KEY: 'of-another-account',
    });
    const { credentials } = awsOptions({ region: 'eu-central-1' }, undefined, []);
    if (typeof credentials !== 'function') throw new Error('the credentials are fixed');
    expect(await credentials()).toMatchObject({ accessKeyId: 'ASIAROLE', sessionToken: 'session' });
  });
});
