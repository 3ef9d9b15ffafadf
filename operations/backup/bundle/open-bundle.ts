/**
 * Opens a backup, which may be anybody's: nothing of it is used before all of it was verified.
 *
 * | what is verified                                             | against                                           |
 * |--------------------------------------------------------------|---------------------------------------------------|
 * | SHA-256 of the file, before anything in it is looked at      | the one that was asked for, if one was            |
 * | the encryption                                               | truncated, altered, another recipient             |
 * | names, kinds, sizes and number of the entries                | the closed list                                   |
 * | the signature of the manifest                                | the signer that was asked for                     |
 * | size and SHA-256 of every entry                              | the manifest                                      |
 * | header, manifest, canaries, master keys                      | their schemas, and each other                     |
 */
import { identityToRecipient } from 'age-encryption';
import { z } from 'zod';
import { opensCanary } from '../../keys/canaries';
import { parseCanaries } from '../../state/notes/canaries';
import { ExternalError } from '../../lib/errors';
import { parsedJson } from '../../lib/text/json';
import { damaged, decrypt, readBounded } from '../age/age-file';
import { ArchiveError, entriesIn } from './archive';
import {
  type Bundle,
  BUNDLE_FORMAT,
  bundleHeader,
  type BundleHeader,
  manifest,
  type Manifest,
  sha256,
  UNSIGNED_FORMAT,
} from './bundle';
import {
  BUCKETS_ENTRY,
  CANARIES_ENTRY,
  ENVIRONMENT_ENTRY,
  HEADER_ENTRY,
  IAM_ENTRY,
  KEY_FOLDER,
  MANIFEST_ENTRY,
  SIGNATURE_ENTRY,
  SETTINGS_ENTRY,
  STATE_FOLDER,
} from './entries';
import { isSignedBy } from '../../lib/ed25519';
import { type Provenance, signatureEntry } from './signature';

/**
 * Opens a bundle and proves that it is one's own and whole, before anything of it is used.
 *
 * @param identities `AGE-SECRET-KEY-…`
 * @throws ExternalError that says what is wrong with it: no backup, another recipient, truncated, altered, by somebody
 *   else, another format, something in it that no backup has
 */
export async function openBundle(file: string, identities: readonly string[], provenance: Provenance): Promise<Bundle> {
  return openFor(file, identities, await Promise.all(identities.map(identityToRecipient)), provenance);
}

/** @param recipients of which one must be among those that the bundle says that it is for */
export async function openFor(
  file: string,
  identities: readonly string[],
  recipients: readonly string[],
  provenance: Provenance,
): Promise<Bundle> {
  const encrypted = await readBounded(file);
  const digest = sha256(encrypted);
  if (provenance.sha256 !== undefined && provenance.sha256 !== digest) {
    throw new ExternalError(
      `${file} has SHA-256 ${digest}, and ${provenance.sha256} was asked for`,
      'it is another file than the one that was noted: take another copy of it',
    );
  }
  const archive = await decrypt(file, encrypted, identities);
  try {
    const entries = await entriesIn(archive);
    const header = headerIn(file, entries);
    const signer = provenSigner(entries, provenance, header.environment);
    const list = manifestIn(entries, header);
    if (list.recipients?.some((recipient) => recipients.includes(recipient)) === false) {
      throw new Foreign('was made for other recipients than the given identity, and encrypted again for it');
    }
    requireWhole(entries, list);
    return { header, sha256: digest, ...(signer === undefined ? {} : { signer }), ...contentsIn(entries, header) };
  } catch (error) {
    throw explained(file, error);
  }
}

function explained(file: string, error: unknown): unknown {
  if (error instanceof ArchiveError) return damaged(file, error.message, error);
  if (error instanceof NotWhole) {
    return new ExternalError(`${file} is no whole backup: ${error.message}`, 'take another copy, or an older backup');
  }
  if (error instanceof Foreign) return new ExternalError(`${file} ${error.message}`, error.hint);
  return error;
}

/** That another signer made it, as the end of a sentence about it. */
class Foreign extends Error {
  readonly hint: string;

  constructor(message: string, hint = 'it is not restored: take the backup that your deployment has made') {
    super(message);
    this.hint = hint;
  }
}

/** @returns undefined where none was asked for */
function provenSigner(
  entries: ReadonlyMap<string, Buffer>,
  { signers, sha256 }: Provenance,
  environment: string,
): string | undefined {
  if (signers.length === 0 && sha256 !== undefined) return undefined;
  if (!entries.has(SIGNATURE_ENTRY)) {
    throw new Foreign(
      'is not signed: it is older than signatures, or not of your deployment',
      'if you have its SHA-256 as it was noted when it was made, give that in the place of a signer: --sha256 HEX',
    );
  }
  const signature = parsed(SIGNATURE_ENTRY, signatureEntry, jsonIn(entries, SIGNATURE_ENTRY));
  const known = signers.filter(({ publicKey }) => publicKey === signature.signer);
  if (known.length === 0) {
    const asked = signers.map(({ publicKey }) => publicKey).join(' or ');
    throw new Foreign(`is signed by ${signature.signer}, and ${asked} was asked for`);
  }
  if (!isSignedBy(signature.signer, entry(entries, MANIFEST_ENTRY), signature)) {
    throw new Foreign(`was altered: the signature in it is not that of ${signature.signer}`);
  }
  const environments = known.map((signer) => signer.environment ?? environment);
  if (environments.includes(environment)) return signature.signer;
  throw new Foreign(`is of environment ${environment}, and signed by that of ${environments.join(', ')}`);
}

/** What is missing or does not fit, as the end of a sentence. */
class NotWhole extends Error {}

function headerIn(file: string, entries: ReadonlyMap<string, Buffer>): BundleHeader {
  const header = jsonIn(entries, HEADER_ENTRY);
  const format = z.object({ format: z.number() }).safeParse(header).data?.format;
  if (format !== undefined && format !== BUNDLE_FORMAT && format !== UNSIGNED_FORMAT) {
    throw new ExternalError(
      `${file} is a backup of format ${format}; this version reads formats ${UNSIGNED_FORMAT} and ${BUNDLE_FORMAT}`,
      'restore it with the version of this project that made it: bundle.json in it says which',
    );
  }
  return parsed(HEADER_ENTRY, bundleHeader, header);
}

function manifestIn(entries: ReadonlyMap<string, Buffer>, { format }: BundleHeader): Manifest {
  const list = parsed(MANIFEST_ENTRY, manifest, jsonIn(entries, MANIFEST_ENTRY));
  if (format !== UNSIGNED_FORMAT && list.recipients === undefined) throw new NotWhole('it does not say for whom it is');
  return list;
}

function requireWhole(entries: ReadonlyMap<string, Buffer>, { entries: list }: Manifest): void {
  for (const { name, bytes, sha256: expected } of list) {
    const content = entries.get(name);
    if (content === undefined) throw new NotWhole(`${JSON.stringify(name.slice(0, 100))} is missing`);
    if (content.length !== bytes || sha256(content) !== expected) throw new NotWhole(`${name} is not what was written`);
  }
  const names = new Set(list.map(({ name }) => name));
  const last = [MANIFEST_ENTRY, SIGNATURE_ENTRY];
  const strange = [...entries.keys()].find((name) => !last.includes(name) && !names.has(name));
  if (strange !== undefined) throw new NotWhole(`${strange} is not in its manifest`);
}

type Contents = Omit<Bundle, 'header' | 'sha256' | 'signer'>;

/** What is in it, by its kind; each kind fits what the others say. */
function contentsIn(entries: ReadonlyMap<string, Buffer>, header: BundleHeader): Contents {
  const masterKeys = below(entries, KEY_FOLDER);
  const canaries = parseCanaries(entry(entries, CANARIES_ENTRY).toString('utf8'));
  if (canaries === undefined) throw new NotWhole(`${CANARIES_ENTRY} is not a file of canaries`);
  const [declared, held] = [[...header.masterKeys].sort(), [...masterKeys.keys()].sort()];
  if (declared.join() !== held.join()) {
    throw new NotWhole(`it is said to hold the master keys ${declared.join(', ')}, and holds ${held.join(', ')}`);
  }
  for (const [name, material] of masterKeys) {
    const canary = Object.hasOwn(canaries, name) ? canaries[name] : undefined;
    if (canary === undefined) throw new NotWhole(`master key ${name} has no canary`);
    if (!opensCanary(material, name, canary)) throw new NotWhole(`master key ${name} does not open its canary`);
  }
  return {
    environmentFile: entry(entries, ENVIRONMENT_ENTRY).toString('utf8'),
    masterKeys,
    canaries,
    stateFiles: below(entries, STATE_FOLDER),
    iam: entry(entries, IAM_ENTRY),
    buckets: entry(entries, BUCKETS_ENTRY),
    settings: entries.get(SETTINGS_ENTRY)?.toString('utf8'),
  };
}

function entry(entries: ReadonlyMap<string, Buffer>, name: string): Buffer {
  const content = entries.get(name);
  if (content === undefined) throw new NotWhole(`there is no ${name} in it`);
  return content;
}

/** The entries of a folder, by their names in it. */
function below(entries: ReadonlyMap<string, Buffer>, folder: string): Map<string, Buffer> {
  const inside = [...entries].filter(([name]) => name.startsWith(folder));
  return new Map(inside.map(([name, content]) => [name.slice(folder.length), content]));
}

function jsonIn(entries: ReadonlyMap<string, Buffer>, name: string): unknown {
  const content = parsedJson(entry(entries, name).toString('utf8'));
  if (content === undefined) throw new NotWhole(`${name} is not JSON`);
  return content;
}

function parsed<T extends z.ZodType>(name: string, schema: T, value: unknown): z.infer<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new NotWhole(`${name} is not right: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`);
}
