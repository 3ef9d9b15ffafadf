import { ListBucketsCommand } from '@aws-sdk/client-s3';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { s3Endpoint } from '../../config/state/endpoints';
import { replaceRootPassword } from './create-root-credentials';
import { ExternalError } from '../lib/errors';
import { writeFileAtomically } from '../lib/files';
import { readCredentials, s3Client } from './s3-client';
import type { Phase } from '../state/rotation';
import type { RotationContext } from '../state/rotation-context';

/**
 * Another password for MinIO's root user. MinIO knows one at a time and reads it when it starts: who uses the root
 * credentials themselves is refused from then on. Users and access keys, also those that root made, go on: IAM is sealed
 * by the KMS. Temporary credentials (STS) are signed by the root password and end.
 */
export function rotateRootCredentials({ loaded, deploy }: RotationContext): Phase[] {
  const { environment, state } = loaded;
  const { minioRoot: rootFile, minioConfigEnv: configEnvFile } = state.secret;
  const old = `${rootFile}.previous`;
  /** What MinIO answers to the credentials of a file: nothing if it takes them. */
  const refusal = async (file: string): Promise<string | undefined> => {
    const s3 = s3Client({
      endpoint: s3Endpoint(environment, state),
      region: environment.minio.region,
      credentials: readCredentials(file),
    });
    try {
      await s3.send(new ListBucketsCommand({}));
      return undefined;
    } catch (error) {
      return (error as Error).name;
    } finally {
      s3.destroy();
    }
  };

  return [
    {
      id: 'make',
      title: 'New root password',
      run: async () => {
        // kept until the new one has proved itself; after an interruption it is the one that MinIO knows
        if (!existsSync(old)) writeFileAtomically(old, readFileSync(rootFile));
        replaceRootPassword({ rootFile, configEnvFile });
        return Promise.resolve(rootFile);
      },
    },
    { id: 'deliver', ...deploy('Start MinIO with it') },
    {
      id: 'prove',
      title: 'MinIO accepts the new password and refuses the old one',
      run: async () => {
        const ofNew = await refusal(rootFile);
        if (ofNew !== undefined) throw new ExternalError(`MinIO refuses the credentials of ${rootFile}: ${ofNew}`);
        if (!existsSync(old)) return undefined;
        const ofOld = await refusal(old);
        if (ofOld === 'SignatureDoesNotMatch') return undefined;
        throw new ExternalError(`MinIO answers the old root password with ${ofOld ?? 'success'}, not a refusal`);
      },
    },
    {
      id: 'destroy',
      title: 'Destroy the old password',
      run: async () => {
        rmSync(old, { force: true });
        return Promise.resolve(undefined);
      },
    },
  ];
}
