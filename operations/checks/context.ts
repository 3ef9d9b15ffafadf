/** Opens what the checks look at a deployment with, and takes everything back afterwards. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { CLIENTS } from '../../config/deployment-names';
import type { Environment } from '../../config/environment';
import { requireSecrets } from '../state/intact-state';
import { minioKeys } from '../../config/keys/master-keys';
import type { LoadedEnvironment } from '../state/load';
import type { TlsEndpoint } from '../../config/operation-inputs';
import { kesEndpoint, s3Endpoint } from '../../config/state/endpoints';
import { nodesOf, onEachHost } from '../../config/node';
import { ExternalError } from '../lib/errors';
import { HttpClient } from '../lib/net/http';
import { KesClient } from '../kes/kes-client';
import { ownFile } from '../minio/s3-client';
import { readableDrives } from '../minio/drives/drives';
import type { CheckContext, Expectations, ServiceContext } from './check';
import { Outages } from './outage/outages';
import { type S3Target, withS3Run } from './objects/s3-run';

/**
 * Calls `use` with what is there of a deployment also while its services are away.
 *
 * @throws ExternalError if it is not deployed, or its secrets are lost
 */
export async function withServices<T>(
  loaded: LoadedEnvironment,
  elsewhere: TlsEndpoint | undefined,
  use: (context: ServiceContext) => Promise<T>,
): Promise<T> {
  const { environment, state } = loaded;
  const kesFiles = {
    certificateFile: path.join(state.tls, `${CLIENTS.keyProver}.crt`),
    privateKeyFile: path.join(state.secret.tls, `${CLIENTS.keyProver}.key`),
  };
  requireDeployed(loaded, [state.caCertificate, state.secret.minioRoot, ...Object.values(kesFiles)]);
  const kes = new KesClient({ ...kesEndpoint(environment, state), ...kesFiles });
  const published = elsewhere ?? s3Endpoint(environment, state);
  const minio = new HttpClient(published);
  try {
    return await use({ loaded, kes, minio, s3Endpoint: published });
  } finally {
    kes.close();
    minio.close();
  }
}

/**
 * Calls `use` with a context that exists only as long as the call.
 *
 * @param signal ends every S3 request of the checks when it is aborted; what the run made is taken back all the same
 * @throws ExternalError if there is nothing that could be checked: not reachable, not let in
 */
export async function withContext<T>(
  { loaded, kes, s3Endpoint: endpoint }: ServiceContext,
  signal: AbortSignal | undefined,
  use: (context: CheckContext) => Promise<T>,
): Promise<T> {
  return withS3Run(targetOf(loaded, endpoint), signal, async ({ firstBucket, watchdog, ...run }) => {
    const outages = new Outages(loaded, watchdog);
    try {
      return await use({
        ...run,
        get bucket() {
          return firstBucket();
        },
        loaded,
        kes,
        drives: readableDrives(loaded),
        whileStopped: async (program, action) => outages.during(program, action),
      });
    } finally {
      await outages.endAll();
    }
  });
}

function targetOf(loaded: LoadedEnvironment, endpoint: TlsEndpoint): S3Target {
  const { environment, state } = loaded;
  const { minio, buckets } = environment;
  const credentialsFile = ownFile(loaded, 'minioOperations');
  return {
    expected: expectationsOf(environment),
    endpoint,
    guardedEndpoint: s3Endpoint(environment, state),
    region: minio.region,
    credentialsFile,
    credentialsName: `the credentials in ${credentialsFile}`,
    declaredBuckets: buckets.map((bucket) => bucket.name),
    needsTrust: false,
    hints: {
      noAnswer: `see \`docker ps --filter name=${nodesOf(environment)[0].id}-\`${onEachHost(environment)}; deploy with ./scripts/up ${loaded.argument}`,
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
    // what is built here has the guard
    ...(environment.images.source === 'build' ? {} : { acceptedRisks: environment.minio.acceptedRisks }),
  };
}

function requireDeployed({ environment, state, argument }: LoadedEnvironment, files: readonly string[]): void {
  const missing = files.find((file) => !existsSync(file));
  if (missing === undefined) return;
  requireSecrets(environment.name, state);
  throw new ExternalError(
    `environment ${environment.name} is not deployed: there is no ${missing}`,
    `deploy it with: ./scripts/up ${argument}`,
  );
}
