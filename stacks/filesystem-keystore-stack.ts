import type { Construct } from 'constructs';
import type { FilesystemKeyStoreSettings } from '../config/environment';
import type { DeploymentBase } from '../constructs/deployment';
import { declareKeyVolume, KesConfigurationFile } from '../constructs/kes/kes-server';
import type { Certificates } from '../constructs/tls/certificates';
import { EnvironmentStack } from './environment-stack';
import type { KeystoreStack } from './keystore-stack';

/** Master keys as files on the host of the data: for laboratories. */
export class FilesystemKeystoreStack extends EnvironmentStack implements KeystoreStack {
  readonly configuration: KesConfigurationFile;

  constructor(scope: Construct, deployment: DeploymentBase, keyStore: FilesystemKeyStoreSettings, ca: Certificates) {
    super(scope, 'keystore', deployment);
    if (keyStore.path === undefined) {
      deployment.useDocker(this);
      declareKeyVolume(this, deployment);
    }
    this.configuration = new KesConfigurationFile(this, 'KesConfiguration', { deployment, ca });
  }
}
