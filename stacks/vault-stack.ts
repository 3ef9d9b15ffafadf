import type { Construct } from 'constructs';
import { vaultNetwork } from '../config/docker/networks';
import type { DeploymentBase } from '../constructs/deployment';
import { declareNetwork } from '../constructs/docker';
import type { Certificates } from '../constructs/tls/certificates';
import { VaultServer } from '../constructs/vault/vault-server';
import { EnvironmentStack } from './environment-stack';

/** An embedded Vault: in a network with KES alone, running, unsealed, with a token that can declare the key store and no more. */
export class VaultStack extends EnvironmentStack {
  readonly server: VaultServer;

  constructor(scope: Construct, deployment: DeploymentBase, ca: Certificates) {
    super(scope, 'vault', deployment);
    deployment.useDocker(this);
    declareNetwork(this, 'Network', { ...vaultNetwork(deployment.environment), deployment });
    this.server = new VaultServer(this, 'Vault', { deployment, certificate: ca.issue('vault') });
  }
}
