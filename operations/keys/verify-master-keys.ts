import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Environment } from '../../config/environment';
import { kesEndpoint } from '../../config/state/endpoints';
import { kesUrl } from '../../config/docker/reachable';
import { KES_RELOADED } from '../../config/kes/kes-configuration';
import { restoreCall } from '../state/restore-call';
import type { StateLayout } from '../../config/state/layout';
import { nodesOf } from '../../config/node';
import { openCanary } from './canaries';
import { type Canaries, readCanaries } from '../state/notes/canaries';
import { ExternalError, messageOf } from '../lib/errors';
import { NoAnswer } from '../lib/net/http';
import { KesClient, KesError } from '../kes/kes-client';
import { type KeyInVault, keyInVault, missing, type Problem, replaced, unproven, unreadable } from './lost-keys';
import { onEachNode } from '../docker/hosts/each-node';
import { reloadContainer } from '../docker/reload-container';
import { NotYet, waitFor } from '../lib/wait';

/** Every key that cannot be proven is in Vault, so KES need only log in again. */
class NotLetIn extends ExternalError {}

/** What Vault itself says about a key that KES cannot read. */
type Look = (key: string) => Promise<KeyInVault | undefined>;

/** How long a Vault that was just unsealed may take to become active; KES calls it reachable before. */
const ACTIVE_WITHIN_MS = 20_000;

/**
 * Opens the canary of every master key that has one, also of keys that are no longer declared.
 *
 * @param look what Vault says about a key that does not open. @default - Vault is not asked
 * @param restore how a key comes back from a backup
 * @returns `proven`: the keys that were; `unasked`: those that KES lets nobody ask for, as it is with a key that was
 *   declared again since KES read its configuration
 * @throws ExternalError that names every key that is missing, unreadable or no longer the same
 */
export async function proveCanaries(
  prover: KesClient,
  canaries: Canaries,
  look: Look = () => Promise.resolve(undefined),
  restore = './scripts/restore --from BACKUP --identity FILE',
): Promise<{ readonly proven: string[]; readonly unasked: string[] }> {
  const problems: Problem[] = [];
  const proven: string[] = [];
  const unasked: string[] = [];
  const activeBy = performance.now() + ACTIVE_WITHIN_MS;
  for (const [key, canary] of Object.entries(canaries)) {
    const born = `master key ${key}, made on ${canary.bornAt},`;
    const ask = async () => openCanary(prover, key, canary).catch(refusal);
    let verdict = await ask();
    while (verdict instanceof KesError && verdict.status === 502 && performance.now() < activeBy) {
      if ((await look(key))?.kind !== 'no answer') break;
      await delay(500);
      verdict = await ask();
    }
    if (verdict === 'opens') proven.push(key);
    else if (verdict === 'missing') problems.push(missing(born, await look(key), restore));
    else if (verdict === 'damaged') problems.push(unproven(born));
    else if (verdict === 'other') problems.push(replaced(born, await look(key), restore));
    else if (verdict.status === 403) unasked.push(key);
    else problems.push(unreadable(born, verdict, await look(key), restore));
  }
  if (problems.length > 0) throw errorOf(problems);
  return { proven, unasked };
}

/** A key that was deleted softly (KV v2) is there and cannot be read, which KES calls a bad gateway. */
function refusal(error: unknown): KesError {
  if (error instanceof KesError && (error.status === 403 || error.status === 502)) return error;
  throw error;
}

function errorOf(problems: readonly Problem[]): ExternalError {
  const hints = [...new Set(problems.map(({ hint }) => hint))];
  const Kind = problems.every(({ notLetIn }) => notLetIn) ? NotLetIn : ExternalError;
  return new Kind(
    `${problems.map(({ said }) => said).join('; ')}. What is encrypted under it cannot be read without it`,
    `${hints.join('; ')}. MinIO was not touched, and no key was made`,
  );
}

/**
 * Proves the master keys of a running deployment, before anything of it is changed.
 *
 * @returns what was proven, or why it cannot be said: a deployment that does not run is proven while it starts
 */
export async function verifyMasterKeys(environment: Environment, state: StateLayout): Promise<string> {
  const canaries = readCanaries(state.canaries);
  if (Object.keys(canaries).length === 0) return 'there are none yet';
  const prover = proverOf(environment, state);
  try {
    const later = await whyLater(prover, kesUrl(environment));
    if (later !== undefined) return `proven after the deploy, because ${later}`;
    const prove = () =>
      proveCanaries(prover, canaries, looker(environment, state), restoreCall(environment.name, state));
    try {
      return described(await prove());
    } catch (error) {
      if (!(error instanceof NotLetIn)) throw error;
      // it would notice by itself when four fifths of its token's period are over
      await onEachNode(nodesOf(environment), async (node, docker) =>
        reloadContainer(
          {
            container: node.kes.container,
            signal: 'SIGHUP',
            proof: { ...KES_RELOADED, url: kesUrl(environment, node) },
          },
          docker,
        ),
      );
      return `${described(await prove())}; KES had to log in again, because Vault no longer knew its token`;
    }
  } finally {
    prover.close();
  }
}

/**
 * Why master keys cannot be proven now, in words; undefined if they can. A deploy mends what is away, refuses or expired.
 *
 * @throws ExternalError if something answers there that is not KES
 */
export async function whyLater(prover: Pick<KesClient, 'ready'>, url: string): Promise<string | undefined> {
  try {
    return (await prover.ready()) ? undefined : 'KES does not reach its key store now';
  } catch (error) {
    if (error instanceof NoAnswer || error instanceof KesError) return `KES cannot be asked now (${messageOf(error)})`;
    throw new ExternalError(
      `${url} answers, but not as KES does: ${messageOf(error)}`,
      'see which program has that port; nothing was changed',
      { cause: error },
    );
  }
}

function looker(environment: Environment, state: StateLayout): Look {
  return (key) => keyInVault(environment, state, key);
}

function described({ proven }: { readonly proven: readonly string[] }): string {
  return `${proven.length} open their canaries`;
}

/** @throws ExternalError if KES does not reach its key store within two minutes */
async function waitForKeyStore(prover: KesClient, url: string): Promise<void> {
  await waitFor(
    {
      what: `KES at ${url} to reach its key store`,
      // Docker starts a program that kept ending, as KES does without its key store, after up to a minute
      timeoutMs: 120_000,
      hint: 'if Vault is sealed: ./scripts/unseal',
    },
    async () => ((await prover.ready()) ? true : new NotYet('KES answers, but its key store is unreachable')),
  );
}

/**
 * Waits until KES reaches its key store and proves every master key that has a canary.
 *
 * @throws ExternalError if KES does not come within two minutes, or if a key cannot be proven for whatever reason
 */
export async function requireProvenKeys(
  prover: KesClient,
  url: string,
  canaries: Canaries,
  look?: Look,
  restore?: string,
): Promise<string[]> {
  await waitForKeyStore(prover, url);
  const { proven, unasked } = await proveCanaries(prover, canaries, look, restore);
  if (unasked.length > 0) {
    throw new ExternalError(
      `KES denied \`decrypt\` (403) under master keys ${unasked.join(', ')}; they cannot be verified`,
      'deploy again, so that KES gets the policies of this environment file',
    );
  }
  return proven;
}

/** Proves the master keys of a deployment that was just made, see {@link requireProvenKeys}. */
export async function proveDeployedKeys(environment: Environment, state: StateLayout): Promise<string> {
  const prover = proverOf(environment, state);
  try {
    const canaries = readCanaries(state.canaries);
    const look = looker(environment, state);
    const restore = restoreCall(environment.name, state);
    return described({ proven: await requireProvenKeys(prover, kesUrl(environment), canaries, look, restore) });
  } finally {
    prover.close();
  }
}

function proverOf(environment: Environment, state: StateLayout): KesClient {
  return new KesClient({
    ...kesEndpoint(environment, state),
    certificateFile: path.join(state.tls, 'key-prover.crt'),
    privateKeyFile: path.join(state.secret.tls, 'key-prover.key'),
  });
}
