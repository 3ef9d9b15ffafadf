/**
 * Which seal opens the embedded Vault. With another one, or with none, Vault does not start: an edited environment file is
 * refused before a container is touched.
 */
import { z } from 'zod';
import type { Environment } from '../../../config/environment';
import { isInEmbeddedVault } from '../../../config/keys/key-store-place';
import type { SealAccess } from '../../../config/operation-inputs';
import type { StateLayout } from '../../../config/state/layout';
import { describeSeal, sealAccess, type SealIdentity } from '../../../config/vault/seal';
import { embeddedVault } from '../../../config/vault/vault';
import { UsageError } from '../../lib/errors';
import { readIfExists, writeFileAtomically } from '../../lib/files';
import { readKeyStoreNote } from './key-store-note';

const version = z.literal(1);
const note = z.discriminatedUnion('type', [
  z.strictObject({
    version,
    type: z.literal('transit'),
    url: z.string(),
    namespace: z.string().optional(),
    mount: z.string(),
    key: z.string(),
  }),
  z.strictObject({
    version,
    type: z.literal('awskms'),
    region: z.string(),
    endpoint: z.string().optional(),
    key: z.string(),
  }),
]);
export type SealNote = z.infer<typeof note>;

/** Undefined where unseal shares open Vault. */
export function readSealNote({ vaultSeal }: Pick<StateLayout, 'vaultSeal'>): SealNote | undefined {
  const text = readIfExists(vaultSeal);
  return text === undefined ? undefined : parseSealNote(text);
}

export function parseSealNote(text: string): SealNote {
  // the first ones did not say it, and a backup may hold one
  return note.parse({ type: 'transit', ...(JSON.parse(text) as object) });
}

export function writeSealNote(file: string, access: SealAccess): void {
  writeFileAtomically(file, `${JSON.stringify({ version: 1, ...identityOf(access) }, null, 2)}\n`, 0o644);
}

function identityOf(access: SealAccess): SealIdentity {
  if (access.type === 'awskms') {
    const { credentialsFile: _, caFile: __, ...identity } = access;
    return identity;
  }
  const { tokenFile: _, caFile: __, ...identity } = access;
  return identity;
}

/** The shares that Vault knows: unseal shares, or recovery shares, which open nothing, where a seal opens it. */
export type ShareKind = 'unseal' | 'recovery';

export function shareKind(state: StateLayout): ShareKind {
  return readSealNote(state) === undefined ? 'unseal' : 'recovery';
}

/** The files of the shares that are in force. */
export function shareFiles(state: StateLayout, count: number): string[] {
  const file = shareKind(state) === 'unseal' ? state.secret.unsealShare : state.secret.recoveryShare;
  return Array.from({ length: count }, (_, index) => file(index + 1));
}

/** Vault makes so many shares at most: `vault.shares`. */
const MOST_SHARES = 10;

/**
 * The files of all shares of a kind that there may be, also of an earlier declaration of more shares.
 *
 * @param first file of share 1
 */
export function everyShare(first: string): string[] {
  return Array.from({ length: MOST_SHARES }, (_, index) => first.replace(/1$/, String(index + 1)));
}

/** @throws UsageError if the environment file declares another seal than the one that is in force */
export function requireSameSeal(environment: Environment, state: StateLayout): void {
  const vault = embeddedVault(environment);
  const present = readSealNote(state);
  if (vault === undefined || present === undefined) return;
  // a Vault that the keys have left says nothing about the one to come
  const place = readKeyStoreNote(state)?.place;
  if (place !== undefined && !isInEmbeddedVault(place)) return;
  const { unseal } = vault;
  const got = typeof unseal === 'string' ? unseal : describeSeal(sealAccess(unseal));
  if (got === describeSeal(present)) return;
  throw new UsageError(
    `vault.unseal: the Vault of environment ${environment.name} is opened by ${describeSeal(present)}, got: ${got}`,
    'declare that seal with leave: true, and deploy; then declare what you want, and deploy again. Without its seal Vault does not start; nothing was changed',
  );
}
