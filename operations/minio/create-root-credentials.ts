import { randomBytes } from 'node:crypto';
import type { OperationInput } from '../../config/operation-inputs';
import { readIfExists, writeFileAtomically } from '../lib/files';
import { Secret } from '../lib/secret';
import { readCredentials, type S3Credentials } from './s3-client';

/** Makes MinIO's root credentials where there are none, and writes both files that hold them. */
export async function createRootCredentials(input: OperationInput<'create-root-credentials'>): Promise<void> {
  const credentials = readIfExists(input.rootFile) === undefined ? newCredentials() : readCredentials(input.rootFile);
  writeRootCredentials(input, credentials);
  await Promise.resolve();
}

/** Another password for the same user: what MinIO knows of it, such as access keys that it made, stays its own. */
export function replaceRootPassword(input: OperationInput<'create-root-credentials'>): void {
  const { accessKey } = readCredentials(input.rootFile);
  writeRootCredentials(input, { accessKey, secretKey: newCredentials().secretKey });
}

function writeRootCredentials(
  { rootFile, configEnvFile }: OperationInput<'create-root-credentials'>,
  { accessKey, secretKey }: S3Credentials,
): void {
  writeFileAtomically(rootFile, `${JSON.stringify({ accessKey, secretKey: secretKey.reveal() })}\n`);
  writeFileAtomically(configEnvFile, `MINIO_ROOT_USER=${accessKey}\nMINIO_ROOT_PASSWORD=${secretKey.reveal()}\n`);
}

/** 20 and 40 characters, the lengths that S3 clients expect; base64url without `:`, which `MC_HOST_*` cannot hold. */
function newCredentials(): S3Credentials {
  return {
    accessKey: `root${randomBytes(8).toString('hex')}`,
    secretKey: new Secret(randomBytes(30).toString('base64url')),
  };
}
