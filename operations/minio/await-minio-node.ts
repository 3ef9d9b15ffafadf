/**
 * The gate behind each MinIO of several: the deploy goes on to the next one when objects can be written and read through
 * every node that answers. MinIO's own health pages are no gate: a node that has just started answers 200 on each of them
 * and refuses writes for a while.
 *
 * | what the hosts say                                                  | what happens                                    |
 * |---------------------------------------------------------------------|-------------------------------------------------|
 * | a host has no container of MinIO yet                                | no gate: the first start waits for every drive  |
 * | fewer than half of the others have the configuration of this one    | no gate: MinIO waits for those with its own     |
 * | every node answers                                                  | written and read by each, each is told what the |
 * |                                                                     | others change, and any one may go               |
 * | a host is away, or its MinIO does not run                           | written and read by each of the others          |
 *
 * While a container was replaced, its drives missed what was written. It is noted, and the checks of the deploy have it healed.
 */
import {
  DeleteObjectCommand,
  GetBucketTaggingCommand,
  GetObjectCommand,
  PutBucketTaggingCommand,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import type Docker from 'dockerode';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { createScratchBucket, deleteScratchBucket, scratchBucketName } from '../checks/objects/scratch-bucket';
import type { OperationInput } from '../../config/operation-inputs';
import { dockerEngine } from '../docker/docker';
import { ExternalError, messageOf } from '../lib/errors';
import { HttpClient } from '../lib/net/http';
import { NotYet, waitFor } from '../lib/wait';
import { noteReplacedDrives } from '../state/notes/away-drives';
import { bytesOf, readCredentials, s3Client } from './s3-client';

type Input = OperationInput<'await-minio-node'>;
type MinioPeer = Input['nodes'][number];

const WRITABLE_LIMIT_MS = 180_000;
const ENGINE_LIMIT_MS = 5_000;
/** How S3 refuses who is not known. */
const UNKNOWN_USER = 'InvalidAccessKeyId';

/** What a host says of its MinIO. `configuration` is what MinIO demands to be equal on all nodes. */
export type SeenNode =
  | { readonly kind: 'runs'; readonly configuration: string }
  | { readonly kind: 'does not run' }
  | { readonly kind: 'missing' }
  | { readonly kind: 'away'; readonly problem: string };

export async function awaitMinioNode(
  input: Input,
  engineFor: (node: MinioPeer) => Docker = ({ engine }) => dockerEngine(engine),
): Promise<void> {
  const seen = new Map(
    await Promise.all(
      input.nodes.map(async (node): Promise<[string, SeenNode]> => [node.host, await look(engineFor(node), node)]),
    ),
  );
  // a first deploy has nothing to miss; the next check has the rest healed
  if (existsSync(input.operationsFile)) noteReplacedDrives(input, input.drives);
  const verdict = judgeNodes(input.host, seen);
  if (verdict.kind === 'no gate') {
    process.stderr.write(`MinIO on host ${input.host} is not waited for: ${verdict.reason}\n`);
    return;
  }
  const nodes = input.nodes.filter(({ host }) => verdict.hosts.includes(host));
  await waitUntilWritable(input, nodes);
  const away = input.nodes.filter((node) => !nodes.includes(node)).map(({ host }) => host);
  process.stderr.write(
    `objects are written and read through MinIO on ${nodes.map(({ host }) => host).join(', ')}` +
      `${away.length === 0 ? '' : `; there is none that runs on ${away.join(', ')}`}\n`,
  );
}

async function look(docker: Docker, { container }: MinioPeer): Promise<SeenNode> {
  try {
    const { Config, State } = await within(ENGINE_LIMIT_MS, docker.getContainer(container).inspect());
    if (!State.Running && !State.Restarting) return { kind: 'does not run' };
    return { kind: 'runs', configuration: configurationOf(Config) };
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode === 404) return { kind: 'missing' };
    return { kind: 'away', problem: messageOf(error) };
  }
}

/** What MinIO compares with its peers before it starts (cmd/bootstrap-peer-server.go): its variables, its command, its program. */
function configurationOf({ Env, Cmd, Image }: { Env: string[]; Cmd: string[]; Image: string }): string {
  return JSON.stringify([Image, Cmd, Env.filter((entry) => entry.startsWith('MINIO_')).sort()]);
}

async function within<T>(limitMs: number, answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`no answer within ${limitMs / 1000} s`));
    }, limitMs);
  });
  return Promise.race([answer, late]).finally(() => {
    clearTimeout(timer);
  });
}

type Verdict =
  { readonly kind: 'no gate'; readonly reason: string } | { readonly kind: 'gate'; readonly hosts: readonly string[] };

/**
 * @param own host of the node that was deployed just now
 * @param seen every node, by its host
 * @throws ExternalError if the node that was deployed does not run
 */
export function judgeNodes(own: string, seen: ReadonlyMap<string, SeenNode>): Verdict {
  const here = seen.get(own);
  if (here?.kind !== 'runs') {
    throw new ExternalError(
      `MinIO on host ${own} was deployed, and its container ${here?.kind === 'away' ? `cannot be seen: ${here.problem}` : 'does not run'}`,
      `\`docker logs\` of MinIO on host ${own} says why`,
    );
  }
  const missing = [...seen].flatMap(([host, { kind }]) => (kind === 'missing' ? [host] : []));
  if (missing.length > 0) return { kind: 'no gate', reason: `there is none on ${missing.join(', ')} yet` };
  const peers = [...seen].filter(([host]) => host !== own);
  const alike = peers.filter(([, node]) => node.kind === 'runs' && node.configuration === here.configuration);
  const needed = Math.floor(peers.length / 2);
  if (alike.length < needed) {
    return {
      kind: 'no gate',
      reason: `it starts when ${needed} other${needed === 1 ? ' has' : 's have'} its configuration, and ${alike.length} ${alike.length === 1 ? 'has' : 'have'}`,
    };
  }
  return { kind: 'gate', hosts: [...seen].flatMap(([host, { kind }]) => (kind === 'runs' ? [host] : [])) };
}

async function waitUntilWritable(input: Input, nodes: readonly MinioPeer[]): Promise<void> {
  const clientsOf = (file: string) =>
    nodes.map(({ host, endpoint }) => ({
      host,
      s3: s3Client({ endpoint, region: input.region, credentials: readCredentials(file), attempts: 1 }),
      http: new HttpClient(endpoint),
    }));
  let file = existsSync(input.operationsFile) ? input.operationsFile : input.rootFile;
  let clients = clientsOf(file);
  const close = (): void => {
    for (const { s3, http } of clients) {
      s3.destroy();
      http.close();
    }
  };
  const bucket = scratchBucketName();
  const allAreThere = nodes.length === input.nodes.length;
  try {
    await waitFor(
      {
        what: `objects to be written through every MinIO, after that on host ${input.host} was deployed`,
        timeoutMs: WRITABLE_LIMIT_MS,
        intervalMs: 500,
        hint: '`docker logs` of MinIO on that host says what it waits for',
      },
      async () => {
        for (const { host, s3, http } of clients) {
          const problem = await problemOf(s3, bucket, input.region);
          if (problem?.startsWith(UNKNOWN_USER) === true && existsSync(input.operationsFile)) {
            // empty drives know root alone, and others may refuse it
            close();
            file = file === input.rootFile ? input.operationsFile : input.rootFile;
            clients = clientsOf(file);
          }
          if (problem !== undefined) return new NotYet(`${host}: ${problem}`);
          if (allAreThere && !(await mayGo(http))) return new NotYet(`${host}: MinIO could not do without it`);
        }
        return (await deafness(clients, bucket)) ?? true;
      },
    );
  } finally {
    if (clients[0] !== undefined) await deleteScratchBucket(clients[0].s3, bucket).catch(() => undefined);
    close();
  }
}

/** What keeps an object from being written, read and deleted through a node. */
async function problemOf(s3: S3Client, bucket: string, region: string): Promise<string | undefined> {
  const object = { Bucket: bucket, Key: 'gate' };
  try {
    await createScratchBucket(s3, bucket, region).catch((error: unknown) => {
      if ((error as Error).name !== 'BucketAlreadyOwnedByYou') throw error;
    });
    const written = Buffer.from(`${bucket} ${Date.now()}`);
    await s3.send(new PutObjectCommand({ ...object, Body: written }));
    if (!(await bytesOf(await s3.send(new GetObjectCommand(object)))).equals(written)) return 'it reads something else';
    await s3.send(new DeleteObjectCommand(object));
    return undefined;
  } catch (error) {
    const { name, message } = error as Error;
    return message === '' || message === name ? name : `${name}: ${message}`;
  }
}

/**
 * A node tells the others once when a bucket changes, and they ask again after 15 minutes (cmd/bucket-metadata-sys.go). One
 * that was not told of a new bucket's encryption writes under the default key.
 */
async function deafness(
  nodes: readonly { readonly host: string; readonly s3: S3Client }[],
  Bucket: string,
): Promise<NotYet | undefined> {
  // the first one once more: the others have read the bucket only now
  for (const from of [...nodes, ...nodes.slice(0, 1)]) {
    const tag = { Key: 'gate', Value: randomUUID() };
    await from.s3.send(new PutBucketTaggingCommand({ Bucket, Tagging: { TagSet: [tag] } }));
    for (const { host, s3 } of nodes) {
      const { TagSet = [] } = await s3.send(new GetBucketTaggingCommand({ Bucket }));
      if (TagSet[0]?.Value !== tag.Value) return new NotYet(`${host}: it is not told what changes on ${from.host}`);
    }
  }
  return undefined;
}

/** Whether the cluster could do without this node: the next one of the deploy may be any. */
async function mayGo(http: HttpClient): Promise<boolean> {
  return (await http.send({ method: 'GET', path: '/minio/health/cluster?maintenance=true' })).status === 200;
}
