/** What S3 never changes of a bucket, object lock and versioning that is on: asked before anything is changed. */
import { HeadBucketCommand } from '@aws-sdk/client-s3';
import { existsSync } from 'node:fs';
import type { LoadedEnvironment } from '../../state/load';
import { messageOf, UsageError } from '../../lib/errors';
import { bucketProblem, statusOf } from './provision-buckets';
import { openS3 } from '../s3-client';

/**
 * @returns what came of it, for the list of steps
 * @throws UsageError for a bucket that exists and cannot become the declared one
 */
export async function requireSameObjectLocks(
  loaded: Pick<LoadedEnvironment, 'environment' | 'state'>,
): Promise<string> {
  const { buckets } = loaded.environment;
  if (buckets.length === 0) return 'none is declared';
  if (!existsSync(loaded.state.secret.minioRoot)) return 'there are none yet';
  const s3 = openS3(loaded, { attempts: 1 });
  let present = 0;
  try {
    for (const { name, objectLock, versioning } of buckets) {
      try {
        await s3.send(new HeadBucketCommand({ Bucket: name }));
      } catch (error) {
        if (statusOf(error) === 404) continue;
        // the deploy itself asks again, when MinIO runs
        return `asked in the deploy, because MinIO cannot be asked now (${messageOf(error)})`;
      }
      present += 1;
      const problem = await bucketProblem(s3, { name, objectLock, versioning });
      if (problem !== undefined) throw new UsageError(problem.said, `${problem.fix}; nothing was changed`);
    }
  } finally {
    s3.destroy();
  }
  return `${present} of ${buckets.length} there, with the declared object lock`;
}
