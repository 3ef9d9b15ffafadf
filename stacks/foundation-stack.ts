import type { Construct } from 'constructs';
import type { DeploymentBase } from '../constructs/deployment';
import { declareFoundation } from '../constructs/foundation';
import type { Certificates } from '../constructs/tls/certificates';
import { EnvironmentStack } from './environment-stack';

/** What everything else stands on: the network of MinIO and KES, images, certificates, root credentials. */
export class FoundationStack extends EnvironmentStack {
  readonly ca: Certificates;

  constructor(scope: Construct, deployment: DeploymentBase) {
    super(scope, 'foundation', deployment);
    deployment.useDocker(this, { withLogins: true });
    this.ca = declareFoundation(this, deployment);
  }
}
