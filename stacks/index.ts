import type { Construct } from 'constructs';
import { externalVaultAddress } from '../config/external-vault';
import { VAULT_ALIAS } from '../constructs/vault/vault-server';
import { ChecksStack } from './checks-stack';
import type { Deployment } from './deployment';
import { FoundationStack } from './foundation-stack';
import { KesStack } from './kes-stack';
import { KeystoreStack, type VaultAccess } from './keystore-stack';
import { MinioStack } from './minio-stack';
import { VaultStack } from './vault-stack';

/** Declares every stack of an environment, each depending on the one before. */
export function declareStacks(app: Construct, deployment: Deployment): void {
  const foundation = new FoundationStack(app, deployment);
  const { certificates } = foundation;

  const { vault, access } = declareVault(app, deployment, foundation);
  const keystore = new KeystoreStack(app, deployment, access, certificates);
  keystore.addDependency(vault ?? foundation);
  const kes = new KesStack(app, deployment, certificates, access.caFile);
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
    buckets: minio.buckets.runId,
  });
  checks.addDependency(minio);
}

/** The embedded Vault with its stack, or how the external one is reached. */
function declareVault(
  app: Construct,
  deployment: Deployment,
  foundation: FoundationStack,
): { vault?: VaultStack; access: VaultAccess } {
  const { environment, state, vaultVariables } = deployment;
  if (environment.vault.mode === 'external') {
    const address = externalVaultAddress(environment.vault, vaultVariables);
    return { access: { ...address, endpointForKes: address.url, embedded: false } };
  }
  const vault = new VaultStack(app, deployment, environment.vault, foundation.certificates);
  vault.addDependency(foundation);
  return {
    vault,
    access: {
      ...vault.server.endpoint,
      tokenFile: state.secret.provisionerToken,
      endpointForKes: `https://${VAULT_ALIAS}:8200`,
      embedded: true,
    },
  };
}
