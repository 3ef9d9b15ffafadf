import type { S3Client } from '@aws-sdk/client-s3';
import { s3Endpoint } from '../../../../config/state/endpoints';
import { readCredentials, s3Client } from '../../../../operations/minio/s3-client';
import type { LoadedEnvironment } from '../../../../operations/state/load';

/** The S3 API of a deployment as an administrator, who may do what no operation does. The caller destroys it. */
export function rootS3({ environment, state }: Pick<LoadedEnvironment, 'environment' | 'state'>): S3Client {
  return s3Client({
    endpoint: s3Endpoint(environment, state),
    region: environment.minio.region,
    credentials: readCredentials(state.secret.minioRoot),
  });
}
