/** The keys, and the way to them. */
import { openCanary } from '../../keys/canaries';
import { readCanaries } from '../../state/notes/canaries';
import { nodesOf, onEachHost } from '../../../config/node';
import { masterKeys } from '../../../config/keys/master-keys';
import type { LoadedEnvironment } from '../../state/load';
import { restoreCall } from '../../state/restore-call';
import { retiredKeys } from '../../state/notes/retired-keys';
import type { StateLayout } from '../../../config/state/layout';
import { messageOf } from '../../lib/errors';
import { KesError } from '../../kes/kes-client';
import { keyInVault, unreadable } from '../../keys/lost-keys';
import { CheckFailure, type Evidence, type ServiceCheck, type ServiceContext, ServiceDown } from '../check';

/** `ready` has KES make a data key; `cluster` waits for storage, bucket metadata and IAM (cmd/healthcheck-handler.go). */
const HEALTH_PAGES = ['/minio/health/ready', '/minio/health/cluster'] as const;

const kmsReady: ServiceCheck = {
  from: 'deployment',
  needs: 'minio',
  first: true,
  id: 'kms-ready',
  title: 'KES reaches its key store, and MinIO its KMS',
  proves: 'KES answers and sees its key store; MinIO gets data keys from KES and has loaded storage and IAM.',
  doesNotProve: 'That the keys are the right ones (key-continuity does), or that KES did not answer from its cache.',
  severity: 'high',
  run: async (context) => {
    const { environment } = context.loaded;
    const [node] = nodesOf(environment);
    const kes = await kesReady(context);
    const pages: Record<string, number> = {};
    for (const page of HEALTH_PAGES) {
      const { status, headers } = await context.minio.send({ method: 'GET', path: page });
      pages[page] = status;
      if (status !== 200 || headers['x-minio-server-status'] === 'offline') {
        throw new CheckFailure(
          `MinIO says it is not ready: ${page} answered ${status}`,
          `see \`docker logs ${node.minio.container}\` and \`docker logs ${node.kes.container}\`${onEachHost(environment)}`,
          { kes, pages },
        );
      }
    }
    return { kes, keyStore: environment.keyStore.type, pages };
  },
};

const keyContinuity: ServiceCheck = {
  from: 'deployment',
  needs: 'kes',
  id: 'key-continuity',
  title: 'Every master key still opens what it sealed at its birth',
  proves:
    'Each master key, those no longer declared among them, is still the one under which data was written: it opens its canary.',
  doesNotProve: 'That the keys are durable in the key store: KES keeps a key in memory for a while after its last use.',
  severity: 'critical',
  run: async ({ loaded, kes }) => {
    const { environment, state } = loaded;
    const canaries = readCanaries(state.canaries);
    const keys: Record<string, Evidence> = {};
    const problems: string[] = [];
    const fixes = new Set<string>();
    // objects under a key that is no longer declared must stay readable, too
    for (const key of [...masterKeys(environment), ...retiredKeys(environment, state)]) {
      const canary = canaries[key];
      let verdict: keyof typeof VERDICTS | 'opens';
      try {
        verdict = canary === undefined ? 'no canary' : await openCanary(kes, key, canary);
      } catch (error) {
        if (!(error instanceof KesError)) throw error;
        keys[key] = { verdict: 'refused' };
        const { said, hint } = await refusal(loaded, key, error);
        problems.push(said);
        fixes.add(hint ?? putBack(state));
        continue;
      }
      keys[key] = { verdict, ...(canary === undefined ? {} : { bornAt: canary.bornAt, origin: canary.origin }) };
      if (verdict === 'opens') continue;
      problems.push(`${key}: ${VERDICTS[verdict]}`);
      fixes.add(verdict === 'damaged' ? putCanariesBack(state) : putBack(state));
    }
    if (problems.length > 0) throw new CheckFailure(problems.join('; '), [...fixes].join('; '), { keys });
    return { keys };
  },
};

/** KES says no more of a master key that is damaged or deleted than that it failed to read it; Vault may say why. */
async function refusal(
  { environment, state }: LoadedEnvironment,
  key: string,
  error: KesError,
): Promise<{ readonly said: string; readonly hint?: string }> {
  const seen = error.status === 502 ? await keyInVault(environment, state, key) : undefined;
  if (seen === undefined || seen.kind === 'no answer')
    return { said: `${key}: does not open its canary: ${error.message}` };
  return unreadable(key, error, seen, restoreCall(environment.name, state));
}

function putBack({ canaries }: StateLayout): string {
  return `put the master keys and ${canaries} back from the same backup; write nothing before, and make no new key`;
}

function putCanariesBack({ canaries }: StateLayout): string {
  return `put ${canaries} back from a copy of the state folder or from a backup; the keys may well be the right ones`;
}

const VERDICTS = {
  'no canary': 'has no canary in keys.json and cannot be verified',
  missing: 'is not in the key store; what was written under it cannot be read',
  damaged: 'cannot be proven: its canary in keys.json is damaged, which says nothing about the key',
  other: 'is another key than the one that sealed its canary; what was written before cannot be read',
} as const;

/** In the order in which they are reported. */
export const keyChecks: readonly ServiceCheck[] = [kmsReady, keyContinuity];

async function kesReady({ kes: client, loaded }: ServiceContext): Promise<string> {
  const [{ kes }] = nodesOf(loaded.environment);
  const where = onEachHost(loaded.environment);
  const logs = `\`docker logs ${kes.container}\`${where}`;
  let ready: boolean;
  try {
    ready = await client.ready();
  } catch (error) {
    throw new CheckFailure(`KES does not say how it is: ${messageOf(error)}`, `see ${logs}`);
  }
  if (ready) return 'reaches its key store';
  throw new ServiceDown(
    'kes',
    'KES does not reach its key store',
    `see whether it answers where KES looks for it. ${logs} says why; \`docker restart ${kes.container}\`${where} makes KES log in again`,
  );
}
