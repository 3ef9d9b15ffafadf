/**
 * Puts the audit log of an embedded Vault aside, and has Vault begin a new one. No record is lost: Vault goes on writing into
 * the file that was renamed until SIGHUP has it open the new one, which it does under the lock of its writes
 * (hashicorp/vault, internal/observability/event/sink_file.go, Reopen).
 */
import { AUDIT_LOG } from '../../config/keys/key-store';
import { onHost, vaultNodes, nodesOf } from '../../config/node';
import { embeddedVault } from '../../config/vault/vault';
import { dockerEngine, outputOf } from '../docker/docker';
import { ExternalError } from '../lib/errors';
import { NotYet, waitFor } from '../lib/wait';
import type { LoadedEnvironment } from '../state/load';

const FOLDER = AUDIT_LOG.slice(0, AUDIT_LOG.lastIndexOf('/'));
const REOPENED_WITHIN_MS = 30_000;

/** What became of one log. */
export interface RotatedLog {
  readonly container: string;
  /** The file that has the records until now; undefined if the log was not long enough. */
  readonly putAside?: string;
  readonly removed: readonly string[];
}

/**
 * Rotates the log of every Vault that has grown enough.
 *
 * @param always whatever their size is
 * @throws ExternalError if Vault does not begin a new one: then the old one is back in its place
 */
export async function rotateAuditLogs(
  { environment }: Pick<LoadedEnvironment, 'environment'>,
  { always = false, now = new Date() }: { readonly always?: boolean; readonly now?: Date } = {},
): Promise<RotatedLog[]> {
  const settings = embeddedVault(environment)?.auditLog;
  if (settings === undefined) return [];
  const bytes = always ? 0 : settings.maxMb * 1024 * 1024;
  const rotated: RotatedLog[] = [];
  for (const node of vaultNodes(nodesOf(environment))) {
    const container = dockerEngine(node.docker).getContainer(node.vault.container);
    const vault: AuditedVault = {
      name: `${node.vault.container}${onHost(node)}`,
      shell: async (script) => outputOf(container, ['sh', '-c', script]),
      openAgain: async () => {
        await container.kill({ signal: 'SIGHUP' });
      },
    };
    rotated.push(await rotate(vault, { bytes, keep: settings.keep, now }));
  }
  return rotated;
}

/** A Vault and the folder of its audit log, as they are reached. */
export interface AuditedVault {
  readonly name: string;
  /** Runs in its container. */
  readonly shell: (script: string) => Promise<{ readonly code: number; readonly output: string }>;
  readonly openAgain: () => Promise<void>;
}

interface Wanted {
  readonly bytes: number;
  readonly keep: number;
  readonly now: Date;
  /** @default - half a minute */
  readonly withinMs?: number;
}

export async function rotate(
  { name, shell, openAgain }: AuditedVault,
  { bytes, keep, now, withinMs = REOPENED_WITHIN_MS }: Wanted,
): Promise<RotatedLog> {
  const run = async (script: string): Promise<string> => {
    const { code, output } = await shell(`cd ${FOLDER} && { ${script}\n}`);
    if (code === 0) return output.trim();
    throw new ExternalError(
      `in ${name}, \`${script}\` ended with exit code ${code}`,
      `see what is in ${FOLDER}: docker exec ${name} ls -l ${FOLDER}`,
    );
  };
  const size = await run('stat -c %s audit.log 2>/dev/null || echo absent');
  // a rotation was killed before Vault was told
  const unfinished = size === 'absent';
  const putAside =
    !unfinished && Number(size) >= bytes ? `audit-${now.toISOString().replaceAll(/[-:]|\.\d{3}/g, '')}.log` : undefined;
  if (putAside !== undefined) await run(`mv audit.log ${putAside}`);
  if (putAside !== undefined || unfinished) {
    await openAgain();
    const what = `Vault in ${name} to begin a new audit log`;
    try {
      await waitFor({ what, timeoutMs: withinMs, hint: `docker logs ${name}` }, async () =>
        (await run('ls')).split('\n').includes('audit.log') ? true : new NotYet('there is none'),
      );
    } catch (error) {
      if (putAside !== undefined) await run(`test -e audit.log || mv ${putAside} audit.log`);
      throw error;
    }
  }
  const old = (await run('ls'))
    .split('\n')
    .filter((file) => /^audit-\d{8}T\d{6}Z\.log$/.test(file))
    .sort()
    .slice(0, -keep);
  if (old.length > 0) await run(`rm ${old.join(' ')}`);
  return { container: name, ...(putAside === undefined ? {} : { putAside }), removed: old };
}
