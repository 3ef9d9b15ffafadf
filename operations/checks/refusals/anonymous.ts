/** Anonymous requests. */
import { GetBucketPolicyCommand, ListBucketsCommand, S3ServiceException } from '@aws-sdk/client-s3';
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { everyCase } from '../objects/cases';
import { CheckFailure, type Evidence, type OutsideCheck, type OutsideContext } from '../check';
import { answered } from '../objects/objects';
import { SSE_S3 } from '../objects/modes';
import { write } from '../round-trips/samples';
import { isScratchBucket } from '../objects/scratch-bucket';

const FIX =
  'take the policy back with `mc anonymous set private ALIAS/BUCKET`, or look for a proxy that lends its credentials to ' +
  'everybody; what was open may have been read: see the log';

/** More buckets than these are not looked at. */
const MOST_BUCKETS = 200;

export const anonymousReadRefused: OutsideCheck = {
  from: 'outside',
  id: 'anonymous-read-refused',
  title: 'Requests without credentials are refused',
  proves:
    'Without credentials, buckets cannot be listed; in every bucket neither objects can be listed nor read. No policy ' +
    'allows anonymous requests anything, unless its condition asks for an identity. An object of the run, which is there, is refused as well.',
  doesNotProve: `That the credentials of users allow no more than they should. Of very many buckets the first ${MOST_BUCKETS} are looked at.`,
  severity: 'critical',
  run: async (context) => {
    const { s3, bucket, expected } = context;
    const { key } = await write(context, 'anonymous-read', SSE_S3);
    const ofTheRun = await refusals(context, { 'list of the buckets': '/', 'GET of an object': `/${bucket}/${key}` });
    const { Buckets = [] } = await answered(expected, 'listing the buckets', s3.send(new ListBucketsCommand({})));
    const names = Buckets.flatMap(({ Name }) => Name ?? []).filter((name) => name === bucket || !isScratchBucket(name));
    const buckets = await everyCase(
      names.slice(0, MOST_BUCKETS).map((name) => ({ name: `bucket ${name}`, run: async () => look(context, name) })),
    );
    return { ofTheRun, buckets, bucketsLeftOut: Math.max(0, names.length - MOST_BUCKETS) };
  },
};

async function look(context: OutsideContext, name: string): Promise<Evidence> {
  const open = await openStatements(context, name);
  if (open.length > 0) {
    const conditions = open.flatMap(({ Condition }) => (Condition === undefined ? [] : [JSON.stringify(Condition)]));
    const under = conditions.length === 0 ? '' : `, under the condition ${conditions.join(' or ')}`;
    throw new CheckFailure(
      `a policy allows everybody to do something, in ${open.length} of its statements${under}`,
      FIX,
    );
  }
  // one that is not there: what matters is whether the server would have looked for it
  const nothing = randomBytes(16).toString('hex');
  return refusals(context, {
    'list of the objects': `/${name}/?list-type=2`,
    'GET of any object': `/${name}/${nothing}`,
  });
}

async function refusals({ minio }: OutsideContext, paths: Readonly<Record<string, string>>): Promise<Evidence> {
  const evidence: Record<string, string> = {};
  for (const [what, path] of Object.entries(paths)) {
    const { status, text } = await minio.send({ method: 'GET', path });
    const code = /<Code>(\w+)<\/Code>/.exec(text)?.[1] ?? 'no S3 error';
    // its owner deleted the bucket meanwhile
    if (code === 'NoSuchBucket') continue;
    if (status === 503) throw new Error(`a ${what} without credentials answered 503 ${code}`);
    if (status !== 401 && status !== 403) {
      throw new CheckFailure(`a ${what} without credentials answered ${status} ${code}, expected 403`, FIX);
    }
    evidence[what] = `${status} ${code}`;
  }
  return evidence;
}

/** A statement about every client, anonymous ones too. MinIO knows no other in the policy of a bucket. */
const policy = z.object({
  Statement: z.array(
    z.object({
      Effect: z.string(),
      Principal: z.unknown().optional(),
      Condition: z.record(z.string(), z.record(z.string(), z.unknown())).optional(),
    }),
  ),
});
type Statement = z.infer<typeof policy>['Statement'][number];

/** Keys that name an identity, and that an anonymous request has no value of; all lower case. */
const IDENTITY = /^(?:aws:(?:username|userid|principal(?:arn|account|orgid|orgpaths|tag\/.+))|(?:jwt|ldap):.+)$/;
/** Operators that such a value must satisfy. `IfExists` and `ForAllValues:` hold where there is none. */
const MUST_MATCH = /^(?:foranyvalue:)?(?:string|arn)(?:equals|equalsignorecase|like)$/;

function asksForAnIdentity({ Condition = {} }: Statement): boolean {
  return Object.entries(Condition).some(
    ([operator, keys]) =>
      MUST_MATCH.test(operator.toLowerCase()) &&
      Object.entries(keys).some(
        ([key, values]) =>
          IDENTITY.test(key.toLowerCase()) && [values].flat().every((value) => /[^*]/.test(String(value))),
      ),
  );
}

async function openStatements({ s3, expected }: OutsideContext, bucket: string): Promise<readonly Statement[]> {
  const request = s3.send(new GetBucketPolicyCommand({ Bucket: bucket })).catch((error: unknown) => {
    const none = error instanceof S3ServiceException && ['NoSuchBucketPolicy', 'NoSuchBucket'].includes(error.name);
    if (none) return { Policy: undefined };
    throw error;
  });
  const { Policy } = await answered(expected, 'reading the policy', request);
  if (Policy === undefined) return [];
  const everybody = JSON.stringify('*');
  return policy.parse(JSON.parse(Policy)).Statement.filter(
    (statement) =>
      statement.Effect === 'Allow' &&
      // without Principal it has NotPrincipal: every client but a few
      JSON.stringify(statement.Principal ?? '*').includes(everybody) &&
      !asksForAnIdentity(statement),
  );
}
