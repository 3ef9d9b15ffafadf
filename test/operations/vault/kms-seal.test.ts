/** What is asked of a key of AWS KMS that is a seal. KMS is a fake that knows three requests. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { KmsAccess } from '../../../config/operation-inputs';
import { requireUsableSeal } from '../../../operations/vault/seal';
import { ThrowawayCa } from '../../helpers/certificates';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { rejectionOf } from '../../helpers/thrown';
import { TlsServer } from '../../helpers/servers/tls-server';

const folder = useTemporaryFolder();
const CREDENTIALS = '[default]\naws_access_key_id = THEACCESSKEY\naws_secret_access_key = the-secret-key\n';

let server: TlsServer;
let access: KmsAccess;
let asked: string[];
/** Answered to a request instead. */
let refusal: { readonly request: string; readonly type: string } | undefined;

beforeEach(async () => {
  const ca = await ThrowawayCa.create(folder(), 'ca');
  asked = [];
  refusal = undefined;
  server = await TlsServer.start(await ca.issue('kms'), ({ headers }, response, body) => {
    const request = String(headers['x-amz-target']).replace('TrentService.', '');
    const accessKey = /Credential=([^/]*)\//.exec(headers.authorization ?? '')?.[1] ?? 'nobody';
    asked.push(`${request} by ${accessKey}`);
    const { Plaintext, CiphertextBlob } = JSON.parse(body) as Record<string, string>;
    const answers: Record<string, unknown> = {
      DescribeKey: { KeyMetadata: { KeyId: 'k', KeyState: 'Enabled' } },
      Encrypt: { CiphertextBlob: Plaintext },
      Decrypt: { Plaintext: CiphertextBlob },
    };
    response.setHeader('content-type', 'application/x-amz-json-1.1');
    if (refusal?.request === request) response.statusCode = 400;
    const refused = { __type: refusal?.type, message: 'no' };
    response.end(JSON.stringify(refusal?.request === request ? refused : answers[request]));
  });
  const credentialsFile = path.join(folder(), 'credentials');
  writeFileSync(credentialsFile, CREDENTIALS);
  const { url: endpoint } = server;
  access = { type: 'awskms', region: 'eu-central-1', key: 'k', endpoint, caFile: ca.file, credentialsFile };
});
afterEach(async () => server.stop());

test('a key that encrypts and decrypts can be used, by the access key of the file', async () => {
  expect(await requireUsableSeal(access)).toEqual({ ttl: 0, periodic: true });
  expect(asked).toEqual(['DescribeKey', 'Encrypt', 'Decrypt'].map((request) => `${request} by THEACCESSKEY`));
});

const seal = () => `the seal of Vault, the key k of AWS KMS in eu-central-1 (${access.endpoint ?? ''}),`;

test.each([
  ['lets the access key not decrypt', 'Decrypt', 'AccessDeniedException', 'refuses access key THEACCESSKEY: no'],
  ['does not know the access key', 'DescribeKey', 'UnrecognizedClientException', 'refuses access key THEACCESSKEY: no'],
  ['has disabled the key', 'Encrypt', 'DisabledException', 'does not answer: no'],
  ['has no such key', 'DescribeKey', 'NotFoundException', 'does not answer: no'],
])('KMS that %s is named', async (_, request, type, said) => {
  refusal = { request, type };
  expect((await rejectionOf(requireUsableSeal(access))).message).toBe(`${seal()} ${said}`);
});

test.each([
  ['no profile', 'aws_access_key_id = a\naws_secret_access_key = b\n'],
  ['another profile', CREDENTIALS.replace('default', 'other')],
  ['half of them', '[default]\naws_access_key_id = a\n[other]\naws_secret_access_key = b\n'],
])('a file with %s is refused', async (_, text) => {
  writeFileSync(access.credentialsFile, text);
  expect((await rejectionOf(requireUsableSeal(access))).message).toBe(
    `vault.unseal.credentialsFile: ${access.credentialsFile} must hold [default] with aws_access_key_id and aws_secret_access_key, it does not`,
  );
  expect(asked).toEqual([]);
});

test('credentials that end are refused, without the secret', async () => {
  writeFileSync(access.credentialsFile, `${CREDENTIALS}aws_session_token = t\n`);
  const { message } = await rejectionOf(requireUsableSeal(access));
  expect(message).toBe(
    `vault.unseal.credentialsFile: ${access.credentialsFile} must hold lasting credentials, got temporary ones (THEACCESSKEY)`,
  );
});
