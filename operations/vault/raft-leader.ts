/** Whether the Vaults of several hosts have a leader, without which none of them answers requests. */
import { messageOf } from '../lib/errors';
import { GiveUp, NotYet } from '../lib/wait';
import type { VaultClient } from './vault-client';

/** Vaults that are a majority elect a leader within some seconds. */
const ELECTION_LIMIT_MS = 15_000;

/**
 * An attempt for `waitFor` that ends when the Vaults have no leader: where none of them ran before, as after `./scripts/down`,
 * the deploy comes to a majority of them only later.
 *
 * @param vaults all of them
 * @param limitMs how long an election may take. Default: 15 s
 */
export function unlessLeaderless<T>(
  vaults: readonly VaultClient[],
  attempt: () => Promise<T | NotYet>,
  limitMs = ELECTION_LIMIT_MS,
): () => Promise<T | NotYet | 'no leader'> {
  const began = performance.now();
  return async () => {
    const seen = await attempt().catch(notYet);
    if (!(seen instanceof NotYet) || performance.now() - began < limitMs) return seen;
    const leaders = await Promise.all(vaults.map(async (vault) => vault.reachesLeader().catch(() => false)));
    return leaders.includes(true) ? seen : 'no leader';
  };
}

function notYet(error: unknown): NotYet {
  if (error instanceof GiveUp) throw error;
  return new NotYet(messageOf(error));
}
