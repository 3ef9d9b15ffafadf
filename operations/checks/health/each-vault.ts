/** Each Vault of several hosts: one that serves nothing is missed only when another goes, too. */
import { embeddedVault } from '../../../config/vault/vault';
import { nodesOf, vaultNodes } from '../../../config/node';
import { vaultNodeEndpoint } from '../../../config/state/endpoints';
import type { LoadedEnvironment } from '../../state/load';
import { VaultClient } from '../../vault/vault-client';

/** One that is away must not hold up the others. */
const ANSWER_LIMIT_MS = 3_000;

export interface SeenVault {
  /** Name of its host. */
  readonly host: string;
  readonly container: string;
  readonly state: 'serves' | 'sealed' | 'not joined' | 'without active';
}

/** What the Vaults of several hosts are, but for those that do not answer: `services-running` names them. */
export async function seenVaults({ environment, state }: LoadedEnvironment): Promise<SeenVault[]> {
  const vault = embeddedVault(environment);
  if (vault === undefined) return [];
  const seen = vaultNodes(nodesOf(environment)).map(async (node): Promise<SeenVault[]> => {
    const {
      host,
      vault: { container },
    } = node;
    if (host === undefined) return [];
    const client = new VaultClient(vaultNodeEndpoint(environment, vault, state, node));
    try {
      return [{ host: host.name, container, state: await stateOf(client) }];
    } catch {
      return [];
    } finally {
      client.close();
    }
  });
  return (await Promise.all(seen)).flat();
}

async function stateOf(vault: VaultClient): Promise<SeenVault['state']> {
  const { initialized, sealed } = await vault.sealStatus(ANSWER_LIMIT_MS);
  if (!initialized) return 'not joined';
  if (sealed) return 'sealed';
  // one that hangs while it asks the active one reaches none
  return (await vault.reachesLeader().catch(() => false)) ? 'serves' : 'without active';
}

const SAYS: Readonly<Record<Exclude<SeenVault['state'], 'serves'>, string>> = {
  sealed: 'is sealed',
  'not joined': 'has not joined the others',
  'without active': 'is a standby that reaches no active one',
};

/**
 * What is wrong with those that do not serve, and what mends it; undefined if all do.
 *
 * @param unsealing what unseals one: by shares or by a seal
 */
export function vaultProblem(
  seen: readonly SeenVault[],
  argument: string,
  unsealing: string,
): { readonly message: string; readonly fix: string } | undefined {
  const poor = seen.flatMap(({ state, ...vault }) => (state === 'serves' ? [] : [{ ...vault, state }]));
  if (poor.length === 0) return undefined;
  const restarts = poor
    .filter(({ state }) => state === 'without active')
    .map(({ host, container }) => `\`docker restart ${container}\` on host ${host}`);
  return {
    message: poor.map(({ host, state }) => `Vault on host ${host} ${SAYS[state]}`).join('; '),
    fix: [
      ...(poor.some(({ state }) => state === 'sealed') ? [unsealing] : []),
      ...(restarts.length > 0 ? [`${restarts.join(', then ')}, one after the other has been unsealed`] : []),
      ...(poor.some(({ state }) => state === 'not joined')
        ? [`./scripts/up ${argument} waits until it has joined, and says what keeps it`]
        : []),
    ].join('; '),
  };
}
