/** Master keys as files of the Docker host: one for each key, named like it (kes v0.24.0, internal/keystore/fs). */
import { SERVICE_UID } from '../../../config/docker/service-user';
import type { FilesystemKeyStoreSettings } from '../../../config/environment';
import type { LoadedEnvironment } from '../../state/load';
import { nodesOf } from '../../../config/node';
import { dockerEngine } from '../../docker/docker';
import { anotherKey, type KeyMaterial } from './key-material';
import { type MountSource, withMountedFiles } from '../../docker/mounted-files';

export function filesystemKeyMaterial(
  { environment }: LoadedEnvironment,
  { path }: FilesystemKeyStoreSettings,
): KeyMaterial {
  const docker = dockerEngine(environment.docker);
  const source: MountSource = path === undefined ? { volume: nodesOf(environment)[0].kes.keyVolume } : { folder: path };
  return {
    read: async (key) => withMountedFiles(docker, source, SERVICE_UID, async ({ read }) => read(key)),
    create: async (key, material) =>
      withMountedFiles(docker, source, SERVICE_UID, async ({ read, write }) => {
        const present = await read(key);
        if (present !== undefined && !present.equals(material)) throw anotherKey(key);
        if (present !== undefined) return 'same';
        await write(key, material);
        return 'created';
      }),
    close: async () => Promise.resolve(),
  };
}
