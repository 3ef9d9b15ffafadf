/**
 * The gate behind each Vault of several: the deploy goes on to the next one when this one is a healthy voter of the raft
 * again, beside every other that answers. Vault counts a node as a voter ten to twenty seconds after it joined: in a raft
 * that has just begun, the last Vault alone is waited for.
 *
 * Where none of them runs yet, as after `./scripts/down`, the first ones find no leader and are not waited for.
 */
import { z } from 'zod';
import type { OperationInput } from '../../config/operation-inputs';
import { ExternalError, messageOf } from '../lib/errors';
import { readSecret, type Secret } from '../lib/secret';
import { GiveUp, NotYet, waitFor } from '../lib/wait';
import { provideTokens, readShares } from './initialize-vault';
import { unlessLeaderless } from './raft-leader';
import { waitUntilServing } from './unseal-vault';
import { VaultClient, VaultError } from './vault-client';

type Input = OperationInput<'await-vault-node'>;

const UNSEALED_LIMIT_MS = 120_000;
const VOTER_LIMIT_MS = 120_000;
/** A peer that is away must not hold up every look. */
const PEER_LIMIT_MS = 2_000;

const autopilotState = z.object({
  data: z.object({
    leader: z.string().optional(),
    failure_tolerance: z.number().default(0),
    servers: z
      .record(z.string(), z.object({ healthy: z.boolean(), status: z.string() }))
      .nullish()
      .transform((servers) => servers ?? {}),
  }),
});
export type AutopilotState = z.infer<typeof autopilotState>['data'];

export async function awaitVaultNode(input: Input): Promise<void> {
  const vault = new VaultClient(input.endpoint);
  const peers = input.peers.map(({ raftNode, ...endpoint }) => ({ raftNode, vault: new VaultClient(endpoint) }));
  const others = peers.map((peer) => peer.vault);
  try {
    const unsealed = await waitUntilUnsealed(vault, others, input);
    const serves = unsealed === 'no leader' ? unsealed : await waitUntilServing(vault, others, electionLimit(input));
    if (serves === 'no leader') {
      process.stderr.write(
        `Vault on host ${input.host} is not waited for: too few of the others run to elect a leader\n`,
      );
      return;
    }
    if (input.initialization !== undefined) await provideTokens(vault, input.initialization);
    const token = readSecret(input.tokenFile);
    if (token === undefined) {
      throw new ExternalError(
        `there is no token in ${input.tokenFile}, by which the raft of Vault is asked`,
        'the first Vault makes it when it is initialised; run the deploy again',
      );
    }
    await waitUntilVoter(vault.withToken(token), peers, input);
  } finally {
    for (const client of [vault, ...others]) client.close();
  }
}

async function waitUntilUnsealed(
  vault: VaultClient,
  others: readonly VaultClient[],
  input: Input,
): Promise<true | 'no leader'> {
  const shares = readShares(input).slice(0, input.threshold);
  return waitFor(
    {
      what: `Vault on host ${input.host} to be unsealed`,
      timeoutMs: UNSEALED_LIMIT_MS,
      intervalMs: 500,
      hint: `\`docker logs\` of Vault and of its unsealer on host ${input.host} say why; ./scripts/unseal takes shares from a person`,
    },
    unlessLeaderless(
      [vault, ...others],
      async () => {
        const { initialized, sealed } = await vault.sealStatus();
        if (!initialized) {
          if (input.isLast && (await areEmpty(others))) {
            throw new GiveUp(
              new ExternalError(
                'the Vaults of all hosts are empty, and this environment had one before: their volumes were lost or replaced',
                'attach the volumes again; or remove the containers and data volumes of Vault on every host, and run ./scripts/restore',
              ),
            );
          }
          return new NotYet('it has not joined the others');
        }
        if (!sealed) return true;
        if (shares.length < input.threshold) return new NotYet('it is sealed');
        return unseal(vault, shares);
      },
      electionLimit(input),
    ),
  );
}

/** The first of a new environment was initialised before. One that does not answer may hold the keys. */
async function areEmpty(vaults: readonly VaultClient[]): Promise<boolean> {
  const seen = await Promise.all(
    vaults.map((vault) =>
      vault.sealStatus(PEER_LIMIT_MS).then(
        ({ initialized }) => !initialized,
        () => false,
      ),
    ),
  );
  return !seen.includes(false);
}

/** After the last one there are no others to come. */
const electionLimit = ({ isLast }: Input): number | undefined => (isLast ? Infinity : undefined);

/** A node that has not joined refuses shares: "Vault is not initialized". */
async function unseal(vault: VaultClient, shares: readonly Secret[]): Promise<true | NotYet> {
  try {
    for (const share of shares) if (!(await vault.unseal(share)).sealed) return true;
    return new NotYet('it is sealed');
  } catch (error) {
    return new NotYet(`it refuses its unseal shares: ${messageOf(error)}`);
  }
}

async function waitUntilVoter(
  vault: VaultClient,
  peers: readonly { readonly raftNode: string; readonly vault: VaultClient }[],
  input: Input,
): Promise<void> {
  try {
    const tolerance = await waitFor(
      {
        what: `Vault on host ${input.host} to be a healthy voter of the raft`,
        timeoutMs: VOTER_LIMIT_MS,
        intervalMs: 500,
        hint: `\`docker logs\` of Vault on host ${input.host} says what keeps it; see whether the hosts reach each other on Vault's ports`,
      },
      async () => {
        const [{ data }, answering] = await Promise.all([
          vault.read('sys/storage/raft/autopilot/state').then((answer) => autopilotState.parse(answer), unlessRefused),
          Promise.all(peers.map(async (peer) => ((await answers(peer.vault)) ? [peer.raftNode] : []))),
        ]);
        return judgeRaft(data, input, answering.flat());
      },
    );
    process.stderr.write(
      tolerance === 'joined'
        ? `Vault on host ${input.host} has joined the raft, which has just begun\n`
        : `Vault on host ${input.host} is a voter; the raft stands the loss of ${tolerance}\n`,
    );
  } finally {
    vault.close();
  }
}

/** What a token may do does not change by waiting. */
function unlessRefused(error: unknown): never {
  throw error instanceof VaultError && error.status === 403 ? new GiveUp(error) : error;
}

async function answers(vault: VaultClient): Promise<boolean> {
  try {
    return (await vault.sealStatus(PEER_LIMIT_MS)).initialized;
  } catch {
    return false;
  }
}

/**
 * @param answering raft nodes of the other Vaults that answer; one that is away must not hold up the deploy
 * @returns how many voters may be lost, once all that answer are healthy voters; `joined` for one that is not, and need not be
 */
export function judgeRaft(
  state: AutopilotState,
  { raftNode: own, isLast }: Pick<Input, 'raftNode' | 'isLast'>,
  answering: readonly string[],
): number | 'joined' | NotYet {
  if (state.leader === undefined || state.leader === '') return new NotYet('the raft has no leader');
  // voters that were lost stay in the list, so one alone has had no others yet
  const voters = Object.values(state.servers).filter(({ status }) => VOTERS.includes(status));
  if (voters.length === 1 && !isLast && state.servers[own]?.healthy === true) return 'joined';
  for (const name of [own, ...answering]) {
    const server = state.servers[name];
    if (server === undefined) {
      // one that answers and was never in the raft, joins it when the deploy comes to its host
      if (name !== own) continue;
      return new NotYet(`${name} is not in the raft`);
    }
    if (!server.healthy) return new NotYet(`${name} is not healthy`);
    if (!VOTERS.includes(server.status)) return new NotYet(`${name} is a ${server.status}`);
  }
  return state.failure_tolerance;
}

const VOTERS: readonly string[] = ['leader', 'voter'];
