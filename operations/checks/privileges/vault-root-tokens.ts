/** Root tokens that were left in Vault. Each is everything, and does not expire. */
import { z } from 'zod';
import { VaultError } from '../../vault/vault-client';
import { CheckFailure, type VaultCheck } from '../check';
import { someOf } from '../drift/differences';
import { readData, withoutOwnVault, withProvisioner } from '../health/vault';

/** A task for which a root token was made has ended by then, and the token with it. */
const IN_USE_MS = 60 * 60 * 1000;

const accessors = z.object({ keys: z.array(z.string()) });
const self = z.object({ accessor: z.string() });
const token = z.object({ data: z.object({ policies: z.array(z.string()), creation_time: z.number() }) });

export const vaultRootTokens: VaultCheck = {
  from: 'vault',
  id: 'vault-root-tokens',
  title: 'No root token was left in Vault',
  proves: 'Vault knows no token with the policy root that is older than an hour.',
  doesNotProve: 'That there is no younger one. With the unseal shares a new one can be made at any time.',
  severity: 'high',
  skipReason: withoutOwnVault,
  run: async (context) =>
    withProvisioner(context, async (vault) => {
      const { keys } = await readData(vault, 'auth/token/accessors?list=true', accessors);
      const { accessor: own } = await readData(vault, 'auth/token/lookup-self', self);
      const roots: string[] = [];
      let known = 0;
      for (const accessor of keys) {
        const found = await unlessEnded(vault.write('auth/token/lookup-accessor', { accessor }), accessor === own);
        if (found === undefined) continue;
        known += 1;
        const { policies, creation_time: seconds } = token.parse(found).data;
        if (!policies.includes('root') || Date.now() - seconds * 1000 < IN_USE_MS) continue;
        roots.push(`one of ${new Date(seconds * 1000).toISOString()} (accessor ${accessor})`);
      }
      const evidence = { tokens: known, rootTokens: roots.length };
      if (roots.length === 0) return evidence;
      throw new CheckFailure(
        `Vault has a root token that was left: ${someOf(roots)}`,
        'find out in the audit log who made it; `vault token revoke -accessor …`, with a root token of `vault operator generate-root` that revokes itself at last',
        evidence,
      );
    }),
};

/** What Vault says of a token; undefined if that ended while the others were looked at. Our own has not. */
async function unlessEnded(answer: Promise<unknown>, own: boolean): Promise<unknown> {
  try {
    return await answer;
  } catch (error) {
    if (!own && error instanceof VaultError && [400, 403, 404].includes(error.status)) return undefined;
    throw error;
  }
}
