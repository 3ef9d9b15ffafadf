import { openSealed } from '../../../../operations/keys/material/open-sealed';

const NOTHING = Buffer.alloc(0);
const ZEROS = 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=';
const KEY = 'dDHbTWgo+Yh3u804SYB5OyVMy6RiLeJYBQth1f6KlEU=';
const CONTEXT = Buffer.from('AAAAAAAAAAAAAAAAAAAAAA==', 'base64');

const olderKey = (bytes: string, algorithm?: string) => Buffer.from(JSON.stringify({ bytes, algorithm }));
/** As KES v0.24 stores a key: a KeyVersion of Protocol Buffers, base64. What comes after the key plays no part. */
const storedKey = (bytes: string, cipher: number) =>
  Buffer.from(
    Buffer.concat([
      Buffer.from([0x0a, 36, 0x0a, 32]),
      Buffer.from(bytes, 'base64'),
      Buffer.from([0x10, cipher, 0x12, 0]),
    ]).toString('base64'),
  );

// what KES itself opens in its tests (minio/kes v0.24.0, internal/crypto/key_test.go)
const AES_WITHOUT_CONTEXT = {
  sealed: 'zwdDgHeRlIFRnJ7+DIhs/ka7GFK2CFSfDELqg1VCyTQzZ58o7MAdupMLk3ZjlMo2ZUDwldL2o41nAWDc',
  context: NOTHING,
  opened: 'AAAAAAAAAAAAAAAAAAAAAA==',
};
const AES = {
  sealed: 's2gmfQHeGdlyL8x1yEWSACUV3GrSoz3t160hugMgzKWgyqesXDVUJ5Dw5Mt076rR1PNiU9X4YjLH14D8a81t2r2xsz4gVZac',
  context: CONTEXT,
  opened: 'CLcJoykFCWZDkEIiUq9bJRqwCwW9ZDvdgu8EMA==',
};
const CHACHA = {
  ...AES,
  sealed: 'gO4woRIswAJdjUjW7z2ApsSQxJlwB24yjLrmH4eI7sB0uh5nfEJfk9ybTPFft5FRFaZCVBmzhx7OJs9n0WWtxH3sySIxecIK',
};

test.each([
  ['AES-256, without a context', storedKey(ZEROS, 1), AES_WITHOUT_CONTEXT],
  ['AES-256', storedKey(KEY, 1), AES],
  ['ChaCha20', storedKey(KEY, 2), CHACHA],
  ['an older key', olderKey(KEY), AES],
  ['an older key for AES-256', olderKey(KEY, 'AES256-GCM_SHA256'), AES],
  ['an older key for ChaCha20', olderKey(KEY, 'XCHACHA20-POLY1305'), CHACHA],
])('what KES sealed opens: %s', (_, material, { sealed, context, opened }) => {
  expect(openSealed(material, Buffer.from(sealed, 'base64'), context)?.toString('base64')).toBe(opened);
});

test.each([
  ['another key', storedKey(ZEROS, 1), AES],
  ['another cipher', storedKey(KEY, 2), AES],
  ['another context', storedKey(KEY, 1), { ...AES, context: NOTHING }],
  ['a ciphertext that is cut short', storedKey(KEY, 1), { ...AES, sealed: AES.sealed.slice(0, 20) }],
  ['a cipher that KES does not have', storedKey(KEY, 3), AES],
  ['a key of another length', olderKey('AAAA'), AES],
  ['bytes that are no key', Buffer.from('not a key'), AES],
  ['bytes that only begin like one', Buffer.from('{"bytes":'), AES],
  ['no bytes', NOTHING, AES],
])('nothing opens with %s', (_, material, { sealed, context }) => {
  expect(openSealed(material, Buffer.from(sealed, 'base64'), context)).toBeUndefined();
});

// what KES itself reads in its tests, with all fields
test('the keys of these tests look like those that KES stores', () => {
  const stored =
    'CiQKIMiHG7XrN94FuwblJJor4f7f6rbqAl7DwsLaiIoyz0D2EAESJAognLXl4yqa4cjZTcSbsU6sNnN8kP9ARWkXwa20YQZa9HgQARoMCNithK0GEID67qYDIkAzZWNmY2RmMzhmY2JlMTQxYWUyNmExMDMwZjgxZTk2Yjc1MzM2NWE0Njc2MGFlNmI1Nzg2OThhOTdjNTlmZDIy';
  const ours = storedKey('yIcbtes33gW7BuUkmivh/t/qtuoCXsPCwtqIijLPQPY=', 1).toString();
  const begin = (text: string) => Buffer.from(text, 'base64').subarray(0, 38);
  expect(begin(ours)).toEqual(begin(stored));
});
