/** What a restore asks of the key store before anything is touched: it can write its keys there, and lacks none. */
import { vaultVariables } from '../../../config/vault/external-vault';
import { declaredPlace, samePlace } from '../../../config/keys/key-store-place';
import { readKeyStoreNote } from '../../state/notes/key-store-note';
import type { LoadedEnvironment } from '../../state/load';
import { ExternalError } from '../../lib/errors';
import type { KeyMaterial } from '../../keys/material/key-material';
import { openKeyMaterial } from '../../keys/material/open';
import { deleted, type KeyInVault, keyInVault, type Problem } from '../../keys/lost-keys';
import { VaultError } from '../../vault/vault-client';

/** A key store that was not restored yet. */
export interface KeyStoreBefore {
  /** With the rights of KES; undefined if the key store refuses the login. */
  readonly open: () => Promise<KeyMaterial | undefined>;
  /** What Vault says about a key to whoever may not read it. */
  readonly look: (key: string) => Promise<KeyInVault | undefined>;
}

export function keyStoreBefore(target: LoadedEnvironment): KeyStoreBefore {
  const { environment, state } = target;
  return {
    open: async () => {
      try {
        const place = readKeyStoreNote(state)?.place;
        // how KES logs in is kept for the place where its keys are
        if (place === undefined || !samePlace(place, declaredPlace(environment, vaultVariables(process.env)))) {
          return undefined;
        }
        return await openKeyMaterial(target);
      } catch {
        // it is down, sealed or lost, or its note is: what the restore is there for
        return undefined;
      }
    },
    look: (key) => keyInVault(environment, state, key),
  };
}

export interface KeysToRestore {
  /** The environment file. */
  readonly file: string;
  /** When the backup was made. */
  readonly createdAt: string;
  readonly backedUp: ReadonlyMap<string, Buffer>;
  /** Keys of which none may be made anew. */
  readonly needed: readonly string[];
  /** Absent if the key store refuses the login. */
  readonly material: KeyMaterial | undefined;
  readonly look: KeyStoreBefore['look'];
  /** Whether Vault may refuse to say: its policies come with the restore, too, and it is asked again after them. */
  readonly beforehand: boolean;
}

/** @throws ExternalError if needed keys are lost, or a key cannot be written */
export async function requireWritableKeys(keys: KeysToRestore): Promise<void> {
  const { backedUp, look, file, createdAt } = keys;
  const problems: Problem[] = [];
  const lost: string[] = [];
  for (const key of new Set([...backedUp.keys(), ...keys.needed])) {
    const own = backedUp.get(key);
    const present = await presentKey(keys, key);
    if (Buffer.isBuffer(present)) {
      if (own?.equals(present) === false) problems.push(another(key, await look(key)));
      continue;
    }
    const seen = await look(key);
    if (seen?.kind === 'deleted') problems.push(deleted(`master key ${key}`, seen));
    else if (own !== undefined && seen?.kind === 'destroyed') problems.push(destroyed(key, seen.remove));
    else if (own === undefined && (present === 'none' || isMissing(seen))) lost.push(key);
  }
  if (lost.length > 0) throw lostKeys(lost, file, createdAt);
  if (problems.length > 0) {
    throw new ExternalError(
      problems.map(({ said }) => said).join('; '),
      `${problems.map(({ hint }) => hint).join('; ')}. Then run the restore again`,
    );
  }
}

/** @returns undefined if it cannot be told */
async function presentKey({ material, beforehand }: KeysToRestore, key: string): Promise<Buffer | 'none' | undefined> {
  if (material === undefined) return undefined;
  try {
    return (await material.read(key)) ?? 'none';
  } catch (error) {
    if (beforehand && error instanceof VaultError) return undefined;
    throw error;
  }
}

function isMissing(seen: KeyInVault | undefined): boolean {
  return seen !== undefined && seen.kind !== 'there';
}

function another(key: string, seen: KeyInVault | undefined): Problem {
  const how = seen?.kind === 'there' ? `: ${seen.remove}` : '';
  return {
    said: `the key store has another master key ${key} than the backup, and a restore writes over no key`,
    hint: `see which of the two opens your data. If it is that of the backup, keep the other one if anything was written under it, and take it away${how}`,
  };
}

function destroyed(key: string, remove: string): Problem {
  return {
    said: `master key ${key} was destroyed in Vault, and what is left of it keeps the one of the backup from being written`,
    hint: `take away what is left: ${remove}`,
  };
}

/** What a restore says of keys that data may be under, and that are nowhere. */
export function lostKeys(keys: readonly string[], file: string, createdAt: string): ExternalError {
  return new ExternalError(
    `${file} declares master keys that are neither in the backup of ${createdAt} nor in the key store: ${keys.join(', ')}. New keys of their names would make what was written under the lost ones unreadable for ever`,
    `take a newer backup that holds them; if nothing was ever written under them, take them out of ${file}`,
  );
}
