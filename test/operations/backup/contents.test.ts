import { createCipheriv, createHash, createHmac, randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Canary, writeCanaries } from '../../../operations/canaries';
import { provenKey, stateFiles } from '../../../operations/backup/contents';
import { INITIALISING } from '../../../operations/initialize-vault';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { rejectionOf } from '../../helpers/thrown';
import { loaded } from '../checks/fakes';

const folder = useTemporaryFolder();

/** A master key as KES has stored it from version 0.24 on. */
function storedKey(key: Buffer): Buffer {
  const fields = Buffer.concat([Buffer.from([0x0a, 36, 0x0a, 32]), key, Buffer.from([0x10, 1])]);
  return Buffer.from(fields.toString('base64'));
}

/** What KES v0.24 makes of a data key. */
function canaryOf(name: string, key: Buffer): Canary {
  const dataKey = randomBytes(32);
  const [iv, nonce] = [randomBytes(16), randomBytes(12)];
  const cipher = createCipheriv('aes-256-gcm', createHmac('sha256', key).update(iv).digest(), nonce);
  cipher.setAAD(Buffer.from(`encrypted-backup-storage canary of ${name}`));
  const sealed = Buffer.concat([cipher.update(dataKey), cipher.final(), cipher.getAuthTag(), iv, nonce]);
  return {
    bornAt: '2026-01-01T00:00:00.000Z',
    origin: 'created',
    ciphertext: sealed.toString('base64'),
    plaintextSha256: createHash('sha256').update(dataKey).digest('hex'),
  };
}

describe('a master key', () => {
  const key = randomBytes(32);
  const holding = (material: Buffer | undefined) => ({ read: () => Promise.resolve(material) });
  const environment = () => {
    const made = loaded(folder());
    writeCanaries(made.state.canaries, { archive: canaryOf('archive', key) });
    return made;
  };

  test('goes into a backup when the bytes that were read open its canary', async () => {
    expect(await provenKey(holding(storedKey(key)), 'archive', environment())).toEqual(storedKey(key));
  });

  test.each([
    [
      'was replaced, even if KES still has the old one in memory',
      'archive',
      storedKey(randomBytes(32)),
      'what the key store holds as master key archive does not open its canary: it was replaced by another',
    ],
    [
      'is the one of another name',
      'other',
      storedKey(key),
      'master key other has no canary, so nobody knows whether it is the right one',
    ],
    ['is not there', 'archive', undefined, 'master key archive is not in the key store'],
  ])('does not when it %s', async (_, name, material, message) => {
    expect((await rejectionOf(provenKey(holding(material), name, environment()))).message).toBe(message);
  });
});

test('of the state goes into a backup what no deployment could make again', () => {
  // GIVEN
  const { state } = loaded(folder());
  const { secret } = state;
  const saved = [state.deployment, state.canaries, state.caCertificate, secret.minioRoot, secret.unsealShare(1)];
  const mark = path.join(path.dirname(secret.unsealShare(1)), INITIALISING);
  const tokens = [secret.rootToken, secret.provisionerToken];
  const left = [...tokens, mark, secret.kesConfiguration, state.lastBackup, state.keyStore];
  for (const file of [...saved, `${secret.minioRoot}.0123456789ab.tmp`, ...left]) {
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, '');
  }
  // THEN
  const relative = (files: string[]) => files.map((file) => path.relative(state.root, file)).sort();
  expect(stateFiles(state).sort()).toEqual(relative(saved));

  // what some deployments have and older ones have not
  writeFileSync(state.earlierObjects, '');
  expect(stateFiles(state).sort()).toEqual(relative([...saved, state.earlierObjects]));
});
