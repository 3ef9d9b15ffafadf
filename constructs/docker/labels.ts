import { ENVIRONMENT_LABEL } from '../../config/deployment-names';

/** Labels as the Docker provider takes them. */
export function environmentLabels(environment: string): { label: string; value: string }[] {
  return [{ label: ENVIRONMENT_LABEL, value: environment }];
}
