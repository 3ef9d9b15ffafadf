import type { Construct } from 'constructs';
import type { AwsKeyStoreSettings } from '../config/environment';
import { proxyVariables } from '../config/kes/proxy';
import { fileHash } from '../constructs/expressions';
import type { Certificates } from '../constructs/tls/certificates';
import type { Deployment } from './deployment';
import { EnvironmentStack } from './environment-stack';
import { declareKesConfiguration, type KeystoreStack } from './keystore-stack';

/** Master keys in AWS Secrets Manager. Nothing is declared there: KES makes the secrets, and nobody here deletes one. */
export class AwsKeystoreStack extends EnvironmentStack implements KeystoreStack {
  readonly configurationRunId: string;
  readonly forKes: KeystoreStack['forKes'];

  constructor(scope: Construct, deployment: Deployment, keyStore: AwsKeyStoreSettings, certificates: Certificates) {
    super(scope, 'keystore', deployment);
    const file = deployment.state.secret.awsCredentials;
    const configuration = declareKesConfiguration(
      this,
      deployment,
      certificates,
      keyStore.credentials === 'instance-role'
        ? {}
        : { awsCredentialsFile: file, triggers: { credentials: fileHash(file) } },
    );
    this.configurationRunId = configuration.runId;
    this.forKes = {
      ...(keyStore.caFile === undefined ? {} : { keyStoreCa: keyStore.caFile }),
      variables: proxyVariables(keyStore),
    };
  }
}
