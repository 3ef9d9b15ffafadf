import { Construct } from 'constructs';
import { writtenSettings } from '../../config/environment';
import type { DeploymentBase } from '../deployment';
import { Operation } from '../operation';

export interface PostDeployChecksProps {
  readonly deployment: DeploymentBase;
  /** Values of which any change means that something was deployed. */
  readonly triggers: Readonly<Record<string, string>>;
}

/** The post-deploy checks: run whenever something was deployed, and fail the deploy when one of them fails. */
export class PostDeployChecks extends Construct {
  constructor(scope: Construct, id: string, { deployment, triggers }: PostDeployChecksProps) {
    super(scope, id);
    const { environmentFile, runner, environment } = deployment;
    new Operation(this, 'Run', {
      runner:
        environmentFile === undefined
          ? runner
          : { ...runner, variables: { ...runner.variables, EBS_ENVIRONMENT: environmentFile } },
      operation: 'run-checks',
      // not the name of the file: a deploy from another clone, where it is elsewhere, is no reason to run them again
      input: environmentFile === undefined ? { environment: writtenSettings(environment) } : {},
      triggers,
    });
  }
}
