/** The credentials with which KES reads and creates master keys in AWS Secrets Manager. */
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { fromInstanceMetadata } from '@smithy/credential-provider-imds';
import { readFileSync } from 'node:fs';
import { Agent, type AgentOptions } from 'node:https';
import { rootCertificates } from 'node:tls';
import { z } from 'zod';
import type { AwsKeyStoreSettings } from '../../config/environment';
import type { OperationInput } from '../../config/operation-inputs';
import { ExternalError, messageOf, UsageError } from '../lib/errors';
import { readIfExists, writeFileAtomically } from '../lib/files';
import { readTrustedCAs } from '../certificates/trusted-roots';
import { Secret, secretText } from '../lib/secret';
import { TunnelAgent } from '../lib/net/tunnel';

// the version is pinned, so what later versions will need is no news to whoever deploys
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';

const credentials = z.strictObject({ accessKeyId: z.string().min(1), secretAccessKey: secretText });
export type AwsCredentials = z.infer<typeof credentials>;

/** What the usual chain gives: variables, profile, web identity, instance role, as every AWS client asks them. */
export type CredentialChain = () => Promise<{
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}>;

function usualChain(region: string): CredentialChain {
  return async () => {
    const client = new SecretsManagerClient({ region });
    try {
      return await client.config.credentials();
    } finally {
      client.destroy();
    }
  };
}

/**
 * Lasting credentials for KES. Those of an earlier deploy stay: the variables of a later one may be of another account,
 * meant for something else.
 *
 * @throws UsageError if there are none, or only such that end
 */
export async function findAwsCredentials(
  { region, file }: OperationInput<'store-aws-credentials'>,
  chain = usualChain(region),
): Promise<AwsCredentials> {
  if (readIfExists(file) !== undefined) return readAwsCredentials(file);
  let found: Awaited<ReturnType<CredentialChain>>;
  try {
    found = await chain();
  } catch (error) {
    throw new UsageError(
      `AWS credentials: must be there for keyStore.type aws, got none (${messageOf(error)})`,
      'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, to those that KES shall have; on EC2: keyStore.credentials: instance-role',
    );
  }
  const { accessKeyId, secretAccessKey, sessionToken } = found;
  if (sessionToken !== undefined) {
    throw new UsageError(
      `AWS credentials: must be lasting ones, because KES needs them for as long as it runs, got: temporary ones (${accessKeyId})`,
      'give the access key of an IAM user with the policy of docs/key-stores.md; on EC2: keyStore.credentials: instance-role',
    );
  }
  return { accessKeyId, secretAccessKey: new Secret(secretAccessKey) };
}

/** Keeps credentials for KES and every later deploy, in a file that only this user can read; those that are kept stay. */
export function keepAwsCredentials(file: string, { accessKeyId, secretAccessKey }: AwsCredentials): void {
  if (readIfExists(file) !== undefined) return;
  writeFileAtomically(file, `${JSON.stringify({ accessKeyId, secretAccessKey: secretAccessKey.reveal() })}\n`);
  process.stderr.write(`KES uses the AWS access key ${accessKeyId}\n`);
}

/** Both in one, where no look at AWS came before: plain `cdktf deploy`. */
export async function storeAwsCredentials(
  input: OperationInput<'store-aws-credentials'>,
  chain = usualChain(input.region),
): Promise<AwsCredentials> {
  const found = await findAwsCredentials(input, chain);
  keepAwsCredentials(input.file, found);
  return found;
}

/** @throws ExternalError if the file is not whole; it never repeats the content */
export function readAwsCredentials(file: string): AwsCredentials {
  const text = readFileSync(file, 'utf8');
  try {
    return credentials.parse(JSON.parse(text));
  } catch {
    throw new ExternalError(
      `${file} does not hold {accessKeyId, secretAccessKey}`,
      'put the file back, or remove it to have the next deploy take the credentials from where AWS clients look for them',
    );
  }
}

/**
 * What a client of AWS is told about the key store of an environment.
 *
 * @param given undefined: the role of the instance, which is what KES asks there. Variables and profiles of this machine
 * may be of another account, and master keys would be copied there
 */
export function awsOptions(
  { region, caFile, proxy }: Pick<AwsKeyStoreSettings, 'region' | 'caFile' | 'proxy'>,
  given: AwsCredentials | undefined,
  trustedCAs: readonly string[],
) {
  const tls: AgentOptions = {
    // said, because NODE_TLS_REJECT_UNAUTHORIZED=0 changes only the default
    rejectUnauthorized: true,
    // absent: what Node trusts, which its user may have added to
    ...(caFile === undefined && trustedCAs.length === 0
      ? {}
      : {
          ca: [
            ...(caFile === undefined ? rootCertificates : [readFileSync(caFile, 'utf8')]),
            ...readTrustedCAs(trustedCAs).map(String),
          ],
        }),
  };
  return {
    region,
    credentials:
      given === undefined
        ? fromInstanceMetadata({ timeout: 5_000, maxRetries: 1 })
        : { accessKeyId: given.accessKeyId, secretAccessKey: given.secretAccessKey.reveal() },
    maxAttempts: 2,
    requestHandler: {
      requestTimeout: 15_000,
      connectionTimeout: proxy === undefined ? 5_000 : 15_000,
      httpsAgent: proxy === undefined ? new Agent(tls) : new TunnelAgent(new URL(proxy), tls),
    },
  };
}
