/** Whether an embedded Vault that a seal opens would open again. */
import { existsSync } from 'node:fs';
import { z } from 'zod';
import { declaredSeal, describeSeal, sealAccess } from '../../../config/vault/seal';
import { embeddedVault } from '../../../config/vault/vault';
import { ExternalError } from '../../lib/errors';
import { everyShare } from '../../state/notes/seal-note';
import { requireUsableSeal, type SealToken } from '../../vault/seal';
import { CheckFailure, hasVault, type ServiceCheck, type ServiceContext } from '../check';
import { withVault } from './vault';

/** A token that no renewal keeps alive must be replaced by a person. */
const DAYS_TO_REPLACE = 14;

const backendStatus = z.object({ healthy: z.boolean(), unhealthy_since: z.string().optional() });

const vaultSeal: ServiceCheck = {
  from: 'deployment',
  needs: 'none',
  id: 'vault-seal',
  title: 'The seal of Vault answers, and no unseal share is left',
  proves:
    'The key that opens Vault encrypts and decrypts for the token that Vault has, Vault itself can use it, the token is ' +
    'kept alive, and no file of an unseal share is in the state folder.',
  doesNotProve:
    'That the way from Vault to its seal is open at the next start, or that older backups hold no unseal share.',
  severity: 'high',
  skipReason: (environment) => {
    const vault = embeddedVault(environment);
    if (vault === undefined) return 'the environment has no Vault of its own';
    return declaredSeal(vault) === undefined ? 'unseal shares open Vault' : undefined;
  },
  run: async (context) => {
    const { environment, state, argument } = context.loaded;
    const vault = embeddedVault(environment);
    const seal = vault === undefined ? undefined : declaredSeal(vault);
    if (vault === undefined || seal === undefined) throw new Error('no seal is declared');
    const access = sealAccess(seal);
    const { ttl, periodic } = await asked(() => requireUsableSeal(access));
    const evidence = { seal: describeSeal(access), tokenSeconds: ttl, periodic };
    if (ttl > 0 && !periodic && ttl < DAYS_TO_REPLACE * 86_400) {
      throw new CheckFailure(
        `the token of the seal ends in ${Math.floor(ttl / 3600)} h, and cannot be renewed for ever`,
        `make one with -period, write it into the file that vault.unseal.tokenFile names, then ./scripts/up ${argument}`,
        evidence,
      );
    }
    const unhealthySince = await asVaultSees(context);
    if (unhealthySince !== undefined) {
      throw new CheckFailure(
        `Vault cannot use its seal since ${unhealthySince}, although it answers from here`,
        'see whether the network of Vault reaches that address; do not restart Vault before',
        evidence,
      );
    }
    const left = everyShare(state.secret.unsealShare(1)).filter((file) => existsSync(file));
    if (left.length > 0 && !seal.leave) {
      throw new CheckFailure(
        `unseal shares are left: ${left.join(', ')}`,
        `./scripts/up ${argument} ends the change to the seal, which replaces them`,
        evidence,
      );
    }
    return evidence;
  },
};

/** In the order in which they are reported. */
export const sealChecks: readonly ServiceCheck[] = [vaultSeal];

async function asked(ask: () => Promise<SealToken>): Promise<SealToken> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof ExternalError)) throw error;
    throw new CheckFailure(error.message, error.hint);
  }
}

/** Since when Vault says that it cannot use its seal; undefined if it can, or if it does not answer. */
async function asVaultSees(context: ServiceContext): Promise<string | undefined> {
  if (!hasVault(context)) return undefined;
  try {
    return await withVault(context, async (vault) => {
      const { healthy, unhealthy_since: since } = backendStatus.parse(await vault.read('sys/seal-backend-status'));
      return healthy ? undefined : (since ?? 'its last look');
    });
  } catch {
    return undefined;
  }
}
