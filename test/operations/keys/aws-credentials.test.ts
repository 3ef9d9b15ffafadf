import { readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { storeAwsCredentials } from '../../../operations/keys/aws-credentials';
import { ExternalError, UsageError } from '../../../operations/lib/errors';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { rejectionOf } from '../../helpers/thrown';

const folder = useTemporaryFolder();
const LASTING = { accessKeyId: 'AKIA1', secretAccessKey: 'secret-1' };
const input = () => ({ region: 'eu-central-1', file: path.join(folder(), 'aws', 'credentials.json') });
let said: string[];

beforeEach(() => {
  said = [];
  jest.spyOn(process.stderr, 'write').mockImplementation((text) => said.push(String(text)) > 0);
});
afterEach(() => {
  jest.restoreAllMocks();
});

test('lasting credentials are kept where nobody else can read them, and the secret is not said', async () => {
  expect(await storeAwsCredentials(input(), () => Promise.resolve(LASTING))).toEqual(LASTING);
  expect(JSON.parse(readFileSync(input().file, 'utf8'))).toEqual(LASTING);
  expect(statSync(input().file).mode & 0o777).toBe(0o600);
  expect(said).toEqual(['KES uses the AWS access key AKIA1\n']);
});

test('those that are kept stay, whatever the variables of a later deploy are meant for', async () => {
  await storeAwsCredentials(input(), () => Promise.resolve(LASTING));
  const other = () => Promise.resolve({ accessKeyId: 'AKIA2', secretAccessKey: 'secret-2' });
  expect(await storeAwsCredentials(input(), other)).toEqual(LASTING);
  expect(await storeAwsCredentials(input(), () => Promise.reject(new Error('none')))).toEqual(LASTING);
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
