/** The two halves of an age key: whom a backup is for, and who can open it. */
import { Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { existsSync, readFileSync } from 'node:fs';
import { messageOf, UsageError } from '../../lib/errors';
import { writeFileAtomically } from '../../lib/files';

/** What a recipient looks like: X25519, or the post-quantum hybrid. */
const RECIPIENT = /^age1(?:pq1)?[02-9ac-hj-np-z]{58,2000}$/;
const HYBRID = 'age1pq1';
const IDENTITY = /^AGE-SECRET-KEY-(?:PQ-)?1[02-9AC-HJ-NP-Z]+$/;

/**
 * @param given recipients themselves, or files with one on each line
 * @throws UsageError for one that is none, or if there is none at all; an identity that was given by mistake is not repeated
 */
export function readRecipients(given: readonly string[]): string[] {
  const recipients = given.flatMap((value) => (RECIPIENT.test(value) ? [value] : recipientsIn(value)));
  if (recipients.length === 0) {
    throw new UsageError(
      '--recipient: must be given, got nothing',
      'make a key pair with: ./scripts/backup --new-identity FILE',
    );
  }
  for (const recipient of recipients) requireWhole(recipient);
  requireOneKind(recipients);
  return [...new Set(recipients)];
}

/** Whether a recipient withstands a quantum computer. */
export function isHybrid(recipient: string): boolean {
  return recipient.startsWith(HYBRID);
}

/** A recipient has a checksum, by which a slip of the pen is found. */
function requireWhole(recipient: string): void {
  try {
    new Encrypter().addRecipient(recipient);
  } catch (error) {
    throw new UsageError(`--recipient: ${recipient.slice(0, 70)} has a slip in it: ${messageOf(error)}`);
  }
}

/** As age itself has it: a file is as strong as the weakest of its recipients. */
function requireOneKind(recipients: readonly string[]): void {
  const classic = recipients.find((recipient) => !isHybrid(recipient));
  if (classic === undefined || !recipients.some(isHybrid)) return;
  throw new UsageError(
    `--recipient: post-quantum recipients (${HYBRID}…) must not be mixed with others, got also: ${classic}`,
    'whoever breaks the weaker one opens the backup: give recipients of one kind',
  );
}

function recipientsIn(value: string): string[] {
  if (value.startsWith('AGE-SECRET-KEY')) {
    throw new UsageError(
      '--recipient: must be the public half of a key, got the secret one',
      'treat it as disclosed, and make another',
    );
  }
  if (!existsSync(value)) {
    throw new UsageError(`--recipient: must be an age recipient (age1…) or a file of them, got: ${value}`);
  }
  const lines = meaningfulLines(value, '--recipient');
  const wrong = lines.findIndex((line) => !RECIPIENT.test(line));
  if (wrong < 0) return lines;
  throw new UsageError(`--recipient: line ${wrong + 1} of ${value} is no age recipient (age1…)`);
}

/**
 * @param file as age-keygen writes it
 * @throws UsageError if it holds none; its content is never repeated
 */
export function readIdentities(file: string): string[] {
  const lines = meaningfulLines(file, '--identity');
  if (lines.length > 0 && lines.every((line) => IDENTITY.test(line))) return lines;
  throw new UsageError(
    `--identity: ${file} must hold age identities (AGE-SECRET-KEY-1…), one on each line`,
    'it is the file that age-keygen, or ./scripts/backup --new-identity, wrote',
  );
}

/**
 * Makes a key pair; its secret half exists in this file only.
 *
 * @returns the recipient
 * @throws UsageError if the file exists
 */
export async function newIdentity(file: string): Promise<string> {
  if (existsSync(file)) throw new UsageError(`${file} exists already and is not overwritten`, 'name another file');
  const identity = await generateX25519Identity();
  const recipient = await identityToRecipient(identity);
  writeFileAtomically(file, `# created: ${new Date().toISOString()}\n# public key: ${recipient}\n${identity}\n`);
  return recipient;
}

function meaningfulLines(file: string, option: string): string[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`${option}: ${messageOf(error)}`);
  }
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}
