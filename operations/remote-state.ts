import { DeleteObjectCommand, paginateListObjectsV2, S3Client } from '@aws-sdk/client-s3';
import { readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import type { Environment } from '../config/environment';
import { ExternalError, messageOf } from './errors';

/**
 * Deletes the Terraform state of an environment from its S3 bucket, with the credentials by which Terraform reaches it
 * (`AWS_…` variables, profile or role; `AWS_CA_BUNDLE` for a private CA).
 *
 * @returns how many objects were deleted; a versioned bucket still has their versions
 */
export async function deleteRemoteState({ name, state }: Pick<Environment, 'name' | 'state'>): Promise<number> {
  if (state.backend !== 's3') return 0;
  const { bucket, keyPrefix, region, endpoint } = state;
  const caFile = process.env.AWS_CA_BUNDLE;
  const s3 = new S3Client({
    region,
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
    requestHandler: { httpsAgent: new Agent(caFile ? { ca: readFileSync(caFile) } : {}) },
  });
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
