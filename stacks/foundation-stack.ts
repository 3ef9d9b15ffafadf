import type { Construct } from 'constructs';
import type { DeploymentBase } from '../constructs/deployment';
import { declareFoundation } from '../constructs/foundation';
import type { Certificates } from '../constructs/tls/certificates';
import { EnvironmentStack } from './environment-stack';

/**
 * What everything else stands on: the network of MinIO and KES, images, certificates, root credentials. Of several hosts
 * each has networks and images in a stack of its own.
 */
export class FoundationStack extends EnvironmentStack {
  readonly ca: Certificates;

  constructor(scope: Construct, deployment: DeploymentBase) {
    super(scope, 'foundation', deployment);
    if (deployment.environment.hosts === undefined) deployment.useDocker(this, { withLogins: true });
    this.ca = declareFoundation(this, deployment);
  }
}
