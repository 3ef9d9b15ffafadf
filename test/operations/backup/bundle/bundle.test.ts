import { generateHybridIdentity, generateX25519Identity, identityToRecipient } from 'age-encryption';
import fs, { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { stateLayout } from '../../../../config/state/layout';
import { newIdentity, readIdentities } from '../../../../operations/backup/age/age-keys';
import type { ArchiveEntry } from '../../../../operations/backup/bundle/archive';
import { openBundle } from '../../../../operations/backup/bundle/open-bundle';
import { type Provenance, signingKey } from '../../../../operations/backup/bundle/signature';
import { writeBundle } from '../../../../operations/backup/bundle/write-bundle';
import {
  byDigest,
  CANARIES,
  each,
  ENTRIES,
  forge,
  HEADER,
  manifestOf,
  MASTER_KEY,
  type Member,
  membersWith,
} from '../../../helpers/bundle';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';
import { rejectionOf } from '../../../helpers/thrown';

const folder = useTemporaryFolder();

interface Made {
  readonly file: string;
  readonly identities: readonly string[];
}

/** The key of the deployment whose backups these are. */
const ownKey = () => signingKey(stateLayout('test', folder()), false);
const ours = (): Provenance => ({ signers: [{ publicKey: ownKey().publicKey, environment: 'test' }] });

async function made(entries = ENTRIES): Promise<Made> {
  const identity = path.join(folder(), 'identity.txt');
  const recipient = await newIdentity(identity);
  const file = path.join(folder(), 'backup.age');
  await writeBundle(file, HEADER, each(entries), [recipient], ownKey());
  return { file, identities: readIdentities(identity) };
}

test('what was written is what is opened, and nothing of it can be read in the file', async () => {
  const { file, identities } = await made();
  const { sha256, ...bundle } = await openBundle(file, identities, ours());
  expect(bundle).toEqual({
    header: HEADER,
    signer: ownKey().publicKey,
    environmentFile: 'name: test\n',
    masterKeys: new Map([['backup-default', MASTER_KEY]]),
    canaries: CANARIES,
    stateFiles: new Map(
      ENTRIES.filter(({ name }) => name.startsWith('state/')).map(({ name, content }) => [name.slice(6), content]),
    ),
    iam: Buffer.from('of users'),
    buckets: Buffer.from('of buckets'),
    settings: 'of MinIO',
  });
  expect(sha256).toMatch(/^[0-9a-f]{64}$/);
  const bytes = readFileSync(file);
  for (const text of [MASTER_KEY.toString(), 'backup-default', 'a3b8d1b6', 'xxxxxxxx'])
    expect(bytes.includes(text)).toBe(false);
});

test('it is a file for its owner alone', async () => {
  expect(statSync((await made()).file).mode & 0o777).toBe(0o600);
});

test.each([
  ['X25519 for X25519', generateX25519Identity, ['X25519', 'X25519']],
  ['hybrid for hybrid, which a classic one would weaken', generateHybridIdentity, ['mlkem768x25519', 'mlkem768x25519']],
])('the key by which it is read back is %s', async (_, generate, kinds) => {
  const identity = await generate();
  const file = path.join(folder(), 'backup.age');
  await writeBundle(file, HEADER, each(ENTRIES), [await identityToRecipient(identity)], ownKey());
  const [header = ''] = readFileSync(file, 'latin1').split('\n--- ');
  expect([...header.matchAll(/^-> (\S+)/gm)].map(([, kind]) => kind)).toEqual(kinds);
  expect((await openBundle(file, [identity], ours())).header).toEqual(HEADER);
});

test('whoever is no recipient is told so', async () => {
  const { file } = await made();
  const other = path.join(folder(), 'other.txt');
  await newIdentity(other);
  expect((await rejectionOf(openBundle(file, readIdentities(other), ours()))).message).toBe(
    `${file} is encrypted for other recipients than the given identity`,
  );
});

test.each<[string, (bytes: Buffer) => Buffer]>([
  ['cut in its header', (bytes) => bytes.subarray(0, 60)],
  ['cut in the middle', (bytes) => bytes.subarray(0, 100_000)],
  ['cut at the border of a chunk', (bytes) => bytes.subarray(0, bytes.length - ((bytes.length - 300) % (65_536 + 16)))],
  ['without its last byte', (bytes) => bytes.subarray(0, bytes.length - 1)],
  ['with a byte changed', (bytes) => Buffer.from(bytes.map((byte, at) => (at === 150_000 ? byte ^ 1 : byte)))],
  ['with something appended', (bytes) => Buffer.concat([bytes, Buffer.from('more')])],
  ['with a header that does not end', (bytes) => Buffer.concat([bytes.subarray(0, 22), Buffer.alloc(200_000, 'x')])],
])('a file %s is refused', async (_, damage) => {
  const { file, identities } = await made();
  writeFileSync(file, damage(readFileSync(file)));
  expect((await rejectionOf(openBundle(file, identities, ours()))).message).toContain(
    `${file} is truncated or was altered: `,
  );
});

test('a file of another kind, one that is not there, and one that is larger than any backup are refused', async () => {
  const { identities } = await made();
  const file = path.join(folder(), 'letter.txt');
  writeFileSync(file, 'Dear reader');
  expect((await rejectionOf(openBundle(file, identities, ours()))).message).toBe(
    `${file} is not a backup: it is not encrypted with age`,
  );
  truncateSync(file, 128 * 1024 * 1024 + 1);
  expect((await rejectionOf(openBundle(file, identities, ours()))).message).toBe(
    `${file} is no backup: it has more than 134217728 bytes, and no backup has`,
  );
  expect((await rejectionOf(openBundle('/nonexistent/backup.age', identities, ours()))).message).toMatch(
    /^the backup cannot be read: .*ENOENT/,
  );
});

/** What is refused whoever has written it: also by its SHA-256, for which no signature is asked. */
async function refusalOf(members: Iterable<Member>): Promise<string> {
  const identity = path.join(folder(), 'identity.txt');
  const file = path.join(folder(), 'backup.age');
  await forge(file, members, await newIdentity(identity));
  const { message } = await rejectionOf(openBundle(file, readIdentities(identity), byDigest(file)));
  expect(readdirSync(folder()).sort()).toEqual(['backup.age', 'identity.txt']);
  return message.replace(`${file} `, '');
}

test('an archive with nothing wrong is opened by its SHA-256, whoever has packed it, also one from before signatures', async () => {
  const identity = path.join(folder(), 'identity.txt');
  const file = path.join(folder(), 'backup.age');
  await forge(file, membersWith([]), await newIdentity(identity));
  expect((await openBundle(file, readIdentities(identity), byDigest(file))).header.format).toBe(1);
});

describe('an archive in which something is that no backup has is refused:', () => {
  const unknown = (name: string): string =>
    `is truncated or was altered: it holds ${JSON.stringify(name)}, which is nothing that a backup has`;
  const kind = (name: string, type: string): string =>
    `is truncated or was altered: "${name}" in it is a ${type}, and no file`;

  test.each<[string, Member, string]>([
    ['an absolute name', { name: '/etc/cron.d/x' }, unknown('/etc/cron.d/x')],
    ['a name that leads out', { name: 'state/../../x' }, unknown('state/../../x')],
    ['one that leads out and back', { name: 'state/tls/../tls/ca.crt' }, unknown('state/tls/../tls/ca.crt')],
    ['a name that means the same as another', { name: 'state//keys.json' }, unknown('state//keys.json')],
    ['a file that no deployment has', { name: 'state/cron.d/x' }, unknown('state/cron.d/x')],
    ['one that a restore makes', { name: 'state/restore.json' }, unknown('state/restore.json')],
    [
      'a token that is made anew',
      { name: 'state/secrets/vault/root-token' },
      unknown('state/secrets/vault/root-token'),
    ],
    ['a certificate of nobody', { name: 'state/tls/x.crt' }, unknown('state/tls/x.crt')],
    ['a client with a wrong name', { name: 'state/tls/client-a b.crt' }, unknown('state/tls/client-a b.crt')],
    ['a key with a wrong name', { name: 'master-keys/a.b' }, unknown('master-keys/a.b')],
    ['a key in a folder', { name: 'master-keys/a/b' }, unknown('master-keys/a/b')],
    [
      'a name that steers the terminal',
      { name: 'state/\u001b]0;x\u0007\u009b2J' },
      'is truncated or was altered: it holds "state/\\u001b]0;x\\u0007\ufffd2J", which is nothing that a backup has',
    ],
    [
      'a link to a file',
      { name: 'state/keys.json', type: 'symlink', linkname: '/etc/passwd' },
      kind('state/keys.json', 'symlink'),
    ],
    [
      'a hard link',
      { name: 'state/tls/ca.crt', type: 'link', linkname: 'state/keys.json' },
      kind('state/tls/ca.crt', 'link'),
    ],
    ['a folder', { name: 'state/tls/', type: 'directory' }, kind('state/tls/', 'directory')],
    ['a device', { name: 'state/tls/ca.crt', type: 'character-device' }, kind('state/tls/ca.crt', 'character-device')],
    ['a pipe', { name: 'state/tls/ca.crt', type: 'fifo' }, kind('state/tls/ca.crt', 'fifo')],
    [
      'an entry that is too large',
      { name: 'master-keys/large', text: 'x'.repeat(4097) },
      'is truncated or was altered: master-keys/large in it has 4097 bytes, and at most 4096 is right',
    ],
    [
      'an environment file that is too large',
      { name: 'environment.yaml', text: '#'.repeat(256 * 1024 + 1) },
      'is truncated or was altered: environment.yaml in it has 262145 bytes, and at most 262144 is right',
    ],
  ])('%s', async (_, member, message) => {
    expect(await refusalOf(membersWith([member]))).toBe(message);
  });

  test('an entry twice', async () => {
    const [header] = membersWith([]);
    expect(await refusalOf([...(header === undefined ? [] : [header, header])])).toBe(
      'is truncated or was altered: it holds bundle.json twice',
    );
  });

  // a million of them are larger than any backup
  test('an entry more than any backup has', async () => {
    const many = Array.from({ length: 10_001 }, (_, index) => ({ name: `master-keys/key-${index}` }));
    expect(await refusalOf(many)).toBe('is truncated or was altered: it holds more than 10000 entries');
  });
});

describe('an archive that does not fit itself is refused:', () => {
  const json = (name: string, value: unknown): Member => ({ name, text: JSON.stringify(value) });
  const without = (...names: string[]): Member[] => membersWith([]).filter(({ name }) => !names.includes(name));

  test.each<[string, Member[], string]>([
    [
      'another format',
      [json('bundle.json', { format: 9 })],
      'is a backup of format 9; this version reads formats 1 and 2',
    ],
    ['no header', without('bundle.json'), 'is no whole backup: there is no bundle.json in it'],
    ['no manifest', without('manifest.json'), 'is no whole backup: there is no manifest.json in it'],
    [
      'a header that is no JSON',
      membersWith([{ name: 'bundle.json', text: '{' }]),
      'is no whole backup: bundle.json is not JSON',
    ],
    [
      'a header with something else in it',
      membersWith([], { ...HEADER, format: 1, hook: '/bin/sh' }),
      'is no whole backup: bundle.json is not right: : Unrecognized key: "hook"',
    ],
    [
      'an environment whose name leads out',
      membersWith([], { ...HEADER, format: 1, environment: '../x' }),
      'is no whole backup: bundle.json is not right: environment: must be 1 to 32 characters of a-z, 0-9 and "-", ' +
        'beginning with a letter and not ending with "-"',
    ],
    ['an entry less than its manifest', without('minio/iam.zip'), 'is no whole backup: "minio/iam.zip" is missing'],
    [
      'an entry more than its manifest',
      membersWith([json('manifest.json', { entries: [] })]),
      'is no whole backup: bundle.json is not in its manifest',
    ],
    [
      'an entry that is another one',
      membersWith([
        { name: 'manifest.json', text: manifestOf(membersWith([{ name: 'minio/iam.zip', text: 'of xsers' }])) },
      ]),
      'is no whole backup: minio/iam.zip is not what was written',
    ],
    [
      'a master key of which the header says nothing',
      membersWith([{ name: 'master-keys/other', text: 'key' }]),
      'is no whole backup: it is said to hold the master keys backup-default, and holds backup-default, other',
    ],
    [
      'a master key without a canary',
      membersWith([json('state/keys.json', { version: 1, keys: {} })]),
      'is no whole backup: master key backup-default has no canary',
    ],
    [
      'another master key than that of the canary',
      membersWith([{ name: 'master-keys/backup-default', text: MASTER_KEY.toString().replace('Y', 'Z') }]),
      'is no whole backup: master key backup-default does not open its canary',
    ],
    ...['environment.yaml', 'state/keys.json', 'minio/iam.zip', 'minio/buckets.zip'].map(
      (name): [string, Member[], string] => [
        `no ${name}`,
        membersWith([{ name: 'manifest.json', text: manifestOf(without(name, 'manifest.json')) }]).filter(
          (member) => member.name !== name,
        ),
        `is no whole backup: there is no ${name} in it`,
      ],
    ),
  ])('%s', async (_, members, message) => {
    expect(await refusalOf(members)).toBe(message);
  });
});

test('something that cannot be had ends it with the cause, and leaves no file', async () => {
  const file = path.join(folder(), 'backup.age');
  const recipient = await newIdentity(path.join(folder(), 'identity.txt'));
  async function* failing(): AsyncGenerator<ArchiveEntry> {
    yield* each(ENTRIES);
    throw new Error('Vault is sealed');
  }
  expect((await rejectionOf(writeBundle(file, HEADER, failing(), [recipient], ownKey()))).message).toBe(
    'Vault is sealed',
  );
  expect(readdirSync(folder())).toEqual(['identity.txt', 'secrets']);
});

/** As a file system without hard links. */
function withoutLinks(): void {
  jest.spyOn(fs, 'linkSync').mockImplementation(() => {
    throw Object.assign(new Error('no links here'), { code: 'EPERM' });
  });
}

describe.each([
  ['by a link', () => undefined],
  ['without links', withoutLinks],
])('it gets its name %s', (_, prepare) => {
  beforeEach(prepare);
  afterEach(() => jest.restoreAllMocks());

  test('once, whole, and alone', async () => {
    const { file, identities } = await made();
    expect((await openBundle(file, identities, ours())).header).toEqual(HEADER);
    expect(statSync(file)).toMatchObject({ nlink: 1, mode: 0o100600 });
    expect(readdirSync(folder()).sort()).toEqual(['backup.age', 'identity.txt', 'secrets']);
  });

  test('not where a file appeared while it was made, which is not replaced', async () => {
    const file = path.join(folder(), 'backup.age');
    const recipient = await newIdentity(path.join(folder(), 'identity.txt'));
    async function* meanwhile(): AsyncGenerator<ArchiveEntry> {
      yield* each(ENTRIES);
      writeFileSync(file, 'the only good backup');
      return Promise.resolve();
    }
    const error = await rejectionOf(writeBundle(file, HEADER, meanwhile(), [recipient], ownKey()));
    expect(error).toMatchObject({
      message: `--to: ${file} exists already and is not overwritten`,
      hint: 'name another one, for example with the date in it',
    });
    expect(readFileSync(file, 'utf8')).toBe('the only good backup');
    expect(readdirSync(folder()).sort()).toEqual(['backup.age', 'identity.txt', 'secrets']);
  });
});

test('a file that cannot take its name leaves nothing under it', async () => {
  withoutLinks();
  const rename = fs.renameSync;
  jest.spyOn(fs, 'renameSync').mockImplementation((from, to) => {
    if (path.basename(String(to)) === 'backup.age') throw new Error('the disk is gone');
    rename(from, to);
  });
  await expect(made()).rejects.toThrow('the disk is gone');
  jest.restoreAllMocks();
  expect(readdirSync(folder()).sort()).toEqual(['identity.txt', 'secrets']);
});

test('what no restore would take is not written either', async () => {
  const refused = await rejectionOf(made([...ENTRIES, { name: 'state/strange', content: Buffer.of() }]));
  expect(refused.message).toContain('it holds "state/strange", which is nothing that a backup has');
  expect(readdirSync(folder())).toEqual(['identity.txt', 'secrets']);
});
