import { createHash } from 'node:crypto';
import { type KeyDerivation, openFromAdmin, sealForAdmin } from '../../../operations/minio/madmin-cipher';
import { Secret } from '../../../operations/lib/secret';

const SECRET_KEY = new Secret('a-secret-key');
/** Of eleven x, sealed by madmin-go v3.0.109. */
const SEALED = Buffer.from(
  '778a65f29e5202b7d5c388aa81d9d77c33ef2a1d744785f92038f0ecb451b29000cc6adefc61e5078515934057c21296ded5083cb689b6f7765bf1c17ca52b9aa2366cdf',
  'hex',
);

/**
 * Argon2id takes long in a test. What it makes of the salt of SEALED was computed once; that MinIO and the real one
 * understand each other is seen end to end.
 */
const keyOf: KeyDerivation = (secretKey, salt) =>
  secretKey.equals(SECRET_KEY) && SEALED.subarray(0, 32).equals(salt)
    ? Buffer.from('fc8eb3326f66315ccdb455bc4fcfbe8c9b36d35830053c7cb910570d20844e9a', 'hex')
    : createHash('sha256').update(secretKey.reveal()).update(salt).digest();

test('opens what MinIO sealed', () => {
  expect(openFromAdmin(SECRET_KEY, SEALED, keyOf).toString()).toBe('x'.repeat(11));
});

test.each([0, 16 * 1024, 40_000])('%i bytes are opened as they were sealed', (length) => {
  const data = Buffer.alloc(length, 'settings ');
  const sealed = sealForAdmin(SECRET_KEY, data, keyOf);
  expect(sealed).not.toContain('settings');
  expect(openFromAdmin(SECRET_KEY, sealed, keyOf).equals(data)).toBe(true);
});

test.each<[string, (sealed: Buffer) => Buffer, Secret?]>([
  ['another secret key', (sealed) => sealed, new Secret('another')],
  ['a flipped bit', (sealed) => Buffer.from(sealed.map((byte, at) => (at === 50 ? byte ^ 1 : byte)))],
  ['its last piece missing', (sealed) => sealed.subarray(0, 41 + 16 * 1024 + 16)],
])('with %s nothing is opened', (_, damage, secretKey = SECRET_KEY) => {
  const sealed = sealForAdmin(SECRET_KEY, Buffer.alloc(20_000), keyOf);
  expect(openFromAdmin(SECRET_KEY, sealed, keyOf)).toHaveLength(20_000);
  expect(() => openFromAdmin(secretKey, damage(sealed), keyOf)).toThrow(
    'MinIO’s answer was altered or cut short, or is sealed for another secret key',
  );
});

test('another cipher is said as such', () => {
  const sealed = Buffer.from(SEALED);
  sealed[32] = 7;
  expect(() => openFromAdmin(SECRET_KEY, sealed, keyOf)).toThrow(
    'MinIO sealed its answer in a way that is not known here',
  );
});
