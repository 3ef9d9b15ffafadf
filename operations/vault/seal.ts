/** The seal of an embedded Vault: asked here for what Vault asks of it when it starts. */
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { SealAccess, TransitAccess } from '../../config/operation-inputs';
import { describeSeal } from '../../config/vault/seal';
import { ExternalError, messageOf } from '../lib/errors';
import { readIfExists } from '../lib/files';
import { Secret } from '../lib/secret';
import { VaultClient, VaultError } from './vault-client';

const tokenFacts = z.object({
  data: z.object({
    ttl: z.number(),
    num_uses: z.number(),
    renewable: z.boolean().optional(),
    period: z.number().optional(),
  }),
});
const encrypted = z.object({ data: z.object({ ciphertext: z.string() }) });
const decrypted = z.object({ data: z.object({ plaintext: z.string() }) });

/** What the token of a seal is good for; an access key of AWS does not end by itself. */
export interface SealToken {
  /** Seconds until it ends, if it is not renewed; 0: it does not end. */
  readonly ttl: number;
  /** Whether Vault can keep it alive for ever. */
  readonly periodic: boolean;
}

/**
 * Encrypts and decrypts by the key of a seal.
 *
 * @throws ExternalError that names the seal, if it is away or refuses
 */
export async function requireUsableSeal(access: SealAccess): Promise<SealToken> {
  if (access.type === 'transit') return requireUsableTransit(access);
  const { requireUsableKmsKey } = await import('./kms-seal.js');
  await requireUsableKmsKey(access);
  return { ttl: 0, periodic: true };
}

async function requireUsableTransit(access: TransitAccess): Promise<SealToken> {
  const { type: _, tokenFile, mount, key, ...endpoint } = access;
  const what = `the seal of Vault, ${describeSeal(access)},`;
  const vault = new VaultClient(endpoint, readSealToken(tokenFile));
  try {
    const { data: facts } = tokenFacts.parse(await vault.read('auth/token/lookup-self'));
    if (facts.num_uses > 0) {
      throw new ExternalError(
        `the token in ${tokenFile} may be used ${facts.num_uses} more time(s) only`,
        'Vault uses it at each start: make one without -use-limit',
      );
    }
    const plaintext = randomBytes(32).toString('base64');
    const { data: sealed } = encrypted.parse(await vault.write(`${mount}/encrypt/${key}`, { plaintext }));
    const { data: opened } = decrypted.parse(
      await vault.write(`${mount}/decrypt/${key}`, { ciphertext: sealed.ciphertext }),
    );
    if (opened.plaintext !== plaintext)
      throw new ExternalError(`${what} decrypts to something else than was encrypted`);
    return { ttl: facts.ttl, periodic: facts.renewable === true && (facts.period ?? 0) > 0 };
  } catch (error) {
    if (error instanceof VaultError && error.status === 403) {
      throw new ExternalError(
        `${what} refuses the token in ${tokenFile}: ${error.message}`,
        'the token may have ended, may lack a right that ./scripts/policy prints, or the key is not there',
        { cause: error },
      );
    }
    if (error instanceof ExternalError && !(error instanceof VaultError)) throw error;
    throw new ExternalError(
      `${what} does not answer: ${messageOf(error)}`,
      'have it started and unsealed. An embedded Vault that runs works on without it; one that starts does not open',
      { cause: error },
    );
  } finally {
    vault.close();
  }
}

/** Vault takes every byte of the file for the token. */
function readSealToken(file: string): Secret {
  const text = readIfExists(file);
  if (text === undefined || text === '') {
    throw new ExternalError(
      `vault.unseal.tokenFile: ${file} must hold the token of the seal, it is ${text === undefined ? 'not there' : 'empty'}`,
      'docs/seals.md says how the token is made',
    );
  }
  if (/\s/.test(text)) {
    throw new ExternalError(
      `vault.unseal.tokenFile: ${file} must hold the token and nothing else, got a line break or a space, too`,
      `Vault would take it for a part of the token. Remove it: printf %s "$(cat '${file}')" > '${file}.new' && mv '${file}.new' '${file}'`,
    );
  }
  return new Secret(text);
}
