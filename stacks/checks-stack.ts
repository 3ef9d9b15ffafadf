import type { Construct } from 'constructs';
import { PostDeployChecks } from '../constructs/checks/post-deploy-checks';
import type { DeploymentBase } from '../constructs/deployment';
import { EnvironmentStack } from './environment-stack';

/** The post-deploy checks. A failed check fails the deploy. */
export class ChecksStack extends EnvironmentStack {
  /** @param triggers values of the other stacks of which any change means that something was deployed */
  constructor(scope: Construct, deployment: DeploymentBase, triggers: Readonly<Record<string, string>>) {
    super(scope, 'checks', deployment);
    new PostDeployChecks(this, 'PostDeployChecks', { deployment, triggers });
  }
}
