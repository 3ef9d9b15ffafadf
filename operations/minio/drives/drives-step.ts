import { poolsOf } from '../../../config/node';
import { declaredFolders } from './drives-preflight';
import { HostsHere } from '../../docker/hosts/hosts-here';
import { noteDeployment } from '../../state/notes/drives-note';
import type { LoadedEnvironment } from '../../state/load';
import type { Step } from '../../lib/step';

/** @param restored MinIO's id of the data that a restore is for */
export function drivesStep(loaded: LoadedEnvironment, restored?: string, hosts = new HostsHere()): Step {
  return {
    title: 'Drives',
    applies: () => declaredFolders(loaded.environment.minio.drives).length > 0,
    run: async ({ announce }) => {
      // only where it is needed: it takes long to load
      const { requireUsableFolders } = await import('./drive-folders.js');
      return requireUsableFolders(loaded, announce, restored, hosts);
    },
  };
}

/** By which the next deploy knows the drives for those of this deployment. */
export function deploymentNoteStep(loaded: LoadedEnvironment): Step {
  return {
    title: 'Note of the drives',
    applies: () => declaredFolders(loaded.environment.minio.drives).length > 0,
    run: async () => {
      const { minioDeploymentOf } = await import('../../backup/contents.js');
      const deployment = await minioDeploymentOf(loaded);
      if (deployment !== undefined) noteDeployment(loaded.state, deployment, poolsOf(loaded.environment).length);
      return deployment;
    },
  };
}
