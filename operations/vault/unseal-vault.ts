import type { TlsEndpoint } from '../../config/operation-inputs';
import { ExternalError } from '../lib/errors';
import { type SealStatus, VaultClient } from './vault-client';
import { NotYet, waitFor } from '../lib/wait';
import { unlessLeaderless } from './raft-leader';
import type { Secret } from '../lib/secret';

/** Asked for one share after the other until Vault is unsealed; undefined when there are no more. */
export type NextShare = (status: SealStatus) => Promise<Secret | undefined>;

/** One of several Vaults. */
export interface HostVault {
  /** How a message names its host. */
  readonly host: string;
  readonly endpoint: TlsEndpoint;
}

const ANSWER_LIMIT_MS = 60_000;

/**
 * Unseals one Vault after the other. What keeps one of them sealed does not keep the others.
 *
 * @param sharesOf begins anew for each Vault: they have the same shares
 * @returns `already` if none was sealed
 * @throws ExternalError at the end, with what failed on which host
 */
export async function unsealVaults(
  vaults: readonly HostVault[],
  sharesOf: () => NextShare,
  answerLimitMs = ANSWER_LIMIT_MS,
): Promise<'already' | 'unsealed'> {
  const open: string[] = [];
  const failed: { readonly host: string; readonly error: ExternalError }[] = [];
  let result: 'already' | 'unsealed' = 'already';
  for (const { host, endpoint } of vaults) {
    try {
      if ((await unsealVault(endpoint, sharesOf(), answerLimitMs)) === 'unsealed') result = 'unsealed';
      open.push(host);
    } catch (error) {
      if (!(error instanceof ExternalError)) throw error;
      failed.push({ host, error });
    }
  }
  const [first] = failed;
  if (first === undefined) return result;
  if (vaults.length === 1) throw first.error;
  throw new ExternalError(
    [
      open.length === 0
        ? 'no Vault is unsealed:'
        : `Vault is unsealed on host ${open.join(', ')}, and not on every host:`,
      ...failed.map(({ host, error }) => `  - host ${host}: ${error.message}`),
    ].join('\n'),
    [...new Set(failed.flatMap(({ error }) => error.hint ?? []))].join('; '),
  );
}

/**
 * Unseals a Vault with shares as they come.
 *
 * @returns `already` if it was not sealed
 */
export async function unsealVault(
  endpoint: TlsEndpoint,
  nextShare: NextShare,
  answerLimitMs = ANSWER_LIMIT_MS,
): Promise<'already' | 'unsealed'> {
  const vault = new VaultClient(endpoint);
  try {
    let status = await waitUntilAnswering(vault, endpoint, answerLimitMs);
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
 * @throws ExternalError if it does not answer in time
 */
export async function waitUntilAnswering(
  vault: VaultClient,
  { url }: TlsEndpoint,
  timeoutMs = ANSWER_LIMIT_MS,
): Promise<SealStatus> {
  return waitFor(
    { what: `Vault at ${url} to answer`, timeoutMs, hint: 'see whether it runs: `docker ps -a` on its host' },
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
