/** The drives of a MinIO that runs, as its container sees them. */
import { nodesOf } from '../../../config/node';
import type { LoadedEnvironment } from '../../state/load';

/** A drive of MinIO, in its container. */
export interface ReadableDrive {
  /** Where it is mounted. */
  readonly path: string;
  /** The pool that it is in. Default: 1 */
  readonly pool?: number;
  /** A folder on it as a tar archive. */
  readonly read: (folder: string) => Promise<NodeJS.ReadableStream>;
}

export function readableDrives({ environment }: Pick<LoadedEnvironment, 'environment'>): readonly ReadableDrive[] {
  return nodesOf(environment).flatMap(({ docker, host, pool, minio }) =>
    minio.drives.map(({ path: drive }) => ({
      path: host === undefined ? drive : `${host.name}:${drive}`,
      pool,
      read: async (folder) => {
        // loading it takes longer than most checks run
        const { dockerEngine } = await import('../../docker/docker.js');
        const container = dockerEngine(docker).getContainer(minio.container);
        return container.getArchive({ path: `${drive}/${folder}` });
      },
    })),
  );
}
