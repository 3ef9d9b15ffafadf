/** The label by which a container, volume or network says to which environment it belongs. */
export const ENVIRONMENT_LABEL = 'encrypted-backup-storage.environment';

/** Labels as the Docker provider takes them. */
export function environmentLabels(environment: string): { label: string; value: string }[] {
  return [{ label: ENVIRONMENT_LABEL, value: environment }];
}
