/**
 * Gives the project users of its own in MinIO: docs/adr/0061. Root makes them where there are none; from then on `ebs-iam`
 * keeps them as they are declared.
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { IAM_USER, OPERATIONS_USER } from '../../config/deployment-names';
import type { Environment } from '../../config/environment';
import { OWN_POLICIES, OWN_USERS } from '../../config/minio/own-identities';
import type { OperationInput } from '../../config/operation-inputs';
import type { StateLayout } from '../../config/state/layout';
import { isDue, NEVER, noteRenewal, renewalTime } from '../certificates/renewal';
import { ExternalError } from '../lib/errors';
import { writeFileAtomically } from '../lib/files';
import { HttpClient } from '../lib/net/http';
import { Secret } from '../lib/secret';
import { NotYet, waitFor } from '../lib/wait';
import { changeIam } from './clients/iam';
import { MinioAdmin, RefusedByMinio } from './minio-admin';
import { readCredentials, type S3Credentials } from './s3-client';

type Input = OperationInput<'provision-identities'>;
/** MinIO as one user. */
export type IdentityAdmin = Pick<MinioAdmin, 'policy' | 'importIam' | 'putSetting' | 'close'>;

/** Waits until MinIO has its drives, its IAM and its KMS, then makes the identities. */
export async function provisionIdentities(input: Input): Promise<void> {
  await untilReady(input);
  await makeIdentities(input, (credentials) => new MinioAdmin(input.endpoint, input.region, credentials));
}

async function untilReady({ endpoint }: Input): Promise<void> {
  const http = new HttpClient(endpoint);
  // `cluster` waits for drives and IAM and knows nothing of the KMS, `ready` has the KMS make a data key
  for (const probe of ['cluster', 'ready']) {
    await waitFor(
      {
        what: `MinIO at ${endpoint.url} to be ready (/minio/health/${probe})`,
        timeoutMs: 90_000,
        hint: 'docker logs of the minio container says why',
      },
      async () => {
        const { status } = await http.send({ method: 'GET', path: `/minio/health/${probe}` });
        return status === 200 ? true : new NotYet(`HTTP ${status}`);
      },
    );
  }
  http.close();
}

/** In the note of a deploy that lets root in for the last time, until it has done so. */
const BEGUN = new Date(0);

/**
 * @param open MinIO as one user
 * @param now for tests
 * @throws ExternalError if MinIO lets in neither `ebs-iam` nor root, takes an identity and then refuses it, or lets
 *   root in that is to be refused
 */
export async function makeIdentities(
  input: Input,
  open: (credentials: S3Credentials) => IdentityAdmin,
  now = new Date(),
): Promise<void> {
  const { rootFile, files, renewalNote } = input;
  // asked before files are made: the plan has seen that they were missing
  const expected = isDue(renewalNote, now, Object.values(files));
  // users of root are told one deploy ahead, and a deploy that was killed has printed nothing
  const isEarlier = !existsSync(files[IAM_USER]) && existsSync(input.earlierObjects);
  const isAnnounced = input.rootAccess === undefined && (isEarlier || renewalTime(renewalNote) === BEGUN.getTime());
  const letIn = input.rootAccess ?? isAnnounced;
  if (isAnnounced) noteRenewal(renewalNote, BEGUN, now, {}, false);
  const users = OWN_USERS.map((user) => [user, kept(user, files[user])] as const);
  const iam = readCredentials(files[IAM_USER]);
  const isLetIn = async (credentials: S3Credentials): Promise<string | undefined> =>
    asOne(open(credentials), refusalOf);

  const root = readCredentials(rootFile);
  const refusalOfRoot = await isLetIn(root);
  const maker = (await isLetIn(iam)) === undefined ? iam : root;
  if (maker === root && refusalOfRoot !== undefined) throw noMaker(files[IAM_USER], refusalOfRoot);
  const changes = {
    policies: OWN_POLICIES,
    users: Object.fromEntries(users.map(([user, { secretKey }]) => [user, secretKey])),
    policyOf: Object.fromEntries(OWN_USERS.map((user) => [user, user])),
    accessKeys: {},
  };
  await asOne(open(maker), async (admin) => changeIam(admin, changes));
  for (const [user, credentials] of users) {
    const refusal = await isLetIn(credentials);
    if (refusal === undefined) continue;
    throw new ExternalError(`MinIO took the user ${user}, and refuses it: ${refusal}`, 'see the log of its container');
  }
  // last: whoever could not act without root has failed before
  if ((refusalOfRoot === undefined) !== letIn) {
    await asOne(open(readCredentials(files[OPERATIONS_USER])), async (admin) => setRootAccess(admin, letIn));
    if (!letIn) await untilRefused(async () => isLetIn(root));
  }
  // a note that is due has the next plan run this again
  noteRenewal(renewalNote, isAnnounced ? now : NEVER, now, {}, expected);
}

async function untilRefused(refusalOfRoot: () => Promise<string | undefined>): Promise<void> {
  const what = 'MinIO to refuse its root user';
  await waitFor({ what, timeoutMs: 30_000, hint: 'see the log of its container' }, async () =>
    (await refusalOfRoot()) === undefined ? new NotYet('it lets it in') : true,
  );
  process.stderr.write('MinIO refuses its root user from now on\n');
}

/** Takes effect at once, and on every node (minio/minio, cmd/config-current.go). */
export async function setRootAccess(admin: Pick<MinioAdmin, 'putSetting'>, letIn: boolean): Promise<void> {
  await admin.putSetting(new Secret(`api root_access=${letIn ? 'on' : 'off'}`));
}

/** The credentials in a file; new ones where there is none, written before MinIO has them. */
function kept(user: string, file: string): S3Credentials {
  if (existsSync(file)) return readCredentials(file);
  const secretKey = new Secret(randomBytes(30).toString('base64url'));
  writeFileAtomically(file, `${JSON.stringify({ accessKey: user, secretKey: secretKey.reveal() })}\n`);
  return { accessKey: user, secretKey };
}

/** How MinIO refuses a user; undefined if it does not. */
async function refusalOf(admin: IdentityAdmin): Promise<string | undefined> {
  try {
    await admin.policy(IAM_USER);
    return undefined;
  } catch (error) {
    if (error instanceof RefusedByMinio && error.status === 403) return error.message;
    throw error;
  }
}

async function asOne<T>(admin: IdentityAdmin, act: (admin: IdentityAdmin) => Promise<T>): Promise<T> {
  try {
    return await act(admin);
  } finally {
    admin.close();
  }
}

function noMaker(iamFile: string, refusal: string): ExternalError {
  return new ExternalError(
    `MinIO refuses the identity in ${iamFile}, and root as well: ${refusal}`,
    'put that file back from a backup; or deploy once with minio.rootAccess: true, and root makes the identities again',
  );
}

/** What is said of {@link isRefusalAnnounced}. */
export const ROOT_ANNOUNCED =
  'the next deploy has MinIO refuse its root user: declare clients for whoever uses it, or write minio.rootAccess: true';

/** Whether the next deploy has root refused, which this one let in: no deploy announced it, and earlier versions let it in. */
export function isRefusalAnnounced({ identitiesNote }: Pick<StateLayout, 'identitiesNote'>, now = new Date()): boolean {
  return isDue(identitiesNote, now);
}

/** Why MinIO lets its root user in; undefined where it is to refuse it. */
export function whyRootIsLetIn(
  { minio }: Pick<Environment, 'minio'>,
  state: Pick<StateLayout, 'identitiesNote'>,
): string | undefined {
  if (minio.rootAccess === true) return 'minio.rootAccess lets root in';
  return isRefusalAnnounced(state) ? ROOT_ANNOUNCED : undefined;
}
