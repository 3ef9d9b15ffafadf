import { inspect } from 'node:util';
import { z } from 'zod';
import { readIfExists } from './files';

/** What a secret is printed as. */
const HIDDEN = '[secret]';

/**
 * A token, a SecretID, an unseal share, a secret key: nothing that prints, serializes or compares it shows it. `reveal` is for the place
 * where it leaves the program: a header, a request, a file of the secrets folder.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  equals(other: Secret): boolean {
    return this.#value === other.#value;
  }

  toString(): string {
    return HIDDEN;
  }

  toJSON(): string {
    return HIDDEN;
  }

  [inspect.custom](): string {
    return HIDDEN;
  }
}

/** The secret in a field of a file or an answer: text that is not empty. */
export const secretText = z
  .string()
  .min(1)
  .transform((value) => new Secret(value));

/** The secret in a file, without line breaks around it; undefined if there is no such file. */
export function readSecret(file: string): Secret | undefined {
  const text = readIfExists(file)?.trim();
  return text === undefined ? undefined : new Secret(text);
}
