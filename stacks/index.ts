import type { Construct } from 'constructs';
import { embeddedVault } from '../config/vault/vault';
import type { DeploymentBase } from '../constructs/deployment';
import type { Certificates } from '../constructs/tls/certificates';
import { AwsKeystoreStack } from './aws-keystore-stack';
import { ChecksStack } from './checks-stack';
import { FilesystemKeystoreStack } from './filesystem-keystore-stack';
import { FoundationStack } from './foundation-stack';
import { KesStack } from './kes-stack';
import { type KeystoreStack, VaultKeystoreStack } from './keystore-stack';
import { MinioStack } from './minio-stack';
import { VaultStack } from './vault-stack';

/** Declares every stack of an environment, each depending on the one before. */
export function declareStacks(app: Construct, deployment: DeploymentBase): void {
  const foundation = new FoundationStack(app, deployment);
  const { ca } = foundation;

  const vault = embeddedVault(deployment.environment) === undefined ? undefined : new VaultStack(app, deployment, ca);
  vault?.addDependency(foundation);
  const keystore = declareKeystore(app, deployment, ca);
  keystore.addDependency(vault ?? foundation);
  const kes = new KesStack(app, deployment, ca, keystore.configuration);
  kes.addDependency(keystore);
  const minio = new MinioStack(app, deployment, ca, kes.keys);
  minio.addDependency(kes);

  const checks = new ChecksStack(app, deployment, {
    ...(vault === undefined ? {} : { vault: vault.server.container.containerId }),
    'kes configuration': keystore.configuration.runId,
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

function declareKeystore(app: Construct, deployment: DeploymentBase, ca: Certificates): KeystoreStack {
  const { keyStore } = deployment.environment;
  switch (keyStore.type) {
    case 'vault':
      return new VaultKeystoreStack(app, deployment, ca);
    case 'aws':
      return new AwsKeystoreStack(app, deployment, ca);
    case 'filesystem':
      return new FilesystemKeystoreStack(app, deployment, keyStore, ca);
  }
}
