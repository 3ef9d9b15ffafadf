import type { Construct } from 'constructs';
import type { DeploymentBase } from '../constructs/deployment';
import { KesConfigurationFile } from '../constructs/kes/kes-server';
import type { Certificates } from '../constructs/tls/certificates';
import { KeyStore } from '../constructs/vault/key-store';
import { EnvironmentStack } from './environment-stack';

/** The place of the master keys, and the configuration of KES that leads there. */
export interface KeystoreStack extends EnvironmentStack {
  readonly configuration: KesConfigurationFile;
}

/** Master keys in Vault. */
export class VaultKeystoreStack extends EnvironmentStack implements KeystoreStack {
  readonly configuration: KesConfigurationFile;

  constructor(scope: Construct, deployment: DeploymentBase, ca: Certificates) {
    super(scope, 'keystore', deployment);
    deployment.useVault(this);
    const keyStore = new KeyStore(this, 'KeyStore', { deployment });
    this.configuration = new KesConfigurationFile(this, 'KesConfiguration', { deployment, ca, keyStore });
  }
}
