import { ENVIRONMENT_LABEL } from '../../config/deployment-names';

/** Labels with hashes of what a program reads only when it starts: Docker cannot change them, so neither stays. */
export const READ_AT_START_LABEL = 'encrypted-backup-storage.read-at-start';

/** Labels as the Docker provider takes them. */
export function environmentLabels(environment: string): { label: string; value: string }[] {
  return [{ label: ENVIRONMENT_LABEL, value: environment }];
}
