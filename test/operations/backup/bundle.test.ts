import { Encrypter } from 'age-encryption';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pack } from 'tar-stream';
import { newIdentity, readIdentities } from '../../../operations/backup/age-keys';
import { type BundleEntry, type BundleHeader, openBundle, writeBundle } from '../../../operations/backup/bundle';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { rejectionOf } from '../../helpers/thrown';

const folder = useTemporaryFolder();

const HEADER: BundleHeader = {
  format: 1,
  environment: 'test',
  deployment: '6e1f3a0c-0000-4000-8000-000000000000',
  createdAt: '2026-01-02T03:04:05.000Z',
  minioDeployment: 'a3b8d1b6-0000-4000-8000-000000000000',
  keyStore: 'vault',
  masterKeys: ['backup-default'],
  versions: { toolkit: '0.1.0' },
};

const ENTRIES: readonly BundleEntry[] = [
  { name: 'master-keys/backup-default', content: Buffer.from('not a real key, but as secret') },
  { name: 'state/empty', content: Buffer.alloc(0) },
  // more than one chunk of age (64 KiB) and more than one read of a file
  { name: 'state/large', content: Buffer.alloc(300_000, 'x') },
];

async function* each(entries: readonly BundleEntry[]): AsyncGenerator<BundleEntry> {
  for (const entry of entries) yield Promise.resolve(entry);
}

interface Made {
  readonly file: string;
  readonly identities: readonly string[];
}

async function made(header = HEADER): Promise<Made> {
  const identity = path.join(folder(), 'identity.txt');
  const recipient = await newIdentity(identity);
  const file = path.join(folder(), 'backup.age');
  await writeBundle(file, header, each(ENTRIES), [recipient]);
  return { file, identities: readIdentities(identity) };
}

test('what was written is what is opened, and nothing of it can be read in the file', async () => {
  const { file, identities } = await made();
  const { header, entries } = await openBundle(file, identities);
  expect(header).toEqual(HEADER);
  expect([...entries]).toEqual(ENTRIES.map(({ name, content }) => [name, content]));
  const bytes = readFileSync(file);
  for (const text of ['not a real key', 'backup-default', 'a3b8d1b6', 'xxxxxxxx'])
    expect(bytes.includes(text)).toBe(false);
});

test('it is a file for its owner alone', async () => {
  expect(statSync((await made()).file).mode & 0o777).toBe(0o600);
});

test('whoever is no recipient is told so', async () => {
  const { file } = await made();
  const other = path.join(folder(), 'other.txt');
  await newIdentity(other);
  expect((await rejectionOf(openBundle(file, readIdentities(other)))).message).toBe(
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
])('a file %s is refused', async (_, damage) => {
  const { file, identities } = await made();
  writeFileSync(file, damage(readFileSync(file)));
  expect((await rejectionOf(openBundle(file, identities))).message).toContain(`${file} is truncated or was altered: `);
});

test('a file of another kind, and one that is not there, are refused', async () => {
  const { identities } = await made();
  const file = path.join(folder(), 'letter.txt');
  writeFileSync(file, 'Dear reader');
  expect((await rejectionOf(openBundle(file, identities))).message).toBe(
    `${file} is not a backup: it is not encrypted with age`,
  );
  expect((await rejectionOf(openBundle('/nonexistent/backup.age', identities))).message).toMatch(
    /^the backup cannot be read: .*ENOENT/,
  );
});

test.each<[string, Record<string, string>, string]>([
  ['of another format', { 'bundle.json': '{"format":2}' }, 'is a backup of format 2; this version reads format 1'],
  ['without a header', { 'state/file': '' }, 'is no whole backup: there is no bundle.json in it'],
  [
    'without a manifest',
    { 'bundle.json': JSON.stringify(HEADER) },
    'is no whole backup: there is no manifest.json in it',
  ],
  [
    'without an entry of its manifest',
    { 'bundle.json': JSON.stringify(HEADER), 'manifest.json': manifestOf('state/file') },
    'is no whole backup: state/file is missing',
  ],
  [
    'with an entry that is not in its manifest',
    { 'bundle.json': JSON.stringify(HEADER), 'manifest.json': manifestOf(), 'state/file': '' },
    'is no whole backup: bundle.json is not in its manifest',
  ],
])('an archive %s is refused', async (_, content, message) => {
  const identity = path.join(folder(), 'identity.txt');
  const file = path.join(folder(), 'backup.age');
  await writeArchive(file, content, await newIdentity(identity));
  expect((await rejectionOf(openBundle(file, readIdentities(identity)))).message).toBe(`${file} ${message}`);
});

function manifestOf(...names: string[]): string {
  return JSON.stringify({ entries: names.map((name) => ({ name, bytes: 0, sha256: '0'.repeat(64) })) });
}

/** An archive that our own writer would not write. */
async function writeArchive(file: string, content: Record<string, string>, recipient: string): Promise<void> {
  const archive = pack();
  for (const [name, text] of Object.entries(content)) archive.entry({ name }, text);
  archive.finalize();
  const encrypter = new Encrypter();
  encrypter.addRecipient(recipient);
  writeFileSync(file, await encrypter.encrypt(await buffer(Readable.from(archive))));
}

test('something that cannot be had ends it with the cause, and leaves no file', async () => {
  const file = path.join(folder(), 'backup.age');
  const recipient = await newIdentity(path.join(folder(), 'identity.txt'));
  async function* failing(): AsyncGenerator<BundleEntry> {
    yield* each(ENTRIES);
    throw new Error('Vault is sealed');
  }
  expect((await rejectionOf(writeBundle(file, HEADER, failing(), [recipient]))).message).toBe('Vault is sealed');
  expect(readdirSync(folder())).toEqual(['identity.txt']);
});
