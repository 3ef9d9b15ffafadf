import { readFileSync } from 'node:fs';
import { messageOf, UsageError } from '../lib/errors';
import { Secret } from '../lib/secret';

/** A token of Vault, and where it was found, for messages. */
export interface FoundToken {
  readonly token: Secret;
  readonly source: string;
}

/**
 * The token of the deploy: from a file, or else VAULT_TOKEN.
 *
 * @throws UsageError if there is none
 */
export function readVaultToken(tokenFile: string | undefined): FoundToken {
  const found = readTokenFrom('VAULT_TOKEN', tokenFile);
  if (found !== undefined) return found;
  throw new UsageError(
    `${tokenFile ?? 'VAULT_TOKEN'}: must hold a token of the external Vault, got nothing`,
    'log in (vault login -no-store -token-only …), and export VAULT_TOKEN or write the file that vault.tokenFile names',
  );
}

/** A token from a file if one is named, or else from a variable. */
export function readTokenFrom(variable: string, file: string | undefined): FoundToken | undefined {
  if (file === undefined) return nonEmpty(process.env[variable], variable);
  try {
    return nonEmpty(readFileSync(file, 'utf8'), file);
  } catch (error) {
    throw new UsageError(`${file}: cannot be read: ${messageOf(error)}`, `write the token into it, or set ${variable}`);
  }
}

function nonEmpty(text: string | undefined, source: string): FoundToken | undefined {
  const token = text?.trim() ?? '';
  return token === '' ? undefined : { token: new Secret(token), source };
}
