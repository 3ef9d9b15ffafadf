import type { Construct } from 'constructs';
import type { DeploymentBase } from '../constructs/deployment';
import { type KesConfigurationFile, KesServer } from '../constructs/kes/kes-server';
import { MasterKeys } from '../constructs/kes/master-keys';
import type { Certificates } from '../constructs/tls/certificates';
import { EnvironmentStack } from './environment-stack';

/** KES, and the master keys: created once, proven each time. */
export class KesStack extends EnvironmentStack {
  readonly server: KesServer;
  readonly keys: MasterKeys;

  constructor(scope: Construct, deployment: DeploymentBase, ca: Certificates, configuration: KesConfigurationFile) {
    super(scope, 'kes', deployment);
    deployment.useDocker(this);
    this.server = new KesServer(this, 'Kes', { deployment, configuration, certificate: ca.issue('kes') });
    this.keys = new MasterKeys(this, 'MasterKeys', { deployment, kes: this.server });
  }
}
