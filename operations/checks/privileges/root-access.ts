/** The users by which the project acts, and the root user, whom MinIO refuses. */
import { ListBucketsCommand, S3ServiceException } from '@aws-sdk/client-s3';
import { existsSync } from 'node:fs';
import { OWN_POLICIES, OWN_USERS } from '../../../config/minio/own-identities';
import { readIam } from '../../minio/clients/iam';
import { MinioAdmin, openAdmin, RefusedByMinio } from '../../minio/minio-admin';
import { whyRootIsLetIn } from '../../minio/provision-identities';
import { ownFile, readCredentials, s3Client } from '../../minio/s3-client';
import { userProblems } from '../clients/declared-clients';
import { type CheckContext, CheckFailure, type FullCheck } from '../check';

/** What S3 and administration answered, as HTTP statuses. */
type Answers = Readonly<Record<'S3' | 'administration', number>>;

export const rootRefused: FullCheck = {
  from: 'deployment',
  id: 'root-refused',
  title: 'MinIO refuses its root user',
  proves:
    'With the root credentials of the secrets folder, S3 and administration are refused, while the identity of the ' +
    'operations is answered there.',
  doesNotProve:
    'That no other identity is as powerful: ebs-iam may make any identity, and who reaches the container may start MinIO anew.',
  severity: 'high',
  skipReason: whyRootIsLetIn,
  run: async (context) => {
    const { state, argument } = context.loaded;
    const operations = await answersTo(context, ownFile(context.loaded, 'minioOperations'));
    const root = await answersTo(context, state.secret.minioRoot);
    const evidence = { root, operations };
    if (operations.S3 !== 200 || operations.administration !== 200) {
      throw new Error(
        `nothing is known: the operations are answered with HTTP ${operations.S3} (S3) and ${operations.administration} (administration)`,
      );
    }
    const letIn = Object.entries(root).flatMap(([where, status]) =>
      status === 403 ? [] : [`MinIO answers its root user with HTTP ${status} (${where}), not a refusal`],
    );
    if (letIn.length === 0) return evidence;
    throw new CheckFailure(
      letIn.join('; '),
      `root was let in: remove ${state.identitiesNote}, and ./scripts/up ${argument} has it refused again`,
      evidence,
    );
  },
};

export const identitiesDeclared: FullCheck = {
  from: 'deployment',
  id: 'identities-declared',
  title: 'The users by which the project acts have the rights that are declared',
  proves:
    'MinIO knows each of them with its policy exactly as the deploy gave it. None is in a group, has a further policy or ' +
    'an access key.',
  doesNotProve: 'That MinIO enforces the policies: the tests of this project try that.',
  severity: 'high',
  skipReason: (_, { secret }) =>
    existsSync(secret.minioIam) ? undefined : 'no deploy has made them; the next one does',
  run: async ({ loaded }) => {
    const { state, argument } = loaded;
    const admin = openAdmin(loaded, 'minioIam');
    const iam = await readIam(admin).finally(() => {
      admin.close();
    });
    const problems = OWN_USERS.flatMap((user) => [
      ...userProblems(iam, user, OWN_POLICIES[user]),
      ...Object.keys(iam.users[user]?.accessKeys ?? {}).map((key) => `user ${user} has the access key ${key}`),
    ]);
    const evidence = { users: [...OWN_USERS] };
    if (problems.length === 0) return evidence;
    throw new CheckFailure(
      problems.join('; '),
      `remove ${state.identitiesNote}, and ./scripts/up ${argument} sets users and policies back; groups and access keys ` +
        'need mc and root: docs/clients.md#root',
      evidence,
    );
  },
};

async function answersTo({ s3Endpoint, region }: CheckContext, file: string): Promise<Answers> {
  const credentials = readCredentials(file);
  const s3 = s3Client({ endpoint: s3Endpoint, region, credentials, attempts: 1 });
  const admin = new MinioAdmin(s3Endpoint, region, credentials);
  try {
    return {
      S3: await statusOf(s3.send(new ListBucketsCommand({}))),
      administration: await statusOf(admin.drives()),
    };
  } finally {
    s3.destroy();
    admin.close();
  }
}

async function statusOf(request: Promise<unknown>): Promise<number> {
  try {
    await request;
    return 200;
  } catch (error) {
    if (error instanceof RefusedByMinio) return error.status;
    if (error instanceof S3ServiceException) return error.$metadata.httpStatusCode ?? 0;
    throw error;
  }
}
