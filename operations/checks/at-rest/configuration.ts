/** What is on the drive of MinIO's own configuration: users, policies, service accounts, settings. */
import { z } from 'zod';
import { masterKeys } from '../../../config/keys/master-keys';
import { retiredKeys } from '../../state/notes/retired-keys';
import { CheckFailure, type FullCheck } from '../check';
import type { ReadableDrive } from '../../minio/drives/drives';
import { assembled, HASH_BYTES, type Shard } from '../../minio/drives/erasure';
import { shardInfo } from '../../minio/drives/xl-meta';
import { type DriveFile, filesBelow, type SearchedDrives, SYSTEM } from './drive';

const MIB = 1024 * 1024;
const LIMIT = 64 * MIB;

export const configurationOnDisk: FullCheck = {
  from: 'deployment',
  id: 'configuration-on-disk',
  title: 'IAM and configuration are encrypted on the drives',
  proves:
    'Every file in which MinIO keeps users, policies, service accounts and its settings, the past ones too, begins with ' +
    'a data key that is sealed under a known master key, and not with plaintext. Only the number of its format may be plain.',
  doesNotProve:
    'That policies, lifecycle rules and default encryption of buckets, names of objects or user metadata are secret: ' +
    'MinIO does not encrypt them. Nothing is deciphered. Of very many files the first ' +
    `${LIMIT / MIB} MiB of a drive are looked at, and of several drives what can be read without one that is away.`,
  severity: 'high',
  run: async ({ loaded, drives }) => {
    const { environment, state } = loaded;
    const known = [...masterKeys(environment), ...retiredKeys(environment, state)];
    const { contents, incomplete, bytes, cutOff, without } = await contentsBelow(drives, `${SYSTEM}/config`, LIMIT);
    if (![...contents.map(({ path }) => path), ...incomplete].some((path) => path.includes('/config.json/'))) {
      throw new Error(`there is no config.json below ${SYSTEM}/config, which MinIO makes when it starts`);
    }
    const sealedUnder: Record<string, number> = {};
    const problems: string[] = [];
    for (const { path, content } of contents) {
      const key = sealingKey(content);
      if (key === undefined && isFormat({ path, content })) continue;
      if (key === undefined) problems.push(`${path} is not encrypted`);
      else if (!known.includes(key))
        problems.push(`${path} is encrypted under ${key}, which is no key of this environment`);
      else sealedUnder[key] = (sealedUnder[key] ?? 0) + 1;
    }
    const evidence = {
      files: contents.length,
      bytes,
      sealedUnder,
      ...(drives.length === 1 ? {} : { drives: drives.map(({ path }) => path) }),
      ...(cutOff ? { searchedOnly: LIMIT } : {}),
      ...(without.length === 0 ? {} : { notOn: without }),
      ...(incomplete.length === 0 ? {} : { notLookedAt: incomplete.length }),
    };
    if (problems.length > 0) {
      throw new CheckFailure(
        problems.join('; '),
        'it was written while MinIO had no KMS, and is written anew only when it changes: ' +
          `\`./scripts/encrypt ${loaded.argument}\` has MinIO write it; change what was secret`,
        evidence,
      );
    }
    return evidence;
  },
};

/** The files of {@link configurationOnDisk} that are not encrypted, by their paths. */
export async function plainConfiguration(drives: readonly ReadableDrive[]): Promise<string[]> {
  const { contents } = await contentsBelow(drives, `${SYSTEM}/config`, LIMIT);
  return contents.filter((file) => sealingKey(file.content) === undefined && !isFormat(file)).map(({ path }) => path);
}

/** `{"version":1}` says nothing, and MinIO writes it once (cmd/iam-store.go, iamFormatFile). */
function isFormat({ path, content }: DriveFile): boolean {
  return path.includes('/iam/format.json/') && /^\{"version":\d+\}$/.test(content.toString('latin1'));
}

/** The name under which MinIO keeps the content of the only version there is, as msgpack has it. */
const ONLY_VERSION = Buffer.from('\u00a4null', 'latin1');

/** Each file of MinIO is a folder with xl.meta, in which small content is as well; large content is in part files. */
const META = '/xl.meta';

/** What MinIO stored in the files of a folder, see {@link contentsOf}. */
export async function contentsBelow(
  drives: readonly ReadableDrive[],
  folder: string,
  limit: number,
): Promise<ReturnType<typeof contentsOf> & Omit<SearchedDrives, 'files'>> {
  for (let tries = 1; ; tries++) {
    const { files, ...rest } = await filesBelow(drives, folder, limit);
    const found = contentsOf(files);
    // drives are read one after the other, and a file may have come or gone meanwhile
    if (found.incomplete.length === 0 || tries === TRIES) return { ...found, ...rest };
  }
}

const TRIES = 3;

/**
 * What MinIO stored in its files, whether a drive holds each as a whole or several hold parts of it.
 *
 * @returns also the files of which a part is on a drive that is away, by their `xl.meta`
 */
export function contentsOf(files: readonly DriveFile[]): {
  readonly contents: readonly DriveFile[];
  readonly incomplete: readonly string[];
} {
  const whole = files.filter(({ drive }) => drive === undefined).flatMap(contentOf);
  const byName = new Map<string, Shard[]>();
  for (const file of files.filter(({ path }) => path.endsWith(META))) {
    const { drive, path, content } = file;
    const info = drive === undefined ? undefined : shardInfo(content);
    if (drive === undefined || info === undefined) continue;
    const part = `${path.slice(0, -META.length)}/${info.folder}/part.1`;
    const bytes = files.find((other) => other.path === part)?.content ?? inlineIn(content);
    const name = path.slice(drive.length + 1);
    byName.set(name, [...(byName.get(name) ?? []), ...(bytes === undefined ? [] : [{ ...info, bytes }])]);
  }
  const contents: DriveFile[] = [];
  const incomplete: string[] = [];
  for (const [path, shards] of byName) {
    const content = assembled(shards);
    if (content === undefined) incomplete.push(path);
    else contents.push({ path, content });
  }
  return { contents: [...whole, ...contents], incomplete };
}

/** What MinIO stored in a file, without the hash in front of it (minio/minio, cmd/xl-storage-format-v2.go). */
export function contentOf({ path, content }: DriveFile): DriveFile[] {
  if (path.endsWith('/part.1')) return [{ path, content: content.subarray(HASH_BYTES) }];
  if (!path.endsWith(META)) return [];
  const inline = inlineIn(content);
  return inline === undefined ? [] : [{ path, content: inline.subarray(HASH_BYTES) }];
}

/** The content that is in an xl.meta itself, with the hash in front of it. */
function inlineIn(content: Buffer): Buffer | undefined {
  for (let at = content.indexOf(ONLY_VERSION); at >= 0; at = content.indexOf(ONLY_VERSION, at + 1)) {
    const start = dataUntilEnd(content, at + ONLY_VERSION.length);
    if (start !== undefined) return content.subarray(start);
  }
  return undefined;
}

/** Where binary data begins whose header, of msgpack, is at this offset, and that ends with the file. */
function dataUntilEnd(content: Buffer, at: number): number | undefined {
  const lengthBytes = { 0xc4: 1, 0xc5: 2, 0xc6: 4 }[content[at] ?? 0];
  if (lengthBytes === undefined || at + 1 + lengthBytes > content.length) return undefined;
  const start = at + 1 + lengthBytes;
  return start + content.readUIntBE(at + 1, lengthBytes) === content.length ? start : undefined;
}

/** How ciphertext of MinIO begins: a byte of version, a length, and JSON (internal/config/crypto.go, Encrypt). */
const VERSION = 1;
const envelope = z.object({
  keyid: z.string().min(1),
  kmskey: z.base64().min(1),
  algorithm: z.string(),
  nonce: z.base64().min(1),
});

/** Name of the master key under which content is encrypted; undefined if it is not. */
export function sealingKey(content: Buffer): string | undefined {
  if (content.length < 5 || content[0] !== VERSION) return undefined;
  const end = 5 + content.readUInt32LE(1);
  if (end >= content.length) return undefined;
  try {
    return envelope.parse(JSON.parse(content.subarray(5, end).toString('utf8'))).keyid;
  } catch {
    return undefined;
  }
}
