import { ENVIRONMENT_LABEL } from '../../config/deployment-names';
import type { DeploymentBase } from '../deployment';

/** Labels with hashes of what a program reads only when it starts: Docker cannot change them, so neither stays. */
export const READ_AT_START_LABEL = 'encrypted-backup-storage.read-at-start';

/** Labels as the Docker provider takes them. */
export function environmentLabels({ name }: Pick<DeploymentBase, 'name'>): { label: string; value: string }[] {
  return [{ label: ENVIRONMENT_LABEL, value: name }];
}
