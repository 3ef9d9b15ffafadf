import { generateHybridIdentity, identityToRecipient } from 'age-encryption';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { newIdentity, readIdentities, readRecipients } from '../../../../operations/backup/age/age-keys';
import { UsageError } from '../../../../operations/lib/errors';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';
import { rejectionOf, thrownBy } from '../../../helpers/thrown';

const folder = useTemporaryFolder();

test('a new identity is a file for its owner alone, in the form of age-keygen, and is never overwritten', async () => {
  const file = path.join(folder(), 'identity.txt');
  const recipient = await newIdentity(file);
  expect(recipient).toMatch(/^age1[02-9ac-hj-np-z]{58}$/);
  expect(readFileSync(file, 'utf8')).toMatch(/^# created: .*\n# public key: age1.*\nAGE-SECRET-KEY-1[02-9A-Z]+\n$/);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readIdentities(file)).toHaveLength(1);
  expect((await rejectionOf(newIdentity(file))).message).toBe(`${file} exists already and is not overwritten`);
});

test('recipients come from the command line and from files, each once', async () => {
  const one = await newIdentity(path.join(folder(), 'one.txt'));
  const two = await newIdentity(path.join(folder(), 'two.txt'));
  const file = path.join(folder(), 'recipients');
  writeFileSync(file, `# the team\n${one}\n\n${two}\n`);
  expect(readRecipients([one, file])).toEqual([one, two]);
});

test('post-quantum recipients are taken, and not mixed with others, beside which they would be no stronger', async () => {
  const classic = await newIdentity(path.join(folder(), 'classic.txt'));
  const [one, two] = await Promise.all(
    [generateHybridIdentity(), generateHybridIdentity()].map(async (made) => identityToRecipient(await made)),
  );
  expect(readRecipients([one ?? '', two ?? ''])).toEqual([one, two]);
  expect(thrownBy(() => readRecipients([one ?? '', classic]))).toEqual(
    new UsageError(
      `--recipient: post-quantum recipients (age1pq1…) must not be mixed with others, got also: ${classic}`,
      'whoever breaks the weaker one opens the backup: give recipients of one kind',
    ),
  );
});

test('a slip of the pen in a recipient is found before anything is encrypted for nobody', async () => {
  const recipient = await newIdentity(path.join(folder(), 'identity.txt'));
  const slip = `${recipient.slice(0, -1)}${recipient.endsWith('q') ? 'p' : 'q'}`;
  expect(thrownBy(() => readRecipients([slip])).message).toMatch(
    new RegExp(`^--recipient: ${slip} has a slip in it: .*checksum`),
  );
});

test('what is no recipient is refused, and a secret is not repeated', () => {
  const identity = `AGE-SECRET-KEY-1${'Q'.repeat(58)}`;
  const file = path.join(folder(), 'recipients');
  writeFileSync(file, `${identity}\n`);
  const messages = [[], ['age1short'], [identity], [file]].map(
    (given) => thrownBy(() => readRecipients(given)).message,
  );
  expect(messages).toEqual([
    '--recipient: must be given, got nothing',
    '--recipient: must be an age recipient (age1…) or a file of them, got: age1short',
    '--recipient: must be the public half of a key, got the secret one',
    `--recipient: line 1 of ${file} is no age recipient (age1…)`,
  ]);
});

test('a file without identities is refused without its content', () => {
  const file = path.join(folder(), 'notes');
  writeFileSync(file, 'my password is swordfish\n');
  expect(thrownBy(() => readIdentities(file)).message).toBe(
    `--identity: ${file} must hold age identities (AGE-SECRET-KEY-1…), one on each line`,
  );
  expect(thrownBy(() => readIdentities('/nonexistent')).message).toMatch(/^--identity: .*ENOENT/);
});
