import type { Construct } from 'constructs';
import { KesConfigurationFile } from '../constructs/kes/kes-server';
import type { Certificates } from '../constructs/tls/certificates';
import type { DeploymentBase } from '../constructs/deployment';
import { EnvironmentStack } from './environment-stack';
import type { KeystoreStack } from './keystore-stack';

/** Master keys in AWS Secrets Manager. Nothing is declared there: KES makes the secrets, and nothing here deletes one. */
export class AwsKeystoreStack extends EnvironmentStack implements KeystoreStack {
  readonly configuration: KesConfigurationFile;

  constructor(scope: Construct, deployment: DeploymentBase, ca: Certificates) {
    super(scope, 'keystore', deployment);
    this.configuration = new KesConfigurationFile(this, 'KesConfiguration', { deployment, ca });
  }
}
