/** Opens what the checks look at a deployment with, and takes everything back afterwards. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { LEAVES, namesOf } from '../../config/deployment-names';
import type { Environment } from '../../config/environment';
import { reachableAddress } from '../../config/reachable';
import { minioKeys } from '../../config/master-keys';
import type { LoadedEnvironment } from '../../config/load';
import type { TlsEndpoint } from '../../config/operation-inputs';
import { s3Endpoint } from '../../config/s3-endpoint';
import { ExternalError } from '../errors';
import { KesClient } from '../kes-client';
import type { CheckContext, Expectations } from './check';
import { Outages } from './outages';
import { type S3Target, withS3Run } from './s3-run';

export interface ContextOptions {
  /** Ends every S3 request of the checks when it is aborted; what the run made is taken back all the same. */
  readonly signal?: AbortSignal | undefined;
  /** Where the S3 API is looked at. @default - where the environment publishes it */
  readonly s3Endpoint?: TlsEndpoint | undefined;
}

/**
 * Calls `use` with a context that exists only as long as the call.
 *
 * @throws ExternalError if there is nothing that could be checked: not deployed, not reachable, not let in
 */
export async function withContext<T>(
  loaded: LoadedEnvironment,
  { signal, s3Endpoint }: ContextOptions,
  use: (context: CheckContext) => Promise<T>,
): Promise<T> {
  const { environment, state } = loaded;
  const kesFiles = {
    certificateFile: path.join(state.tls, `${LEAVES.keyProver}.crt`),
    privateKeyFile: path.join(state.secret.tls, `${LEAVES.keyProver}.key`),
  };
  requireDeployed(loaded, [state.caCertificate, state.secret.minioRoot, ...Object.values(kesFiles)]);
  const kes = new KesClient({ ...endpointOf(loaded, environment.kes.port), ...kesFiles });
  try {
    return await withS3Run(targetOf(loaded, s3Endpoint), signal, async ({ firstBucket, guardian, ...run }) => {
      const outages = new Outages(loaded, guardian);
      try {
        return await use({
          ...run,
          get bucket() {
            return firstBucket();
          },
          loaded,
          kes,
          readDrive: driveReader(loaded),
          whileStopped: async (program, action) => outages.during(program, action),
        });
      } finally {
        await outages.endAll();
      }
    });
  } finally {
    kes.close();
  }
}

function endpointOf({ environment, state }: LoadedEnvironment, port: number): TlsEndpoint {
  return { url: `https://${reachableAddress(environment)}:${port}`, caFile: state.caCertificate };
}

function targetOf(loaded: LoadedEnvironment, elsewhere: TlsEndpoint | undefined): S3Target {
  const { environment, state } = loaded;
  const { name, minio, buckets } = environment;
  const published = s3Endpoint(environment, state);
  return {
    expected: expectationsOf(environment),
    endpoint: elsewhere ?? published,
    guardedEndpoint: published,
    region: minio.region,
    credentialsFile: state.secret.minioRoot,
    credentialsName: `the root credentials of ${state.secret.minioRoot}`,
    declaredBuckets: buckets.map((bucket) => bucket.name),
    needsTrust: false,
    hints: {
      noAnswer: `see \`docker ps --filter name=${namesOf(environment).prefix}-\`; deploy with ./scripts/up ${name}`,
      credentials: 'another deployment answers on this port, or the file is not the one that was deployed',
    },
  };
}

/** What an environment file says about encryption. */
export function expectationsOf(environment: Environment): Expectations {
  return {
    environment: environment.name,
    defaultKey: environment.minio.defaultKey,
    masterKeys: minioKeys(environment),
    autoEncryption: environment.minio.autoEncryption,
  };
}

function requireDeployed({ environment }: LoadedEnvironment, files: readonly string[]): void {
  const missing = files.find((file) => !existsSync(file));
  if (missing === undefined) return;
  throw new ExternalError(
    `environment ${environment.name} is not deployed: there is no ${missing}`,
    `deploy it with: ./scripts/up ${environment.name}`,
  );
}

function driveReader({ environment }: LoadedEnvironment): CheckContext['readDrive'] {
  return async (folder) => {
    // loading it takes longer than most checks run
    const { dockerEngine } = await import('../docker.js');
    const container = dockerEngine(environment.docker).getContainer(`ebs-${environment.name}-minio`);
    return container.getArchive({ path: folder });
  };
}
