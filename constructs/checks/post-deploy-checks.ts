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
      runner: props.runner,
      operation: 'run-checks',
      input: { environmentFile: props.environmentFile },
      triggers: props.triggers,
    });
  }
}
