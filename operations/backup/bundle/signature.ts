/**
 * By whom a backup was made. age proves that a file is whole, not who wrote it: whoever has the recipient can write one.
 * So a deployment signs its backups with an Ed25519 key of its own, which signs nothing else, and a restore asks for the
 * public half: docs/adr/0040.
 */
import { existsSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import { environmentName } from '../../../config/names';
import type { StateLayout } from '../../../config/state/layout';
import { newSigningKey, PUBLIC_KEY, type SigningKey, signingKeyIn } from '../../lib/ed25519';
import { ExternalError, messageOf, UsageError } from '../../lib/errors';
import { readIfExists, writeFileAtomically } from '../../lib/files';
import { readLastBackup } from '../last-backup';

const PREFIX = 'ed25519:';
/** How a file of identities tells of a signer; the environment is the one whose backups it signs. */
const SIGNER_LINE = /^#\s*signer:\s*(.*)$/;

/** `signature.json`, the last entry of a bundle. */
export const signatureEntry = z.strictObject({
  /** Only a hint: a signature is verified with the key that was asked for. */
  signer: z.string().regex(PUBLIC_KEY),
  /** Over the bytes of `manifest.json`, base64. */
  signature: z.string().regex(/^[A-Za-z0-9+/]{86}==$/),
});

/** Whose backups are taken. */
export interface Signer {
  /** `ed25519:` and the public key, base64. */
  readonly publicKey: string;
  /** The only environment of which it may sign backups. Default: any. */
  readonly environment?: string;
}

/** By what a backup is known to be one's own: by its signer, or by the SHA-256 of its file. One of both is there. */
export interface Provenance {
  readonly signers: readonly Signer[];
  readonly sha256?: string;
}

/** The line with which a signer is kept beside an identity. */
export function signerLine(publicKey: string, environment: string): string {
  return `# signer: ${publicKey} ${environment}`;
}

/**
 * @param given `--signer` and `--sha256`; where there are none, the identity file says whose backups it opens
 * @throws UsageError where neither says it
 */
export function provenance(
  given: { readonly signer?: string | undefined; readonly sha256?: string | undefined },
  identityFile: string,
): Provenance {
  const { signer, sha256 } = given;
  if (sha256 !== undefined && !/^[0-9a-f]{64}$/i.test(sha256)) {
    throw new UsageError(`--sha256: must be 64 hexadecimal digits, got: ${sha256}`);
  }
  const digest = sha256 === undefined ? {} : { sha256: sha256.toLowerCase() };
  if (signer !== undefined) return { signers: readSigners(signer), ...digest };
  if (sha256 !== undefined) return { signers: [], ...digest };
  const signers = signersIn(identityFile, '--identity');
  if (signers.length > 0) return { signers };
  throw new UsageError(
    `--signer: must be given, or stand in ${identityFile} as a line "# signer: ${PREFIX}…", got nothing`,
    'whoever has the recipient can write a backup, and a restore obeys it. ./scripts/backup prints the signer of the ' +
      'deployment; for one file alone, --sha256 HEX as noted when it was made takes its place',
  );
}

function readSigners(given: string): Signer[] {
  if (PUBLIC_KEY.test(given)) return [{ publicKey: given }];
  if (given.startsWith(PREFIX) || !existsSync(given)) {
    throw new UsageError(
      `--signer: must be ${PREFIX} and 44 characters of base64, or a file of such lines, got: ${given}`,
    );
  }
  const signers = signersIn(given, '--signer');
  if (signers.length > 0) return signers;
  throw new UsageError(`--signer: ${given} names no signer (${PREFIX}…)`);
}

/** Lines `# signer: ed25519:… [environment]`, or the same without what stands before the key. */
function signersIn(file: string, option: string): Signer[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`${option}: ${messageOf(error)}`);
  }
  return text.split('\n').flatMap((line, index) => {
    const said = SIGNER_LINE.exec(line.trim())?.[1] ?? (line.startsWith(PREFIX) ? line.trim() : undefined);
    if (said === undefined) return [];
    const [publicKey = '', environment, ...more] = said.split(/\s+/);
    const right = environment === undefined || environmentName.test(environment);
    if (PUBLIC_KEY.test(publicKey) && right && more.length === 0) {
      return [{ publicKey, ...(environment === undefined ? {} : { environment }) }];
    }
    throw new UsageError(
      `${option}: line ${index + 1} of ${file} must name a signer as "# signer: ${PREFIX}… ENVIRONMENT", got: ${said}`,
    );
  });
}

/**
 * The key of a deployment, made with its first backup. The lock of the environment must be held.
 *
 * @param anew makes another one, also where it is gone: what was signed before keeps its signer
 * @throws ExternalError if it is gone, or another than that of the newest backup: restores ask for the old one
 */
export function signingKey(state: StateLayout, anew: boolean): SigningKey {
  const file = state.secret.backupSigningKey;
  const newest = readLastBackup(state);
  const pem = anew ? undefined : readIfExists(file);
  if (pem === undefined) {
    if (newest?.signer !== undefined && !anew) throw lost(`is gone: there is no ${file}`, newest.createdAt);
    const made = newSigningKey();
    writeFileAtomically(file, made.pem);
    return made.key;
  }
  const key = signingKeyIn(pem);
  if (key === undefined) throw new ExternalError(`${file} is not an Ed25519 key in PEM`, 'put it back from a backup');
  if (newest?.signer === undefined || newest.signer === key.publicKey) return key;
  throw lost(`is not the one in ${file}`, newest.createdAt);
}

function lost(what: string, createdAt: string): ExternalError {
  return new ExternalError(
    `the key that signed the backup of ${createdAt} ${what}`,
    'put it back: it is in every backup, as state/secrets/backup/signing.pem. To sign with another key from now on, ' +
      'write --new-signer, and keep the new signer with the identity',
  );
}
