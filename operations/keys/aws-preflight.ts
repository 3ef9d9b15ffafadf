/**
 * Looks at AWS Secrets Manager and KMS before anything is deployed against them. It never reads a secret: what is
 * proven is that KES may, by asking for a version that does not exist.
 *
 * That KES may create a secret is only proven by creating one, which the first deploy does.
 */
import { DescribeKeyCommand, type KeyMetadata, KMSClient } from '@aws-sdk/client-kms';
import {
  DescribeSecretCommand,
  type DescribeSecretCommandOutput,
  GetSecretValueCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { existsSync } from 'node:fs';
import { secretsManagerEndpoint } from '../../config/keys/aws';
import type { AwsKeyStoreSettings } from '../../config/environment';
import { awsOptions, findAwsCredentials, keepAwsCredentials } from './aws-credentials';
import { ExternalError, messageOf, UsageError } from '../lib/errors';

/** A staging label that does not exist. */
const NO_VERSION = 'encrypted-backup-storage-preflight';

const POLICY_HINT = 'docs/key-stores.md has the policy that KES needs';

export interface AwsInQuestion {
  readonly keyStore: AwsKeyStoreSettings;
  readonly credentialsFile: string;
  /** Third-party CAs that may have issued the certificate of the endpoint, as in the environment file. */
  readonly trustedCAs: readonly string[];
  /** The declared master keys. */
  readonly keys: readonly string[];
  /** Those that exist for certain, because they have a canary. */
  readonly knownKeys: readonly string[];
  /** Shows a line that stays. */
  readonly announce: (line: string) => void;
}

/**
 * Makes sure that the credentials are accepted, the KMS key can seal, and each secret can be read. Only then are the
 * credentials kept: what was wrong must not be what the next deploy finds.
 *
 * @returns what was found, in one line
 * @throws UsageError without lasting credentials; ExternalError that names what is wrong
 */
export async function requireUsableAws(question: AwsInQuestion): Promise<string> {
  const { keyStore, credentialsFile, trustedCAs } = question;
  const { region } = keyStore;
  const endpoint = secretsManagerEndpoint(keyStore);
  const credentials =
    keyStore.credentials === 'chain' ? await findAwsCredentials({ region, file: credentialsFile }) : undefined;
  const options = awsOptions(keyStore, credentials, trustedCAs);
  // another endpoint of KMS: AWS_ENDPOINT_URL_KMS, as for every AWS client
  const kms = new KMSClient(options);
  requireTls(kms);
  const secrets = new SecretsManagerClient({ ...options, endpoint });
  const account = credentials === undefined ? 'the instance’s role' : `access key ${credentials.accessKeyId}`;
  const ask = <T>(right: string, on: string, request: Promise<T>): Promise<T> =>
    explained({ right, on, account, endpoint, credentialsFile }, request);
  try {
    if (keyStore.kmsKey !== undefined) await requireUsableKmsKey(kms, keyStore.kmsKey, ask);
    for (const key of question.keys) await requireReadableSecret(secrets, key, question, ask);
    if (credentials !== undefined) keepAwsCredentials(credentialsFile, credentials);
    return `${region}, ${account}`;
  } finally {
    kms.destroy();
    secrets.destroy();
  }
}

const LOOPBACK = /^(?:localhost|127(?:\.\d+){3}|\[?::1\]?)$/;

/**
 * Refuses to send in the clear to another machine. Asked of each request, because besides the variable the profile can
 * name an address, and the client puts that in only then.
 */
function requireTls({ middlewareStack }: KMSClient): void {
  middlewareStack.add(
    (next) => async (step) => {
      const { protocol, hostname } = step.request as { readonly protocol: string; readonly hostname: string };
      if (protocol !== 'https:' && !LOOPBACK.test(hostname)) {
        throw new UsageError(
          `AWS_ENDPOINT_URL_KMS: must be an https:// address, for nothing is sent in the clear, got: ${protocol}//${hostname}`,
          'correct it, or what stands in its place: AWS_ENDPOINT_URL, or endpoint_url of the AWS profile; nothing was changed',
        );
      }
      return next(step);
    },
    { step: 'build', name: 'requireTls' },
  );
}

type Ask = <T>(right: string, on: string, request: Promise<T>) => Promise<T>;

async function requireUsableKmsKey(kms: KMSClient, KeyId: string, ask: Ask): Promise<void> {
  let key: KeyMetadata | undefined;
  try {
    const request = kms.send(new DescribeKeyCommand({ KeyId }));
    key = (await ask('kms:DescribeKey', `KMS key ${KeyId}`, request)).KeyMetadata;
  } catch (error) {
    if (nameOf(error) !== 'NotFoundException') throw error;
    throw new ExternalError(
      `keyStore.kmsKey: KMS key ${KeyId} does not exist in this account and region`,
      'correct it, or create the key first; nothing was changed',
    );
  }
  if (key?.KeyState !== 'Enabled') {
    throw new ExternalError(
      `keyStore.kmsKey: KMS key ${KeyId} must be enabled, got: ${key?.KeyState ?? 'no state'}`,
      `aws kms enable-key --key-id ${KeyId}; a key that is pending deletion: aws kms cancel-key-deletion first`,
    );
  }
  if (key.KeySpec !== 'SYMMETRIC_DEFAULT') {
    throw new ExternalError(
      `keyStore.kmsKey: KMS key ${KeyId} must be symmetric, for Secrets Manager to seal with it, got: ${key.KeySpec ?? 'no spec'}`,
      'name a key of spec SYMMETRIC_DEFAULT',
    );
  }
}

async function requireReadableSecret(
  secrets: SecretsManagerClient,
  key: string,
  { keyStore, knownKeys, announce }: AwsInQuestion,
  ask: Ask,
): Promise<void> {
  let secret: DescribeSecretCommandOutput | undefined;
  try {
    const request = secrets.send(new DescribeSecretCommand({ SecretId: key }));
    secret = await ask('secretsmanager:DescribeSecret', `secret ${key}`, request);
  } catch (error) {
    if (nameOf(error) !== 'ResourceNotFoundException') throw error;
  }
  const known = knownKeys.includes(key);
  if (secret === undefined && known) {
    throw new ExternalError(
      `master key ${key} has a canary, but there is no secret of its name in ${keyStore.region}`,
      'these credentials may be of another account; or restore the secret. What is encrypted under it cannot be read without it',
    );
  }
  if (secret?.DeletedDate !== undefined) {
    throw new ExternalError(
      `secret ${key} is marked for deletion, since ${secret.DeletedDate.toISOString()}`,
      `aws secretsmanager restore-secret --region ${keyStore.region} --secret-id ${key}`,
    );
  }
  if (secret !== undefined && !known) {
    announce(
      `WARNING: secret ${key} exists already and is taken over as the master key. Secrets have no prefix: if another environment of this account and region uses it, both share the key. Else choose another name.`,
    );
  }
  try {
    const request = secrets.send(new GetSecretValueCommand({ SecretId: key, VersionStage: NO_VERSION }));
    await ask('secretsmanager:GetSecretValue', `secret ${key}`, request);
  } catch (error) {
    if (nameOf(error) !== 'ResourceNotFoundException') throw error;
  }
}

/** How AWS says that it does not know who asks: the services disagree. */
const UNKNOWN_CALLER = [
  'UnrecognizedClientException',
  'InvalidClientTokenId',
  'InvalidSignatureException',
  'SignatureDoesNotMatch',
  'IncompleteSignature',
  'AuthFailure',
];

interface Question {
  readonly right: string;
  readonly on: string;
  readonly account: string;
  readonly endpoint: string;
  readonly credentialsFile: string;
}

async function explained<T>(
  { right, on, account, endpoint, credentialsFile }: Question,
  request: Promise<T>,
): Promise<T> {
  try {
    return await request;
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const name = nameOf(error);
    if (['NotFoundException', 'ResourceNotFoundException'].includes(name)) throw error;
    if (UNKNOWN_CALLER.includes(name)) {
      throw new ExternalError(
        `AWS does not accept the credentials (${account}): ${name}`,
        existsSync(credentialsFile)
          ? `they are those of an earlier deploy: set the right ones, remove ${credentialsFile}, and deploy again; nothing was changed`
          : 'set the right ones (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE) and deploy again; nothing was changed',
        { cause: error },
      );
    }
    if (['AccessDeniedException', 'AccessDenied'].includes(name)) {
      throw new ExternalError(`AWS: ${account} lacks the right ${right} on ${on}`, POLICY_HINT, { cause: error });
    }
    throw new ExternalError(
      `AWS at ${right.startsWith('kms:') ? 'KMS' : endpoint} cannot be asked for ${on}: ${name}: ${messageOf(error)}`,
      'check region, endpoint, caFile, trustedCAs, proxy and the network; nothing was changed',
      { cause: error },
    );
  }
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : '';
}
