/** The backup clients as people use them: `aws`, `mc` and `restic`. */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { s3CaFile } from '../../../../config/state/endpoints';
import { UsageError } from '../../../../operations/lib/errors';
import type { S3Credentials } from '../../../../operations/minio/s3-client';
import { builtMc } from '../../../../operations/toolchain/findings';
import { findClient, NO_AWS_SETTINGS } from './client-programs';
import { output } from '../command';
import type { TestEnvironment } from '../test-environment';

function program(name: 'aws' | 'restic'): string {
  const file = findClient(name);
  if (file === undefined) throw new UsageError(`no ${name} that works was found`, './scripts/test installs it');
  return file;
}

function caFileOf({ loaded }: TestEnvironment): string {
  const file = s3CaFile(loaded.environment, loaded.state);
  if (file === undefined) throw new Error('no test deploys a publicly trusted certificate');
  return file;
}

/** The AWS command line interface with the root credentials. */
export async function aws(environment: TestEnvironment, args: readonly string[], cwd?: string): Promise<string> {
  const { accessKey, secretKey } = environment.credentials;
  return output(program('aws'), ['--endpoint-url', environment.s3Url, '--ca-bundle', caFileOf(environment), ...args], {
    ...(cwd === undefined ? {} : { cwd }),
    env: {
      AWS_ACCESS_KEY_ID: accessKey,
      AWS_SECRET_ACCESS_KEY: secretKey.reveal(),
      AWS_DEFAULT_REGION: environment.loaded.environment.minio.region,
      ...NO_AWS_SETTINGS,
    },
  });
}

/** Writes a key for SSE-C as a file of 32 bytes. */
export function writeCustomerKey(environment: TestEnvironment): string {
  const file = path.join(environment.folderFor('aws'), 'customer.key');
  writeFileSync(file, randomBytes(32), { mode: 0o600 });
  return file;
}

/** The MinIO client; the deployment is its alias `e2e`. */
export async function mc(environment: TestEnvironment, args: readonly string[]): Promise<string> {
  const { accessKey, secretKey } = environment.credentials;
  const file = builtMc();
  if (file === undefined) throw new UsageError('no mc was built', 'run ./scripts/toolchain');
  return output(file, ['--config-dir', path.join(environment.folderFor('mc'), 'config'), ...args], {
    env: {
      MC_HOST_e2e: environment.s3Url.replace('://', `://${accessKey}:${secretKey.reveal()}@`),
      SSL_CERT_FILE: caFileOf(environment),
    },
  });
}

/**
 * restic with a repository in one bucket.
 *
 * @param at the address and credentials that it uses. Default: those of {@link TestEnvironment}
 */
export async function restic(
  environment: TestEnvironment,
  bucket: string,
  args: readonly string[],
  cwd?: string,
  at: { readonly s3Url: string; readonly credentials: S3Credentials } = environment,
): Promise<string> {
  const { accessKey, secretKey } = at.credentials;
  return output(
    program('restic'),
    ['--cacert', caFileOf(environment), '--repo', `s3:${at.s3Url}/${bucket}/restic`, ...args],
    {
      ...(cwd === undefined ? {} : { cwd }),
      env: {
        AWS_ACCESS_KEY_ID: accessKey,
        AWS_SECRET_ACCESS_KEY: secretKey.reveal(),
        AWS_DEFAULT_REGION: environment.loaded.environment.minio.region,
        RESTIC_PASSWORD: 'restic has a password of its own',
        RESTIC_CACHE_DIR: path.join(environment.folderFor('restic'), 'cache'),
        RESTIC_PROGRESS_FPS: '0',
      },
    },
  );
}
