import type { Construct } from 'constructs';
import { embeddedVault } from '../config/vault/vault';
import type { Certificates } from '../constructs/tls/certificates';
import { AwsKeystoreStack } from './aws-keystore-stack';
import { ChecksStack } from './checks-stack';
import { type Deployment, isInVault } from './deployment';
import { FilesystemKeystoreStack } from './filesystem-keystore-stack';
import { FoundationStack } from './foundation-stack';
import { KesStack } from './kes-stack';
import { type KeystoreStack, VaultKeystoreStack } from './keystore-stack';
import { MinioStack } from './minio-stack';
import { VaultStack } from './vault-stack';

/** Declares every stack of an environment, each depending on the one before. */
export function declareStacks(app: Construct, deployment: Deployment): void {
  const foundation = new FoundationStack(app, deployment);
  const { certificates } = foundation;

  const embedded = embeddedVault(deployment.environment);
  const vault =
    isInVault(deployment) && embedded !== undefined
      ? new VaultStack(app, deployment, embedded, certificates)
      : undefined;
  vault?.addDependency(foundation);
  const keystore = declareKeystore(app, deployment, certificates);
  keystore.addDependency(vault ?? foundation);
  const kes = new KesStack(app, deployment, certificates, keystore.forKes);
  kes.addDependency(keystore);
  const minio = new MinioStack(app, deployment, certificates);
  minio.addDependency(kes);

  const checks = new ChecksStack(app, deployment, {
    ...(vault === undefined ? {} : { vault: vault.server.container.containerId }),
    'kes configuration': keystore.configurationRunId,
    kes: kes.server.container.containerId,
    'kes files': kes.server.runId,
    keys: kes.keys.runId,
    minio: minio.server.container.containerId,
    'minio files': minio.server.runId,
    buckets: minio.buckets.runId,
    // nothing else is deployed when it is asked for
    ...(deployment.environment.requireDiskEncryption ? { 'disk encryption': 'required' } : {}),
  });
  checks.addDependency(minio);
}

function declareKeystore(app: Construct, deployment: Deployment, certificates: Certificates): KeystoreStack {
  const { keyStore } = deployment.environment;
  switch (keyStore.type) {
    case 'vault':
      return new VaultKeystoreStack(app, deployment, keyStore, certificates);
    case 'aws':
      return new AwsKeystoreStack(app, deployment, keyStore, certificates);
    case 'filesystem':
      return new FilesystemKeystoreStack(app, deployment, keyStore, certificates);
  }
}
