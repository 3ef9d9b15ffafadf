import { generateKeyPairSync } from 'node:crypto';
import { withoutSecrets } from '../../../../operations/checks/report/secrets';
import { EVIDENCE } from '../../../helpers/reports';
import { reportOf, resultOf } from './samples';

const { privateKey } = generateKeyPairSync('ec', {
  namedCurve: 'P-256',
  privateKeyEncoding: { type: 'sec1', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
});

test.each([
  ['key: ' + privateKey, 'key: [withheld: looks like a private key]\n'],
  [privateKey.slice(0, 90), '[withheld: looks like a private key]'],
  ['token=hvs.CAESIJ0123456789-bcdefghij&', 'token=[withheld: looks like a Vault token]&'],
  ['old: s.0123456789abcdefghijklmn', 'old: [withheld: looks like a Vault token]'],
  ['kes:v1:AGaTW8Wd8oTnMTbC3N1Yx8NXJ4s=', '[withheld: looks like a KES API key]'],
  [`/b/o?X-Amz-Signature=${'ab12'.repeat(16)}&x=1`, '/b/o?X-Amz-Signature=[withheld: looks like a signature]&x=1'],
  ['X-Amz-Security-Token: FwoGZXIvYXdz', 'X-Amz-Security-Token: [withheld: looks like a session token]'],
  [
    'X-Amz-Server-Side-Encryption-Customer-Key: MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=',
    'X-Amz-Server-Side-Encryption-Customer-Key: [withheld: looks like an SSE-C key]',
  ],
  ['Authorization: Bearer abcdefghijklmnop.qrst', 'Authorization: Bearer [withheld: looks like credentials]'],
  ['https://root:pass-word@127.0.0.1:9000/', 'https://root:[withheld: looks like a password]@127.0.0.1:9000/'],
])('%j is not passed on', (text, expected) => {
  expect(withoutSecrets(text)).toBe(expected);
});

test('a fact that is named like a secret keeps its value only if that is words or short', () => {
  expect(
    withoutSecrets({
      kes: { secretId: '7f2c0d5e-9c5a-4d1f-8a37-d9c0e3b0a6b1', rootToken: ['aaaaaaaaaaaaaaaaaaaa'] },
      token: 'is refused with 403',
      tokenPolicies: 'default,kes',
      secretIds: 2,
      sealedKey: 'X-Minio-Internal-Server-Side-Encryption-S3-Sealed-Key',
    }),
  ).toEqual({
    kes: { secretId: '[withheld: looks like a secret]', rootToken: ['[withheld: looks like a secret]'] },
    token: 'is refused with 403',
    tokenPolicies: 'default,kes',
    secretIds: 2,
    sealedKey: 'X-Minio-Internal-Server-Side-Encryption-S3-Sealed-Key',
  });
});

test('ordinary evidence stays as it is', () => {
  expect(withoutSecrets(EVIDENCE)).toEqual(EVIDENCE);
});

test('a report holds no such text, wherever it came from', () => {
  const secret = 'hvs.CAESIJ0123456789abcdefghij';
  const report = reportOf(
    resultOf('failed', { message: secret, fix: secret, evidence: { answers: [{ body: secret }] } }),
  );
  expect(JSON.stringify(report)).not.toContain(secret);
});
