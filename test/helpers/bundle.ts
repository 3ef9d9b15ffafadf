/** Bundles as our own writer makes them, and as it would not. */
import { Encrypter } from 'age-encryption';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { type Header, pack } from 'tar-stream';
import type { ArchiveEntry } from '../../operations/backup/bundle/archive';
import type { BundleHeader } from '../../operations/backup/bundle/bundle';
import type { Provenance } from '../../operations/backup/bundle/signature';
import { canaryOf, storedKey } from './master-key';

export const HEADER: BundleHeader = {
  format: 2,
  environment: 'test',
  deployment: '6e1f3a0c-0000-4000-8000-000000000000',
  createdAt: '2026-01-02T03:04:05.000Z',
  minioDeployment: 'a3b8d1b6-0000-4000-8000-000000000000',
  keyStore: 'vault',
  masterKeys: ['backup-default'],
  notSaved: ['tier COLD: its address and credentials'],
  versions: { toolkit: '0.1.0' },
};

const KEY = Buffer.alloc(32, 'a master key ');
export const MASTER_KEY = storedKey(KEY);
export const CANARIES = { 'backup-default': canaryOf('backup-default', KEY) };

/** Everything that a whole bundle has beside header and manifest. */
export const ENTRIES: readonly ArchiveEntry[] = [
  { name: 'environment.yaml', content: Buffer.from('name: test\n') },
  { name: 'master-keys/backup-default', content: MASTER_KEY },
  { name: 'state/keys.json', content: Buffer.from(JSON.stringify({ version: 1, keys: CANARIES })) },
  { name: 'state/tls/renewal.json', content: Buffer.alloc(0) },
  // more than one chunk of age (64 KiB) and more than one read of a file
  { name: 'state/secrets/minio/root.json', content: Buffer.alloc(300_000, 'x') },
  { name: 'minio/iam.zip', content: Buffer.from('of users') },
  { name: 'minio/buckets.zip', content: Buffer.from('of buckets') },
  { name: 'minio/settings.txt', content: Buffer.from('of MinIO') },
];

export async function* each(entries: readonly ArchiveEntry[]): AsyncGenerator<ArchiveEntry> {
  for (const entry of entries) yield Promise.resolve(entry);
}

/** One member of an archive, of whatever kind. */
export type Member = Partial<Header> & { readonly name: string; readonly text?: string };

/**
 * The members of a bundle that somebody made who knows how, and signed by nobody, with others in the place of those of
 * the same name.
 */
export function membersWith(changed: readonly Member[], header: object = { ...HEADER, format: 1 }): Member[] {
  const names = changed.map(({ name }) => name);
  const kept = ENTRIES.map(({ name, content }) => ({ name, text: content.toString('latin1') }));
  const members = [{ name: 'bundle.json', text: JSON.stringify(header) }, ...kept].filter(
    ({ name }) => !names.includes(name),
  );
  const all = [...members, ...changed];
  return names.includes('manifest.json') ? all : [...all, { name: 'manifest.json', text: manifestOf(all) }];
}

/** The same by its SHA-256 alone. */
export function byDigest(file: string): Provenance {
  return { signers: [], sha256: createHash('sha256').update(readFileSync(file)).digest('hex') };
}

/** @param recipients default: those of nobody, of whom a bundle of format 1 says nothing */
export function manifestOf(members: readonly Member[], recipients?: readonly string[]): string {
  const entries = members.map(({ name, text = '' }) => {
    const content = Buffer.from(text, 'latin1');
    return { name, bytes: content.length, sha256: createHash('sha256').update(content).digest('hex') };
  });
  return JSON.stringify({ ...(recipients === undefined ? {} : { recipients }), entries });
}

/** What whoever has the recipient can write. */
export async function forge(file: string, members: Iterable<Member>, recipient: string): Promise<void> {
  const archive = pack();
  const read = buffer(Readable.from(archive));
  for (const { text = '', ...header } of members) archive.entry(header, Buffer.from(text, 'latin1'));
  archive.finalize();
  const encrypter = new Encrypter();
  encrypter.addRecipient(recipient);
  writeFileSync(file, await encrypter.encrypt(await read));
}
