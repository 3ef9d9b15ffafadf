/**
 * A SecretID that someone else minted: `POST auth/<mount>/role/<role>/secret-id` with `X-Vault-Wrap-TTL` answers with a
 * wrapping token, which gives the SecretID away exactly once. See docs/adr/0015.
 */
import { z } from 'zod';
import { ExternalError, UsageError } from '../lib/errors';
import { type FoundToken, readTokenFrom } from './vault-token';
import { type VaultClient, VaultError } from './vault-client';
import { Secret } from '../lib/secret';

const WRAPPED_SECRET_ID_VARIABLE = 'VAULT_WRAPPED_SECRET_ID';

const wrappingLookup = z.object({ data: z.object({ creation_path: z.string() }) });
const unwrapped = z.object({ data: z.object({ secret_id: z.string() }) });

/** The wrapping token, from a file or else from VAULT_WRAPPED_SECRET_ID. */
export function readWrappingToken(file: string | undefined): FoundToken | undefined {
  return readTokenFrom(WRAPPED_SECRET_ID_VARIABLE, file);
}

/** What has to be done so that there is a wrapping token. */
export function howToWrap(mintPath: string, settings: { readonly wrappingTokenFile?: string | undefined }): string {
  return (
    `mint one where that is allowed: vault write -wrap-ttl=10m -field=wrapping_token -f ${mintPath}; then hand it over ` +
    `in ${settings.wrappingTokenFile ?? WRAPPED_SECRET_ID_VARIABLE} and deploy again`
  );
}

/**
 * Makes sure that a wrapping token was not used yet and holds a SecretID of this role, without using it up.
 *
 * @param mintPath `auth/<mount>/role/<role>/secret-id`
 * @throws ExternalError if it was used or has expired; UsageError if it holds something else
 */
export async function verifyWrappingToken(vault: VaultClient, wrapping: FoundToken, mintPath: string): Promise<void> {
  let path: string;
  try {
    // asked without the token of the deploy: the route needs none
    path = wrappingLookup.parse(await vault.write('sys/wrapping/lookup', { token: wrapping.token.reveal() })).data
      .creation_path;
  } catch (error) {
    if (!(error instanceof VaultError) || error.status !== 400) throw error;
    throw new ExternalError(
      `the wrapping token in ${wrapping.source} was used already, or has expired`,
      `if neither this pipeline (a run of it may have been killed just after) nor its time explains that, someone else has ` +
        `the SecretID: destroy those that are not ` +
        `known (vault list ${mintPath}, vault write ${mintPath}-accessor/destroy secret_id_accessor=…) and look for ` +
        `sys/wrapping/unwrap in the audit log; then mint another`,
    );
  }
  if (path !== mintPath) {
    throw new UsageError(
      `the wrapping token in ${wrapping.source} must hold an answer of ${mintPath}, got one of ${path}`,
      'it may have been swapped: find out where it comes from; nothing was unwrapped',
    );
  }
}

/** Takes the SecretID out, once and for all. */
export async function unwrapSecretId(vault: VaultClient, wrapping: FoundToken, mintPath: string): Promise<Secret> {
  await verifyWrappingToken(vault, wrapping, mintPath);
  const holder = vault.withToken(wrapping.token);
  try {
    return new Secret(unwrapped.parse(await holder.write('sys/wrapping/unwrap')).data.secret_id);
  } finally {
    holder.close();
  }
}
