/** Whether the audit webhook takes what MinIO sends it. MinIO answers clients either way, and reports nothing. */
import { HeadBucketCommand } from '@aws-sdk/client-s3';
import { setTimeout as delay } from 'node:timers/promises';
import { extract } from 'tar-stream';
import { AUDIT_QUEUE_FOLDER } from '../../../config/minio/minio-variables';
import { auditQueueOf, nodesOf, onHost } from '../../../config/node';
import { NotYet, waitFor } from '../../lib/wait';
import { CheckFailure, type FullCheck } from '../check';

/** MinIO writes a record to its queue at once, and sends it then. */
const SETTLE_MS = 1000;
/** MinIO tries again every 3 s (minio/minio, internal/store/store.go), and waits 5 s for an answer. */
const SENT_MS = 15_000;
/** More names of a queue are not read. */
const MOST_RECORDS = 2000;

/** Names of the records that wait, by the container of MinIO with its host. */
type Queues = ReadonlyMap<string, ReadonlySet<string>>;

const auditSent: FullCheck = {
  from: 'deployment',
  id: 'minio-audit-sent',
  title: 'The audit webhook takes the records of MinIO',
  proves:
    'No record that waits in a queue of MinIO a second after a request is still there when MinIO has tried again several times.',
  doesNotProve: 'That the receiver keeps what it has taken: only the receiver knows.',
  severity: 'high',
  skipReason: ({ minio: { audit } }) =>
    audit === undefined ? 'no webhook gets records: minio.audit is not declared' : undefined,
  run: async ({ loaded, s3, bucket }) => {
    const { environment } = loaded;
    await s3.send(new HeadBucketCommand({ Bucket: bucket }));
    await delay(SETTLE_MS);
    const queues = async (): Promise<Queues> => {
      const { dockerEngine } = await import('../../docker/docker.js');
      const nodes = nodesOf(environment).map(async (node): Promise<[string, Set<string>]> => {
        const container = dockerEngine(node.docker).getContainer(node.minio.container);
        return [
          `${node.minio.container}${onHost(node)}`,
          await namesIn(await container.getArchive({ path: AUDIT_QUEUE_FOLDER })),
        ];
      });
      return new Map(await Promise.all(nodes));
    };
    return judgeQueues(queues, {
      endpoint: environment.minio.audit?.endpoint ?? '',
      volume: auditQueueOf(nodesOf(environment)[0].minio),
    });
  },
};

/** In the order in which they are reported. */
export const minioAuditChecks: readonly FullCheck[] = [auditSent];

/**
 * @param queues reads what waits
 * @throws CheckFailure if something of it was not sent
 */
export async function judgeQueues(
  queues: () => Promise<Queues>,
  {
    endpoint,
    volume,
    timeoutMs = SENT_MS,
  }: { readonly endpoint: string; readonly volume: string; readonly timeoutMs?: number },
): Promise<{ endpoint: string; waited: Record<string, number> }> {
  const before = await queues();
  const waited = Object.fromEntries([...before].map(([name, records]) => [name, records.size]));
  let left = before;
  try {
    return await waitFor({ what: 'the records to be sent', timeoutMs, intervalMs: 500 }, async () => {
      if (!allEmpty(left)) left = stillThere(before, await queues());
      return allEmpty(left) ? { endpoint, waited } : new NotYet('records wait');
    });
  } catch (error) {
    if (allEmpty(left)) throw error;
    const [name, { size }] = [...left].find(([, found]) => found.size > 0) ?? ['', new Set<string>()];
    const many = size >= MOST_RECORDS ? `${size} records or more` : size === 1 ? '1 record' : `${size} records`;
    throw new CheckFailure(
      `minio.audit.endpoint ${endpoint} does not take what MinIO sends: ${many} of ${name} not sent`,
      `\`docker logs\` of MinIO says what it was answered: the webhook must answer 2xx, know the token of minio.audit.tokenFile, and have a certificate of a CA in trustedCAs. Records wait on the volume ${volume}, up to minio.audit.queueSize`,
      { endpoint, waited },
    );
  }
}

const allEmpty = (queues: Queues): boolean => [...queues.values()].every(({ size }) => size === 0);

function stillThere(before: Queues, now: Queues): Queues {
  return new Map(
    [...before].map(([name, records]) => [name, new Set([...records].filter((one) => now.get(name)?.has(one)))]),
  );
}

async function namesIn(archive: NodeJS.ReadableStream): Promise<Set<string>> {
  const entries = extract();
  archive.on('error', (error: Error) => {
    entries.destroy(error);
  });
  archive.pipe(entries);
  const names = new Set<string>();
  try {
    for await (const entry of entries) {
      entry.resume();
      if (entry.header.type === 'file') names.add(entry.header.name);
      if (names.size >= MOST_RECORDS) break;
    }
  } finally {
    // Docker keeps the container locked until it is read or hung up on
    (archive as Partial<{ destroy: () => void }>).destroy?.();
  }
  return names;
}
