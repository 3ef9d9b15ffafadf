/** How AWS refuses, as its JSON protocol has it: here nobody can be AWS, so a server of the test answers. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { AwsKeyStoreSettings } from '../../../config/environment';
import { ExternalError, UsageError } from '../../../operations/lib/errors';
import { requireUsableAws } from '../../../operations/keys/aws-preflight';
import { ThrowawayCa } from '../../helpers/certificates';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { rejectionOf } from '../../helpers/thrown';
import { TlsServer } from '../../helpers/servers/tls-server';

const folder = useTemporaryFolder();
let server: TlsServer;
let caFile: string;
/** What each action is refused with; what is not named is granted. */
let refusals: Record<string, string>;
let asked: string[];

beforeEach(async () => {
  const ca = await ThrowawayCa.create(folder(), 'ca');
  caFile = ca.file;
  refusals = {};
  asked = [];
  server = await TlsServer.start(await ca.issue('aws'), ({ headers }, response) => {
    const action = String(headers['x-amz-target']).split('.').at(-1) ?? '';
    asked.push(action);
    // nothing is there yet
    const granted = action === 'DescribeKey' ? undefined : 'ResourceNotFoundException';
    const error = refusals[action] ?? granted;
    response.writeHead(error === undefined ? 200 : 400, { 'content-type': 'application/x-amz-json-1.1' });
    const key = { KeyMetadata: { KeyId: 'key', KeyState: 'Enabled', KeySpec: 'SYMMETRIC_DEFAULT' } };
    response.end(JSON.stringify(error === undefined ? key : { __type: error, message: 'of a test' }));
  });
  process.env.AWS_ENDPOINT_URL_KMS = server.url;
});
afterEach(async () => {
  delete process.env.AWS_ENDPOINT_URL_KMS;
  await server.stop();
});

function look(trust: { readonly caFile?: string; readonly trustedCAs?: string[] } = { caFile }): Promise<string> {
  const credentialsFile = path.join(folder(), 'credentials.json');
  writeFileSync(credentialsFile, JSON.stringify({ accessKeyId: 'AKIA1', secretAccessKey: 'secret' }));
  const keyStore: AwsKeyStoreSettings = {
    ...{ type: 'aws', region: 'eu-central-1', kmsKey: 'alias/kes', credentials: 'chain' },
    ...{ endpoint: server.url, ...(trust.caFile === undefined ? {} : { caFile: trust.caFile }) },
  };
  return requireUsableAws({
    ...{ keyStore, credentialsFile, trustedCAs: trust.trustedCAs ?? [], keys: ['master-key'], knownKeys: [] },
    announce: () => undefined,
  });
}

test('all rights, and no secret yet', async () => {
  expect(await look()).toBe('eu-central-1, access key AKIA1');
});

test('an endpoint behind a private CA: one of trustedCAs vouches for it as well as caFile, and nobody else', async () => {
  expect(await look({ trustedCAs: [caFile] })).toBe('eu-central-1, access key AKIA1');
  const error = await rejectionOf(look({}));
  expect(error.message).toMatch(/^AWS at KMS cannot be asked for KMS key alias\/kes: .*certificate/);
  expect(error).toHaveProperty(
    'hint',
    'check region, endpoint, caFile, trustedCAs, proxy and the network; nothing was changed',
  );
});

describe('an endpoint of KMS without TLS', () => {
  const variables = ['AWS_ENDPOINT_URL_KMS', 'AWS_ENDPOINT_URL'] as const;
  afterEach(() => {
    delete process.env.AWS_ENDPOINT_URL;
  });

  test.each(variables)('on another machine is refused before anything is sent: %s', async (variable) => {
    delete process.env.AWS_ENDPOINT_URL_KMS;
    process.env[variable] = 'http://kms.example.org:8080';
    const error = await rejectionOf(look());
    expect(error).toBeInstanceOf(UsageError);
    expect(error.message).toBe(
      'AWS_ENDPOINT_URL_KMS: must be an https:// address, for nothing is sent in the clear, got: http://kms.example.org',
    );
    expect(asked).toEqual([]);
  });

  test.each(['127.0.0.1', 'localhost', '[::1]'])('on this machine, %s, is asked', async (host) => {
    process.env.AWS_ENDPOINT_URL_KMS = `http://${host}:1`;
    const error = await rejectionOf(look());
    expect(error.message).toMatch(/^AWS at KMS cannot be asked for KMS key alias\/kes: /);
  });
});

test.each([
  ['DescribeKey', 'kms:DescribeKey on KMS key alias/kes'],
  ['DescribeSecret', 'secretsmanager:DescribeSecret on secret master-key'],
  ['GetSecretValue', 'secretsmanager:GetSecretValue on secret master-key'],
])('the right to %s is missing', async (action, right) => {
  refusals[action] = 'AccessDeniedException';
  const error = await rejectionOf(look());
  expect(error).toBeInstanceOf(ExternalError);
  expect(error.message).toBe(`AWS: access key AKIA1 lacks the right ${right}`);
  expect(error).toHaveProperty('hint', 'docs/key-stores.md has the policy that KES needs');
});

test.each(['UnrecognizedClientException', 'InvalidSignatureException'])(
  'the credentials are wrong: %s',
  async (refusal) => {
    refusals.DescribeKey = refusal;
    const error = await rejectionOf(look());
    expect(error).toBeInstanceOf(ExternalError);
    expect(error.message).toBe(`AWS does not accept the credentials (access key AKIA1): ${refusal}`);
  },
);
