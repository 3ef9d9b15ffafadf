import type { Construct } from 'constructs';
import type { DeploymentBase } from '../constructs/deployment';
import { type KesConfigurationFile, KesServer } from '../constructs/kes/kes-server';
import { MasterKeys } from '../constructs/kes/master-keys';
import type { Certificates } from '../constructs/tls/certificates';
import { EnvironmentStack } from './environment-stack';
import { ofHost } from './host-stack';

/** KES, and where it is the only one the master keys: created once, proven each time. */
export class KesStack extends EnvironmentStack {
  readonly server: KesServer;

  constructor(scope: Construct, deployment: DeploymentBase, ca: Certificates, configuration: KesConfigurationFile) {
    super(scope, ofHost('kes', deployment), deployment);
    deployment.useDocker(this);
    const certificate = ca.issue('kes', deployment.node);
    this.server = new KesServer(this, 'Kes', { deployment, configuration, certificate });
  }

  declareKeys(deployment: DeploymentBase): MasterKeys {
    return new MasterKeys(this, 'MasterKeys', { deployment, kes: this.server });
  }
}

/** The master keys of several KES. */
export class KeysStack extends EnvironmentStack {
  readonly keys: MasterKeys;

  constructor(scope: Construct, deployment: DeploymentBase, [kes, ...replicas]: readonly [KesServer, ...KesServer[]]) {
    super(scope, 'kes', deployment);
    this.keys = new MasterKeys(this, 'MasterKeys', { deployment, kes, replicas });
  }
}
