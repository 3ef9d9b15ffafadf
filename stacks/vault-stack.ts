import type { Construct } from 'constructs';
import { vaultNetwork } from '../config/docker/networks';
import type { DeploymentBase } from '../constructs/deployment';
import { declareNetwork } from '../constructs/docker';
import type { Certificates } from '../constructs/tls/certificates';
import { VaultServer } from '../constructs/vault/vault-server';
import { EnvironmentStack } from './environment-stack';
import { ofHost } from './host-stack';

/** An embedded Vault: in a network with KES alone, running, unsealed, with a token that can declare the key store and no more. */
export class VaultStack extends EnvironmentStack {
  readonly server: VaultServer;

  constructor(scope: Construct, deployment: DeploymentBase, ca: Certificates) {
    super(scope, ofHost('vault', deployment), deployment);
    deployment.useDocker(this);
    const network = vaultNetwork(deployment.environment);
    if (deployment.node.host === undefined) declareNetwork(this, 'Network', { ...network, deployment });
    this.server = new VaultServer(this, 'Vault', { deployment, certificate: ca.issue('vault', deployment.node) });
  }
}
