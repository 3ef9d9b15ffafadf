/**
 * What is tried with the access key of a client. Nothing is left behind: what may be done is asked for objects that are not
 * there, writing by an upload that is given up, and settings by a text that no server takes, once it has let the client in.
 */
import { createHash, randomUUID } from 'node:crypto';
import type { ClientGrant, DeclaredClient } from '../../../config/minio/client-policies';
import { guardRefusalText } from '../../../config/guard-rules';
import type { HttpResponse } from '../../lib/net/http';
import type { RawRequest, RawS3 } from '../../minio/objects/raw-s3';

/** One thing that is tried. */
export interface Probe {
  /** To complete the sentence "client NAME may …". */
  readonly what: string;
  readonly allowed: boolean;
  readonly request: RawRequest;
  /** Takes back what a server did that let it happen. */
  readonly undo?: (answer: HttpResponse, as: RawS3, root: Cleaner) => Promise<unknown>;
}

/** Takes back what the client itself cannot. */
export interface Cleaner {
  readonly deleteVersion: (bucket: string, key: string, version: string) => Promise<unknown>;
  readonly deleteBucket: (bucket: string) => Promise<unknown>;
}

export interface Places {
  /** A bucket that no client is declared for. */
  readonly otherBucket: string;
  /** A bucket that is not there. */
  readonly newBucket: string;
  /** Buckets with object lock. */
  readonly lockedBuckets: readonly string[];
  /** Names of this run begin so. */
  readonly run: string;
  /** User of the client in MinIO. */
  readonly user: string;
}

/** Everything that is tried for one client. */
export function probesFor({ grants }: DeclaredClient, places: Places): Probe[] {
  return [
    ...grants.flatMap((grant) => [...ownProbes(grant, places), ...outsideProbes(grant, grants, places)]),
    ...serverProbes(places),
  ];
}

const missing = (path: string, method: 'GET' | 'DELETE' = 'GET', more: Partial<RawRequest> = {}): RawRequest => ({
  method,
  path,
  ...more,
});

const list = (bucket: string, query: Readonly<Record<string, string>>, more: Partial<RawRequest> = {}): RawRequest => ({
  method: 'GET',
  path: `/${bucket}`,
  query: { 'list-type': '2', 'max-keys': '1', ...query },
  ...more,
});

/** A deletion leaves a marker in a bucket with versions. */
function deletion(what: string, allowed: boolean, bucket: string, key: string): Probe {
  return {
    what,
    allowed,
    request: missing(`/${bucket}/${key}`, 'DELETE'),
    undo: async ({ headers }, _, root) => {
      const version = headers['x-amz-version-id'];
      if (typeof version === 'string') await root.deleteVersion(bucket, key, version);
    },
  };
}

function upload(
  what: string,
  allowed: boolean,
  bucket: string,
  key: string,
  headers: Record<string, string> = {},
): Probe {
  return {
    what,
    allowed,
    request: { method: 'POST', path: `/${bucket}/${key}`, query: { uploads: '' }, headers },
    undo: async ({ text }, as) => {
      const uploadId = /<UploadId>([^<]+)<\/UploadId>/.exec(text)?.[1];
      if (uploadId !== undefined) await as.send(missing(`/${bucket}/${key}`, 'DELETE', { query: { uploadId } }));
    },
  };
}

/** A setting that is asked for by a text which is none, so that a probe that is let in changes nothing. */
function setting(what: string, allowed: boolean, path: string, name: string, more: Partial<RawRequest> = {}): Probe {
  const body = 'no setting';
  const headers = { 'content-md5': createHash('md5').update(body).digest('base64') };
  return { what, allowed, request: { method: 'PUT', path, query: { [name]: '' }, headers, body, ...more } };
}

function ownProbes({ bucket, prefix = '', may, objectLock }: ClientGrant, { run, lockedBuckets }: Places): Probe[] {
  const writes = may !== 'read';
  const here = prefix === '' ? `in bucket ${bucket}` : `below ${prefix} in bucket ${bucket}`;
  const key = `${prefix}${run}`;
  const path = `/${bucket}/${key}`;
  const kms = { 'x-amz-server-side-encryption': 'aws:kms', 'x-amz-server-side-encryption-aws-kms-key-id': run };
  return [
    { what: `list ${here}`, allowed: true, request: list(bucket, { prefix }) },
    {
      what: `list versions ${here}`,
      allowed: true,
      request: { ...list(bucket, {}), query: { versions: '', prefix, 'max-keys': '1' } },
    },
    { what: `read ${here}`, allowed: true, request: missing(path) },
    upload(`write ${here}`, writes, bucket, key),
    deletion(`delete ${here}`, may === 'write', bucket, key),
    ...(may === 'append'
      ? [deletion(`delete lock files of restic ${here}`, true, bucket, `${prefix}locks/${run}`)]
      : []),
    {
      what: `delete an older version ${here}`,
      allowed: false,
      request: missing(path, 'DELETE', { query: { versionId: randomUUID() } }),
    },
    {
      what: `delete an older version ${here} and bypass its retention`,
      allowed: false,
      request: missing(path, 'DELETE', {
        query: { versionId: randomUUID() },
        headers: { 'x-amz-bypass-governance-retention': 'true' },
      }),
    },
    {
      what: `delete every version by force ${here}`,
      allowed: false,
      request: missing(path, 'DELETE', { headers: { 'x-minio-force-delete': 'true' } }),
    },
    setting(`set a legal hold ${here}`, objectLock, path, 'legal-hold'),
    // MinIO asks for the right to ?retention only where the object is there, and for that of a new object at once
    ...(lockedBuckets.includes(bucket) ? [upload(`set retention ${here}`, objectLock, bucket, key, retention())] : []),
    ...(writes ? [upload(`write ${here} under a master key of another user`, false, bucket, key, kms)] : []),
  ];
}

/** Of an upload that is given up, so that nothing is ever retained. */
function retention(): Record<string, string> {
  const until = new Date(Date.now() + 60_000).toISOString().replace(/\.\d{3}/, '');
  return { 'x-amz-object-lock-mode': 'GOVERNANCE', 'x-amz-object-lock-retain-until-date': until };
}

function outsideProbes(grant: ClientGrant, all: readonly ClientGrant[], { run }: Places): Probe[] {
  const { bucket, prefix } = grant;
  const inBucket = all.filter((other) => other.bucket === bucket);
  const settings = [
    'policy',
    'encryption',
    'lifecycle',
    'versioning',
    'object-lock',
    'notification',
    'replication',
  ].map((name) => setting(`change ${name} of bucket ${bucket}`, false, `/${bucket}`, name));
  const own = [
    ...settings,
    {
      what: `read the policy of bucket ${bucket}`,
      allowed: false,
      request: { ...missing(`/${bucket}`), query: { policy: '' } },
    },
  ];
  if (prefix === undefined || inBucket.some((other) => other.prefix === undefined)) return own;
  const key = `${run}/elsewhere`;
  const outside = `outside of its prefixes in bucket ${bucket}`;
  return [
    ...own,
    { what: `list all of bucket ${bucket}`, allowed: false, request: list(bucket, {}) },
    { what: `list ${outside}`, allowed: false, request: list(bucket, { prefix: `${run}/` }) },
    {
      what: `list all of bucket ${bucket} with a header that names its prefix`,
      allowed: false,
      request: list(bucket, { prefix: '' }, { headers: { prefix } }),
    },
    {
      what: `list all of bucket ${bucket} with a second parameter that names its prefix`,
      allowed: false,
      request: list(bucket, { prefix: '', Prefix: prefix }),
    },
    { what: `read ${outside}`, allowed: false, request: missing(`/${bucket}/${key}`) },
    upload(`write ${outside}`, false, bucket, key),
    deletion(`delete ${outside}`, false, bucket, key),
  ];
}

function serverProbes({ otherBucket, newBucket, run, user }: Places): Probe[] {
  const admin = (path: string, method: 'GET' | 'PUT' = 'GET', query: Record<string, string> = {}): RawRequest => ({
    method,
    path: `/minio/admin/v3/${path}`,
    query,
    ...(method === 'PUT' ? { body: 'no setting' } : {}),
  });
  const form = 'Action=AssumeRole&Version=2011-06-15';
  return [
    { what: 'list another bucket', allowed: false, request: list(otherBucket, {}) },
    { what: 'read in another bucket', allowed: false, request: missing(`/${otherBucket}/${run}`) },
    upload('write to another bucket', false, otherBucket, run),
    {
      what: 'make a bucket',
      allowed: false,
      request: { method: 'PUT', path: `/${newBucket}` },
      undo: async (_answer, _as, root) => root.deleteBucket(newBucket),
    },
    { what: 'ask about the server', allowed: false, request: admin('info') },
    { what: 'list users', allowed: false, request: admin('list-users') },
    { what: 'export users with their secret keys', allowed: false, request: admin('export-iam') },
    { what: 'ask about its own user', allowed: false, request: admin('user-info', 'GET', { accessKey: user }) },
    { what: 'change a policy', allowed: false, request: admin('add-canned-policy', 'PUT', { name: run }) },
    {
      what: 'mint temporary credentials',
      allowed: false,
      request: {
        method: 'POST',
        path: '/',
        service: 'sts',
        headers: {
          'content-type': 'application/x-www-form-urlencoded',
          'x-amz-content-sha256': createHash('sha256').update(form).digest('hex'),
        },
        body: form,
      },
    },
  ];
}

/**
 * The same of a client whose access key must not work here: everything is refused, whatever address a header claims.
 *
 * @param ranges addresses from which it would work
 */
export function fromOutside(probes: readonly Probe[], [range = '']: readonly string[]): Probe[] {
  const [inside = ''] = range.split('/');
  const unsigned = { 'x-forwarded-for': inside, 'x-real-ip': inside, forwarded: `for=${inside}` };
  return probes.map((probe) => ({
    ...probe,
    what: `${probe.what} from outside of its addresses`,
    allowed: false,
    request: { ...probe.request, unsigned },
  }));
}

/** How a server answered. */
export type Verdict = 'allowed' | 'refused' | 'unauthenticated';

/** @param answer of a server that may have a guard */
export function verdictOf({ status, text }: Pick<HttpResponse, 'status' | 'text'>): Verdict {
  const code = codeOf(text);
  if (['InvalidAccessKeyId', 'SignatureDoesNotMatch', 'InvalidTokenId', 'ExpiredToken'].includes(code)) {
    return 'unauthenticated';
  }
  const byGuard = [guardRefusalText('repeated-parameter'), guardRefusalText('condition-name')];
  return status === 403 || byGuard.some((said) => text.includes(said)) ? 'refused' : 'allowed';
}

/** The code of an S3 error, or of one of the admin API. */
function codeOf(text: string): string {
  return /<Code>(\w+)<\/Code>/.exec(text)?.[1] ?? /"Code":"(\w+)"/.exec(text)?.[1] ?? '';
}

/** Tries everything; what is not as it should be, each as a sentence without its subject. */
export async function tryProbes(
  probes: readonly Probe[],
  as: RawS3,
  root: Cleaner,
): Promise<{ readonly problems: string[]; readonly allowed: number; readonly refused: number }> {
  const problems: string[] = [];
  let allowed = 0;
  let refused = 0;
  for (const probe of probes) {
    const answer = await as.send(probe.request);
    const verdict = verdictOf(answer);
    if (verdict === 'unauthenticated') {
      return { problems: [`is not let in: HTTP ${answer.status} ${codeOf(answer.text)}`], allowed, refused };
    }
    // with 500 MinIO answers some who were let in, and whose text it cannot read
    if (answer.status > 500 || (answer.status === 500 && probe.allowed)) {
      throw new Error(`${probe.what}: HTTP ${answer.status} ${codeOf(answer.text)}`);
    }
    if (verdict === 'allowed') await probe.undo?.(answer, as, root);
    if (verdict === (probe.allowed ? 'allowed' : 'refused')) {
      if (probe.allowed) allowed += 1;
      else refused += 1;
      continue;
    }
    const said = [`HTTP ${answer.status}`, codeOf(answer.text)].filter((part) => part !== '').join(' ');
    problems.push(probe.allowed ? `may not ${probe.what} (${said})` : `may ${probe.what} (${said})`);
  }
  return { problems, allowed, refused };
}
