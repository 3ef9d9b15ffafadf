import { ListBucketsCommand } from '@aws-sdk/client-s3';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { SERVICE_UID } from '../../config/docker/service-user';
import { type Node, nodesOf, onHost } from '../../config/node';
import { minioNodeEndpoint } from '../../config/state/endpoints';
import { replaceRootPassword } from './create-root-credentials';
import { onEachNode } from '../docker/hosts/each-node';
import { withMountedFiles } from '../docker/mounted-files';
import { ExternalError } from '../lib/errors';
import { writeFileAtomically } from '../lib/files';
import { NotYet, waitFor } from '../lib/wait';
import { openAdmin } from './minio-admin';
import { setRootAccess, whyRootIsLetIn } from './provision-identities';
import { ownFile, readCredentials, s3Client } from './s3-client';
import type { Phase } from '../state/rotation';
import type { RotationContext } from '../state/rotation-context';

/**
 * Another password for MinIO's root user. MinIO knows one at a time and reads it when it starts: who uses the root
 * credentials themselves is refused from then on. Users and access keys, also those that root made, go on: IAM is sealed
 * by the KMS. Temporary credentials (STS) are signed by the root password and end.
 *
 * The MinIO of several hosts sign for each other with it. One that has another password than its peers is none of theirs, so
 * all of them start again together, and answer no request meanwhile. The deploy then replaces their containers one by one.
 */
export function rotateRootCredentials({ loaded, deploy }: RotationContext): Phase[] {
  const { environment, state } = loaded;
  const { minioRoot: rootFile, minioConfigEnv: configEnvFile } = state.secret;
  const old = `${rootFile}.previous`;
  const nodes = nodesOf(environment);
  /** What MinIO answers to the credentials of a file: nothing if it takes them. */
  const refusal = async (file: string, node: Node): Promise<string | undefined> => {
    const s3 = s3Client({
      endpoint: minioNodeEndpoint(environment, state, node),
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

  const proof = async (): Promise<undefined> => {
    for (const node of nodes) {
      const minio = `MinIO${onHost(node)}`;
      const ofNew = await refusal(rootFile, node);
      if (ofNew !== undefined) throw new ExternalError(`${minio} refuses the credentials of ${rootFile}: ${ofNew}`);
      if (!existsSync(old)) continue;
      const ofOld = await refusal(old, node);
      if (ofOld === 'SignatureDoesNotMatch') continue;
      throw new ExternalError(`${minio} answers the old root password with ${ofOld ?? 'success'}, not a refusal`);
    }
    return undefined;
  };
  const setAccess = async (letIn: boolean): Promise<void> => {
    const admin = openAdmin(loaded);
    try {
      await setRootAccess(admin, letIn);
    } finally {
      admin.close();
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
    {
      id: 'together',
      title: 'Start MinIO on all hosts again',
      applies: () => nodes.length > 1,
      run: async ({ announce }) => {
        announce('S3 clients are refused for some seconds: MinIO stops on all hosts together');
        const password = readFileSync(configEnvFile);
        await onEachNode(nodes, async ({ minio }, docker) =>
          withMountedFiles(docker, { volume: minio.files }, SERVICE_UID, async ({ write }) =>
            write('config.env', password),
          ),
        );
        const since = performance.now();
        await onEachNode(nodes, async ({ minio }, docker) => {
          await docker.getContainer(minio.container).restart({ t: STOP_SECONDS });
        });
        for (const node of nodes) {
          const what = `MinIO${onHost(node)} to answer again`;
          await waitFor({ what, timeoutMs: 120_000, hint: '`docker logs` of MinIO there says why' }, async () => {
            // root may be refused; whether its password counts is proven below
            const refused = await refusal(ownFile(loaded, 'minioOperations'), node);
            return refused === undefined ? true : new NotYet(refused);
          });
        }
        return `it answers again after ${((performance.now() - since) / 1000).toFixed(1)} s`;
      },
    },
    { id: 'deliver', ...deploy('Start MinIO with it') },
    {
      id: 'prove',
      title: 'MinIO accepts the new password and refuses the old one',
      run: async () => {
        if (whyRootIsLetIn(environment, state) !== undefined) return proof();
        // MinIO looks at no password of a root user that it refuses
        await setAccess(true);
        return proof().finally(async () => setAccess(false));
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

/** As its container has it, see minio-server.ts. */
const STOP_SECONDS = 30;
