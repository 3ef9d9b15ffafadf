/** The master keys themselves, as the key store holds them: for backup, restore and migration. Everything else asks KES. */
import { ExternalError } from '../../lib/errors';

/** Direct access to one key store, with the rights of KES: read, and write what is not there. */
export interface KeyMaterial {
  /** @returns the bytes of a master key as KES stored them, the same in every key store; undefined if there is none */
  readonly read: (key: string) => Promise<Buffer | undefined>;
  /**
   * Writes a master key where there is none.
   *
   * @returns `same` if this very key is there already
   * @throws ExternalError if another key is there under that name: it is never replaced
   */
  readonly create: (key: string, material: Buffer) => Promise<'created' | 'same'>;
  readonly close: () => Promise<void>;
}

/** What {@link KeyMaterial.create} refuses with. */
export function anotherKey(key: string): ExternalError {
  return new ExternalError(
    `the key store has another master key ${key} than the one that was to be written; it was left as it is`,
    'use another place for the keys, or see which of the two opens your data',
  );
}
