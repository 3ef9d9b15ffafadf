/** Who reads MinIO's metrics: a user that may do nothing else, and never root. */
import { createHmac, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { METRICS_USER } from '../../config/deployment-names';
import { DENIED_OF_ONESELF } from '../../config/minio/own-identities';
import type { OperationInput } from '../../config/operation-inputs';
import { noteRenewal } from '../certificates/renewal';
import { writeFileAtomically } from '../lib/files';
import { Secret } from '../lib/secret';
import type { MinioAdmin } from './minio-admin';
import { readCredentials, type S3Credentials } from './s3-client';

type Files = NonNullable<OperationInput<'provision-buckets'>['metrics']>;

const LIFE_MS = 365 * 24 * 60 * 60 * 1000;

/**
 * The only action that MinIO asks for at its metrics (minio/pkg, policy/admin-action.go). What is denied every user may do
 * for itself unless it is denied (minio/minio, cmd/admin-handlers-users.go): other credentials would outlive these.
 */
const metricsPolicy = {
  Version: '2012-10-17',
  Statement: [
    { Effect: 'Allow', Action: ['admin:Prometheus'] },
    { Effect: 'Deny', Action: DENIED_OF_ONESELF },
  ],
} as const;

/** Makes user and token, or keeps those that there are and makes the token last longer. */
export async function provisionMetricsReader(
  admin: Pick<MinioAdmin, 'putPolicy' | 'putUser'>,
  { userFile, tokenFile, renewalNote }: Files,
  now = new Date(),
): Promise<void> {
  const user = existsSync(userFile) ? readCredentials(userFile) : newUser();
  await admin.putPolicy(METRICS_USER, metricsPolicy);
  await admin.putUser(user, METRICS_USER);
  writeFileAtomically(
    userFile,
    `${JSON.stringify({ accessKey: user.accessKey, secretKey: user.secretKey.reveal() })}\n`,
  );
  const expires = new Date(now.getTime() + LIFE_MS);
  writeFileAtomically(tokenFile, metricsToken(user, expires).reveal());
  noteRenewal(renewalNote, new Date(expires.getTime() - LIFE_MS / 3), now, { expires: expires.toISOString() });
}

function newUser(): S3Credentials {
  return { accessKey: METRICS_USER, secretKey: new Secret(randomBytes(30).toString('base64url')) };
}

/** As MinIO takes it: a JWT that is signed with the secret key of its user (minio/minio, cmd/jwt.go). */
export function metricsToken({ accessKey, secretKey }: S3Credentials, expires: Date): Secret {
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = { iss: 'prometheus', sub: accessKey, exp: Math.floor(expires.getTime() / 1000) };
  const signed = `${encode({ alg: 'HS512', typ: 'JWT' })}.${encode(claims)}`;
  return new Secret(`${signed}.${createHmac('sha512', secretKey.reveal()).update(signed).digest('base64url')}`);
}
