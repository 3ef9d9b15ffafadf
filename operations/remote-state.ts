import { DeleteObjectCommand, GetObjectCommand, NoSuchKey, paginateListObjectsV2, S3Client } from '@aws-sdk/client-s3';
import { readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import type { Environment } from '../config/environment';
import type { StackName } from '../config/stack-names';
import { ExternalError, messageOf } from './errors';

// the version is pinned, so what later versions will need is no news to whoever deploys
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';

/**
 * Deletes the Terraform state of an environment from its S3 bucket, with the credentials by which Terraform reaches it
 * (`AWS_…` variables, profile or role; `AWS_CA_BUNDLE` for a private CA).
 *
 * @returns how many objects were deleted; a versioned bucket still has their versions
 */
export async function deleteRemoteState({ name, state }: Pick<Environment, 'name' | 'state'>): Promise<number> {
  if (state.backend !== 's3') return 0;
  const { bucket, keyPrefix } = state;
  const s3 = stateClient(state);
  try {
    let count = 0;
    for await (const page of paginateListObjectsV2(
      { client: s3 },
      { Bucket: bucket, Prefix: `${keyPrefix}/${name}/` },
    )) {
      for (const { Key } of page.Contents ?? []) {
        await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key }));
        count += 1;
      }
    }
    return count;
  } catch (error) {
    throw new ExternalError(
      `the Terraform state in s3://${bucket}/${keyPrefix}/${name}/ cannot be deleted: ${messageOf(error)}`,
      'set the AWS_… variables with which it was deployed, then run this again',
      { cause: error },
    );
  } finally {
    s3.destroy();
  }
}

/** The state in S3 cannot be read here; Terraform may know a way that we do not, such as a proxy. */
export class UnreadableStateError extends ExternalError {}

/**
 * The text of one stack's Terraform state in S3.
 *
 * @returns undefined if there is none yet
 * @throws UnreadableStateError if it cannot be read
 */
export async function readRemoteState(
  environment: string,
  state: S3State,
  stack: StackName,
): Promise<string | undefined> {
  const s3 = stateClient(state);
  const Key = `${state.keyPrefix}/${environment}/${stack}.tfstate`;
  try {
    return await (await s3.send(new GetObjectCommand({ Bucket: state.bucket, Key }))).Body?.transformToString();
  } catch (error) {
    if (error instanceof NoSuchKey) return undefined;
    throw new UnreadableStateError(
      `the Terraform state s3://${state.bucket}/${Key} cannot be read: ${messageOf(error)}`,
      error instanceof Error && error.name === 'NoSuchBucket'
        ? 'make the bucket, or correct state.bucket in the environment file'
        : 'set the AWS_… variables with which Terraform reaches it',
      { cause: error },
    );
  } finally {
    s3.destroy();
  }
}

type S3State = Extract<Environment['state'], { backend: 's3' }>;

function stateClient({ region, endpoint }: S3State): S3Client {
  const caFile = process.env.AWS_CA_BUNDLE;
  return new S3Client({
    region,
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
    requestHandler: {
      // said, because NODE_TLS_REJECT_UNAUTHORIZED=0 changes only the default
      httpsAgent: new Agent({ rejectUnauthorized: true, ...(caFile ? { ca: readFileSync(caFile) } : {}) }),
    },
  });
}
