import type { TlsEndpoint } from '../../config/operation-inputs';
import { ExternalError } from '../lib/errors';
import { type SealStatus, VaultClient } from './vault-client';
import { NotYet, waitFor } from '../lib/wait';
import { unlessLeaderless } from './raft-leader';
import type { Secret } from '../lib/secret';

/**
 * Unseals a Vault with shares as they come.
 *
 * @param nextShare asked for one share after the other until Vault is unsealed; undefined when there are no more
 * @returns `already` if it was not sealed
 */
export async function unsealVault(
  endpoint: TlsEndpoint,
  nextShare: (status: SealStatus) => Promise<Secret | undefined>,
): Promise<'already' | 'unsealed'> {
  const vault = new VaultClient(endpoint);
  try {
    let status = await waitUntilAnswering(vault, endpoint);
    if (!status.initialized) {
      throw new ExternalError(`Vault at ${endpoint.url} is not initialised`, './scripts/up initialises it');
    }
    if (!status.sealed) return 'already';
    while (status.sealed) {
      const share = await nextShare(status);
      if (share === undefined) {
        throw new ExternalError(
          `Vault is still sealed: ${status.progress} of the ${status.t} shares that it needs were given`,
          'run it again with more shares',
        );
      }
      status = await vault.unseal(share);
    }
    return 'unsealed';
  } finally {
    vault.close();
  }
}

/** What `sys/health` answers on a node that is unsealed and not active. */
const STANDBY = 429;

/**
 * Waits for a Vault whose container has just started.
 *
 * @throws ExternalError if it does not answer within a minute
 */
export async function waitUntilAnswering(vault: VaultClient, { url }: TlsEndpoint): Promise<SealStatus> {
  return waitFor(
    { what: `Vault at ${url} to answer`, timeoutMs: 60_000, hint: 'see whether it runs: docker ps -a' },
    () => vault.sealStatus(),
  );
}

/**
 * Waits until an unsealed Vault serves requests: it becomes the active node a moment later.
 *
 * @param hasOthers whether it may as well be a standby that reaches the active one: it sends requests on
 */
export async function waitUntilActive(vault: VaultClient, hasOthers = false): Promise<void> {
  const what = 'Vault to be unsealed and active';
  await waitFor({ what, timeoutMs: 60_000 }, async () => serving(vault, hasOthers));
}

/** The same for one of several, unless they have no leader: see {@link unlessLeaderless}. */
export async function waitUntilServing(
  vault: VaultClient,
  others: readonly VaultClient[],
  electionLimitMs?: number,
): Promise<true | 'no leader'> {
  return waitFor(
    {
      what: 'Vault to be active, or a standby of the active one',
      timeoutMs: 60_000,
      hint: 'a majority must have its volume, run and be unsealed: `docker logs` of Vault on each host; if their volumes are lost: ./scripts/restore',
    },
    unlessLeaderless([vault, ...others], async () => serving(vault, true), electionLimitMs),
  );
}

/** Whether Vault serves requests, see {@link waitUntilActive}. */
export async function serving(vault: VaultClient, hasOthers: boolean): Promise<true | NotYet> {
  const health = await vault.health();
  const serves = health === 200 || (hasOthers && health === STANDBY && (await vault.reachesLeader()));
  return serves ? true : new NotYet(`sys/health answers ${health}`);
}
