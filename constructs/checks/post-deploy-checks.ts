import { Construct } from 'constructs';
import { Operation, type OperationRunner } from '../operation';

export interface PostDeployChecksProps {
  readonly runner: OperationRunner;
  /** The environment that is checked. */
  readonly environmentFile: string;
  /** Values of which any change means that something was deployed. */
  readonly triggers: Readonly<Record<string, string>>;
}

/** The post-deploy checks: run whenever something was deployed, and fail the deploy when one of them fails. */
export class PostDeployChecks extends Construct {
  constructor(scope: Construct, id: string, props: PostDeployChecksProps) {
    super(scope, id);
    new Operation(this, 'Run', {
      // no input: a deploy from another clone, where the file is elsewhere, is no reason to run them again
      runner: { ...props.runner, variables: { ...props.runner.variables, EBS_ENVIRONMENT: props.environmentFile } },
      operation: 'run-checks',
      input: {},
      triggers: props.triggers,
    });
  }
}
