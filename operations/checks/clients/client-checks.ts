/** The clients of the S3 API: what is declared is there, and each may do what is declared and nothing else. */
import { DeleteBucketCommand, DeleteObjectCommand, PutBucketPolicyCommand } from '@aws-sdk/client-s3';
import { randomBytes } from 'node:crypto';
import { clientUser, METRICS_USER } from '../../../config/deployment-names';
import { OWN_USERS } from '../../../config/minio/own-identities';
import { declaredClients, type DeclaredClient } from '../../../config/minio/client-policies';
import type { TlsEndpoint } from '../../../config/operation-inputs';
import { s3Endpoint } from '../../../config/state/endpoints';
import { clientFile } from '../../../config/state/layout';
import { HttpClient } from '../../lib/net/http';
import { type AccessKeys, readAccessKeys } from '../../minio/clients/access-keys';
import { readIam } from '../../minio/clients/iam';
import { openAdmin } from '../../minio/minio-admin';
import { RawS3 } from '../../minio/objects/raw-s3';
import { type CheckContext, CheckFailure, type Evidence, type FullCheck } from '../check';
import { someOf } from '../drift/differences';
import { scratchBucketName } from '../objects/scratch-bucket';
import { sampleOf } from '../sample';
import { clientDifferences } from './declared-clients';
import { fromOutside, probesFor, tryProbes } from './probes';

/** Clients that are tried in one run. */
const MOST_CLIENTS = 8;

const skipReason: FullCheck['skipReason'] = ({ clients }) =>
  clients.length === 0 ? 'the environment declares no clients' : undefined;

const clientsDeclared: FullCheck = {
  from: 'deployment',
  id: 'clients-declared',
  title: 'MinIO knows the declared clients, and no other user',
  proves:
    'Each client has its user, its policy and its access keys, as declared; no user and no access key of the root user ' +
    'was made beside them. No access key ends before a deploy that should have renewed it.',
  doesNotProve: 'That MinIO enforces the policies: clients-confined tries that.',
  severity: 'high',
  skipReason,
  run: async ({ loaded }) => {
    const { environment, argument } = loaded;
    const clients = declaredClients(environment);
    const admin = openAdmin(loaded, 'minioIam');
    const iam = await readIam(admin).finally(() => {
      admin.close();
    });
    const keys = Object.fromEntries(clients.map(({ name }) => [name, keysOf(loaded, name)]));
    const denySseC = environment.minio.sseC === 'deny';
    const others = [...OWN_USERS, ...(environment.monitoring === undefined ? [] : [METRICS_USER])];
    const { changed, foreign, late } = clientDifferences(iam, clients, keys, { denySseC, others });
    const evidence = { clients: clients.length, users: Object.keys(iam.users).length };
    const problems = [...changed, ...foreign.map((what) => `${what} is not declared`), ...late];
    if (problems.length === 0) return evidence;
    const fixes = [
      ...(changed.length > 0 ? [`./scripts/client mend ${argument} sets back what was changed by hand`] : []),
      ...(foreign.length > 0
        ? ['declare it in clients, or remove it: mc admin user rm ALIAS NAME, mc admin accesskey rm ALIAS KEY']
        : []),
      ...(late.length > 0 ? [`./scripts/up ${argument} renews it; then let it run on a schedule`] : []),
    ];
    throw new CheckFailure(someOf(problems), fixes.join('; '), evidence);
  },
};

const clientsConfined: FullCheck = {
  from: 'deployment',
  id: 'clients-confined',
  title: 'Each client may do what is declared, and is refused everything else',
  proves:
    'With its own access key, a client lists, reads, writes and deletes where that is declared. It is refused other ' +
    'prefixes and buckets, older versions, retention, master keys and settings that are not its own, administration, and ' +
    'credentials for others. Where this machine is outside of its sourceAddresses, it is refused everything, also with ' +
    'headers that name an address inside.',
  doesNotProve:
    `Of more than ${MOST_CLIENTS} clients, ${MOST_CLIENTS} are tried in a run, by chance. Nothing is written: uploads are ` +
    'begun and given up.',
  severity: 'critical',
  skipReason,
  run: async (context) => {
    const all = declaredClients(context.loaded.environment);
    const clients = sampleOf(all, MOST_CLIENTS);
    const tried: Record<string, Evidence> = {};
    const problems: string[] = [];
    const http = new HttpClient(endpointOf(context.loaded));
    try {
      for (const client of clients) {
        const { evidence, found } = await tryClient(context, http, client);
        tried[client.name] = evidence;
        problems.push(...found.map((problem) => `client ${client.name} ${problem}`));
      }
    } finally {
      http.close();
    }
    const evidence = { tried, clients: all.length, leftOut: all.length - clients.length };
    if (problems.length === 0) return evidence;
    throw new CheckFailure(
      someOf(problems),
      `./scripts/client mend ${context.loaded.argument} sets back what was changed by hand; what was open may have been used: see the audit log`,
      evidence,
    );
  },
};

async function tryClient(
  context: CheckContext,
  http: HttpClient,
  client: DeclaredClient,
): Promise<{ readonly evidence: Evidence; readonly found: readonly string[] }> {
  const { loaded, s3, region, bucket } = context;
  const keys = keysOf(loaded, client.name);
  if (keys === undefined) return { evidence: {}, found: ['has no access key in the secrets folder'] };
  const as = new RawS3({ http, url: endpointOf(loaded).url, credentials: keys.current, region });
  const places = {
    otherBucket: bucket,
    newBucket: scratchBucketName(),
    lockedBuckets: loaded.environment.buckets.flatMap(({ name, objectLock }) => (objectLock ? [name] : [])),
    run: `ebs-check-${randomBytes(4).toString('hex')}`,
    user: clientUser(client.name),
  };
  const { sourceAddresses } = client;
  const outside = sourceAddresses !== undefined && !(await sees(context, http, sourceAddresses));
  const probes = probesFor(client, places);
  const { problems, allowed, refused } = await tryProbes(outside ? fromOutside(probes, sourceAddresses) : probes, as, {
    deleteVersion: async (Bucket, Key, VersionId) => s3.send(new DeleteObjectCommand({ Bucket, Key, VersionId })),
    deleteBucket: async (Bucket) => s3.send(new DeleteBucketCommand({ Bucket })),
  });
  const place = sourceAddresses === undefined ? {} : { thisMachine: outside ? 'outside its addresses' : 'inside' };
  return { evidence: { ...place, allowed, refused }, found: problems };
}

/** Whether this machine has an address of these ranges, as MinIO sees it: asked by a bucket that is open to them. */
async function sees({ s3, newBucket }: CheckContext, http: HttpClient, ranges: readonly string[]): Promise<boolean> {
  const Bucket = await newBucket();
  const Statement = [
    {
      Effect: 'Allow',
      Principal: '*',
      Action: ['s3:ListBucket'],
      Resource: [`arn:aws:s3:::${Bucket}`],
      Condition: { IpAddress: { 'aws:SourceIp': ranges } },
    },
  ];
  const Policy = JSON.stringify({ Version: '2012-10-17', Statement });
  await s3.send(new PutBucketPolicyCommand({ Bucket, Policy }));
  const { status } = await http.send({ method: 'GET', path: `/${Bucket}` });
  if (status !== 200 && status !== 403)
    throw new Error(`a list of bucket ${Bucket} without credentials answered ${status}`);
  return status === 200;
}

/** What is in front of it may sign for others. */
const endpointOf = ({ environment, state }: CheckContext['loaded']): TlsEndpoint => s3Endpoint(environment, state);

function keysOf({ state }: CheckContext['loaded'], name: string): AccessKeys | undefined {
  return readAccessKeys(clientFile(state.secret.clients, name));
}

/** In the order in which they are reported. */
export const clientChecks: readonly FullCheck[] = [clientsDeclared, clientsConfined];
