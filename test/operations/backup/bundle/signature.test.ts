/** Whoever has a recipient, or is one, plays the deployment. */
import { Decrypter, Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { stateLayout } from '../../../../config/state/layout';
import { readIdentities } from '../../../../operations/backup/age/age-keys';
import { entriesIn } from '../../../../operations/backup/bundle/archive';
import { noteBackup } from '../../../../operations/backup/last-backup';
import { openBundle } from '../../../../operations/backup/bundle/open-bundle';
import { provenance, type Provenance, signerLine, signingKey } from '../../../../operations/backup/bundle/signature';
import { writeBundle } from '../../../../operations/backup/bundle/write-bundle';
import type { SigningKey } from '../../../../operations/lib/ed25519';
import { ExternalError, UsageError } from '../../../../operations/lib/errors';
import { byDigest, each, ENTRIES, forge, HEADER, manifestOf, type Member, membersWith } from '../../../helpers/bundle';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';
import { rejectionOf, thrownBy } from '../../../helpers/thrown';

const folder = useTemporaryFolder();
const keyOf = (deployment: string): SigningKey =>
  signingKey(stateLayout(deployment, path.join(folder(), deployment)), false);
const by = (deployment: string, environment?: string): Provenance => ({
  signers: [{ publicKey: keyOf(deployment).publicKey, ...(environment === undefined ? {} : { environment }) }],
});
const NOT_RESTORED = 'it is not restored: take the backup that your deployment has made';

let identity: string;
let recipient: string;
let file: string;

beforeEach(async () => {
  identity = await generateX25519Identity();
  recipient = await identityToRecipient(identity);
  file = path.join(folder(), 'backup.age');
});

async function genuine(recipients = [recipient]): Promise<void> {
  await writeBundle(file, HEADER, each(ENTRIES), recipients, keyOf('ours'));
}

/** What is in the genuine one, as a recipient sees it. */
async function members(): Promise<Member[]> {
  const decrypter = new Decrypter();
  decrypter.addIdentity(identity);
  const entries = await entriesIn(Buffer.from(await decrypter.decrypt(readFileSync(file))));
  return [...entries].map(([name, content]) => ({ name, text: content.toString('latin1') }));
}

function signedBy(key: SigningKey, changed: readonly Member[] = []): Member[] {
  const all = membersWith(changed, HEADER).filter(({ name }) => name !== 'manifest.json');
  const manifest = manifestOf(all, [recipient]);
  const signature = JSON.stringify(key.sign(Buffer.from(manifest)));
  return [...all, { name: 'manifest.json', text: manifest }, { name: 'signature.json', text: signature }];
}

const opened = (ours: Provenance) => openBundle(file, [identity], ours);

describe('a backup', () => {
  test('is taken from the signer that was asked for', async () => {
    await genuine();
    expect((await opened(by('ours', 'test'))).signer).toBe(keyOf('ours').publicKey);
    // somebody who writes bundles of their own is as good as our own writer, if they have the key
    await forge(file, signedBy(keyOf('ours')), recipient);
    expect((await opened(by('ours'))).signer).toBe(keyOf('ours').publicKey);
  });

  test('is refused without a signature, also one from before there were any', async () => {
    for (const forged of [membersWith([]), signedBy(keyOf('ours')).filter(({ name }) => name !== 'signature.json')]) {
      await forge(file, forged, recipient);
      const refusal = await rejectionOf(opened(by('ours')));
      expect(refusal).toEqual(
        new ExternalError(`${file} is not signed: it is older than signatures, or not of your deployment`),
      );
      expect(refusal).toMatchObject({
        hint: 'if you have its SHA-256 as it was noted when it was made, give that in the place of a signer: --sha256 HEX',
      });
    }
  });

  test('is refused from whoever has only the recipient, and signs with a key of their own', async () => {
    await forge(file, signedBy(keyOf('theirs')), recipient);
    const [theirs, ours] = [keyOf('theirs').publicKey, keyOf('ours').publicKey];
    const refusal = await rejectionOf(opened(by('ours')));
    expect(refusal).toEqual(new ExternalError(`${file} is signed by ${theirs}, and ${ours} was asked for`));
    expect(refusal).toMatchObject({ hint: NOT_RESTORED });
    // the control: it would have been taken from them
    expect((await opened(by('theirs'))).signer).toBe(theirs);
  });

  test('is refused where a key of their own goes by our name', async () => {
    const signature = { ...keyOf('theirs').sign(Buffer.from('')), signer: keyOf('ours').publicKey };
    const forged = signedBy(keyOf('theirs')).filter(({ name }) => name !== 'signature.json');
    await forge(file, [...forged, { name: 'signature.json', text: JSON.stringify(signature) }], recipient);
    expect((await rejectionOf(opened(by('ours')))).message).toBe(
      `${file} was altered: the signature in it is not that of ${keyOf('ours').publicKey}`,
    );
  });

  test.each<[string, (all: Member[]) => Member[], string]>([
    [
      'an entry is another one',
      (all) => all.map((one) => (one.name === 'minio/iam.zip' ? { ...one, text: 'of theirs' } : one)),
      'is no whole backup: minio/iam.zip is not what was written',
    ],
    [
      'an entry is another one, and the manifest says so',
      (all) => {
        const changed = signedBy(keyOf('theirs'), [{ name: 'minio/iam.zip', text: 'of theirs' }]);
        return [
          ...changed.filter(({ name }) => name !== 'signature.json'),
          ...all.filter(({ name }) => name === 'signature.json'),
        ];
      },
      'was altered: the signature in it is not that of',
    ],
    [
      'there is an entry more',
      (all) => [...all, { name: 'state/objects.json', text: '{}' }],
      'is no whole backup: state/objects.json is not in its manifest',
    ],
    [
      'there is an entry less',
      (all) => all.filter(({ name }) => name !== 'state/tls/renewal.json'),
      'is no whole backup: "state/tls/renewal.json" is missing',
    ],
    [
      'it says that it is younger',
      (all) =>
        all.map((one) =>
          one.name === 'bundle.json' ? { ...one, text: (one.text ?? '').replace('2026-01-02', '2026-02-02') } : one,
        ),
      'is no whole backup: bundle.json is not what was written',
    ],
  ])('is refused from one of its recipients if %s', async (_, change, message) => {
    await genuine();
    const all = await members();
    await forge(file, all, recipient);
    expect((await opened(by('ours'))).header).toEqual(HEADER);
    await forge(file, change(all), recipient);
    expect((await rejectionOf(opened(by('ours')))).message).toContain(`${file} ${message}`);
  });

  test('is refused where one recipient has encrypted it again for another', async () => {
    await genuine();
    const other = await generateX25519Identity();
    await forge(file, await members(), await identityToRecipient(other));
    expect((await rejectionOf(openBundle(file, [other], by('ours')))).message).toBe(
      `${file} was made for other recipients than the given identity, and encrypted again for it`,
    );
  });

  test('is refused where the signer is that of another environment', async () => {
    await genuine();
    expect((await rejectionOf(opened(by('ours', 'production')))).message).toBe(
      `${file} is of environment test, and signed by that of production`,
    );
  });

  test('is refused by another SHA-256 before it is decrypted', async () => {
    const plain = new Encrypter();
    plain.addRecipient(recipient);
    writeFileSync(file, await plain.encrypt('no archive at all'));
    const asked = 'a'.repeat(64);
    expect((await rejectionOf(opened({ signers: [], sha256: asked }))).message).toBe(
      `${file} has SHA-256 ${byDigest(file).sha256}, and ${asked} was asked for`,
    );
    rmSync(file);
    await genuine();
    expect((await opened({ ...byDigest(file), ...by('ours') })).signer).toBe(keyOf('ours').publicKey);
  });
});

describe('whose backups are taken', () => {
  const line = () => signerLine(keyOf('ours').publicKey, 'test');
  const kept = (text = ''): string => {
    const name = path.join(folder(), 'identity.txt');
    writeFileSync(name, `# created: today\n${text}\n${identity}\n`);
    return name;
  };

  test('is said by the identity file, by a key, or by a file; a SHA-256 alone is enough', () => {
    const { publicKey } = keyOf('ours');
    const file = kept(line());
    expect(readIdentities(file)).toEqual([identity]);
    expect(provenance({}, file)).toEqual(by('ours', 'test'));
    expect(provenance({ signer: publicKey }, file)).toEqual(by('ours'));
    writeFileSync(path.join(folder(), 'signers'), `${publicKey} test\n# signer: ${publicKey}\n`);
    expect(provenance({ signer: path.join(folder(), 'signers') }, file)).toEqual({
      signers: [{ publicKey, environment: 'test' }, { publicKey }],
    });
    // what the identity file says is not asked where something was said
    expect(provenance({ sha256: 'AB'.repeat(32) }, file)).toEqual({ signers: [], sha256: 'ab'.repeat(32) });
  });

  test('must be said', () => {
    const file = kept();
    expect(thrownBy(() => provenance({}, file))).toEqual(
      new UsageError(
        `--signer: must be given, or stand in ${file} as a line "# signer: ed25519:…", got nothing`,
        'whoever has the recipient can write a backup, and a restore obeys it. ./scripts/backup prints the signer of ' +
          'the deployment; for one file alone, --sha256 HEX as noted when it was made takes its place',
      ),
    );
  });

  test.each([
    [
      '--signer: must be ed25519: and 44 characters of base64, or a file of such lines, got: ed25519:short',
      { signer: 'ed25519:short' },
    ],
    [
      '--signer: must be ed25519: and 44 characters of base64, or a file of such lines, got: /none',
      { signer: '/none' },
    ],
    ['--sha256: must be 64 hexadecimal digits, got: abc', { sha256: 'abc' }],
  ])('is refused: %s', (message, given) => {
    expect(thrownBy(() => provenance(given, kept())).message).toBe(message);
  });

  test.each([
    '',
    'ed25519:short',
    'ed25519 AAAA',
    `ed25519:${'A'.repeat(43)}= Not_a_name`,
    `ed25519:${'A'.repeat(43)}= a b`,
  ])('is not guessed from a line that says something else: %s', (said) => {
    const file = kept(`# signer: ${said}`);
    expect(thrownBy(() => provenance({}, file)).message).toBe(
      `--identity: line 2 of ${file} must name a signer as "# signer: ed25519:… ENVIRONMENT", got: ${said}`,
    );
  });
});

describe('the key of a deployment', () => {
  const state = () => stateLayout('ours', path.join(folder(), 'ours'));
  const note = (signer: string): void => {
    noteBackup(state(), HEADER, { destination: 'x', sha256: '', signer });
  };

  test('is made once, for its owner alone', () => {
    const { publicKey } = keyOf('ours');
    expect(publicKey).toMatch(/^ed25519:[A-Za-z0-9+/]{43}=$/);
    expect(statSync(state().secret.backupSigningKey).mode & 0o777).toBe(0o600);
    expect(keyOf('ours').publicKey).toBe(publicKey);
    note(publicKey);
    expect(keyOf('ours').publicKey).toBe(publicKey);
  });

  test.each<[string, (file: string) => void, (file: string) => string]>([
    [
      'is gone',
      (key) => {
        rmSync(key);
      },
      (key) => `is gone: there is no ${key}`,
    ],
    [
      'is another one',
      (key) => {
        rmSync(key);
        keyOf('ours');
      },
      (key) => `is not the one in ${key}`,
    ],
  ])('is not made anew by itself where it %s: restores ask for the old one', (_, lose, said) => {
    const { publicKey } = keyOf('ours');
    const key = state().secret.backupSigningKey;
    lose(key);
    note(publicKey);
    expect(thrownBy(() => keyOf('ours'))).toEqual(
      new ExternalError(`the key that signed the backup of 2026-01-02T03:04:05.000Z ${said(key)}`),
    );
    const there = existsSync(key);
    const renewed = signingKey(state(), true);
    expect(renewed.publicKey).not.toBe(publicKey);
    note(renewed.publicKey);
    expect([there, keyOf('ours').publicKey]).toEqual([there, renewed.publicKey]);
  });

  test('is not repeated where its file holds something else', () => {
    const key = state().secret.backupSigningKey;
    keyOf('ours');
    writeFileSync(key, 'my password is swordfish');
    expect(thrownBy(() => keyOf('ours')).message).toBe(`${key} is not an Ed25519 key in PEM`);
  });
});
