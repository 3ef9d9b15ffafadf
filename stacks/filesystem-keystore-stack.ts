import type { Construct } from 'constructs';
import type { FilesystemKeyStoreSettings } from '../config/environment';
import { DataVolume, imageReference } from '../constructs/docker';
import type { Certificates } from '../constructs/tls/certificates';
import { type Deployment, imageSource } from './deployment';
import { EnvironmentStack } from './environment-stack';
import { declareKesConfiguration, type KeystoreStack } from './keystore-stack';

/** Master keys as files on the host of the data: for laboratories. */
export class FilesystemKeystoreStack extends EnvironmentStack implements KeystoreStack {
  readonly configurationRunId: string;
  readonly forKes: KeystoreStack['forKes'];

  constructor(
    scope: Construct,
    deployment: Deployment,
    keyStore: FilesystemKeyStoreSettings,
    certificates: Certificates,
  ) {
    super(scope, 'keystore', deployment);
    const { environment } = deployment;
    if (keyStore.path === undefined) {
      this.useDocker();
      new DataVolume(this, 'Keys', {
        name: this.host.kes.keyVolume,
        environment: environment.name,
        allowDataLoss: environment.allowDataLoss === environment.name,
        // no image of KES has a folder for them, and that of MinIO can give one away
        takeOverWith: imageReference(imageSource(deployment, 'minio')),
      });
    }
    this.forKes = {
      keys: keyStore.path === undefined ? { volume: this.host.kes.keyVolume } : { folder: keyStore.path },
    };
    const file = declareKesConfiguration(this, deployment, certificates);
    this.configurationRunId = file.runId;
  }
}
