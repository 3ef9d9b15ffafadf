/** Who reads files of MinIO's drives: a user that is made for it and removed again. */
import { randomBytes } from 'node:crypto';
import { INSPECTOR_USER } from '../../config/deployment-names';
import { inspectorPolicy } from '../../config/minio/own-identities';
import { s3Endpoint } from '../../config/state/endpoints';
import { Secret } from '../lib/secret';
import type { LoadedEnvironment } from '../state/load';
import { MinioAdmin, openAdmin } from './minio-admin';

/** Calls `use` with a MinIO that gives files of its drives. A kill in between leaves the user, whose secret is then lost. */
export async function withInspector<T>(
  deployed: Pick<LoadedEnvironment, 'environment' | 'state'>,
  use: (admin: Pick<MinioAdmin, 'rawFiles'>) => Promise<T>,
): Promise<T> {
  const { environment, state } = deployed;
  const iam = openAdmin(deployed, 'minioIam');
  try {
    const user = { accessKey: INSPECTOR_USER, secretKey: new Secret(randomBytes(30).toString('base64url')) };
    await iam.putPolicy(INSPECTOR_USER, inspectorPolicy);
    await iam.putUser(user, INSPECTOR_USER);
    const admin = new MinioAdmin(s3Endpoint(environment, state), environment.minio.region, user);
    try {
      return await use(admin);
    } finally {
      admin.close();
      await iam.deleteUser(INSPECTOR_USER);
      await iam.deletePolicy(INSPECTOR_USER);
    }
  } finally {
    iam.close();
  }
}
