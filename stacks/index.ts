import type { Construct } from 'constructs';
import type { Environment } from '../config/environment';
import type { TlsEndpoint } from '../config/operation-inputs';
import { VAULT_ALIAS } from '../constructs/vault/vault-server';
import { UsageError } from '../operations/errors';
import { ChecksStack } from './checks-stack';
import type { Deployment, VaultVariables } from './deployment';
import { FoundationStack } from './foundation-stack';
import { KesStack } from './kes-stack';
import { KeystoreStack, type VaultAccess } from './keystore-stack';
import { MinioStack } from './minio-stack';
import { VaultStack } from './vault-stack';

/** The system's CA certificates, for an external Vault with a public certificate. */
const SYSTEM_CA = '/etc/ssl/certs/ca-certificates.crt';

/** Declares every stack of an environment, each depending on the one before. */
export function declareStacks(app: Construct, deployment: Deployment): void {
  const { environment, state, vaultVariables } = deployment;
  const foundation = new FoundationStack(app, deployment);
  const { certificates } = foundation;

  const vault =
    environment.vault.mode === 'embedded'
      ? new VaultStack(app, deployment, environment.vault, certificates)
      : undefined;
  vault?.addDependency(foundation);
  const access: VaultAccess =
    vault === undefined
      ? externalVault(environment, vaultVariables)
      : {
          ...(vault.server.endpoint satisfies TlsEndpoint),
          tokenFile: state.secret.provisionerToken,
          endpointForKes: `https://${VAULT_ALIAS}:8200`,
          embedded: true,
        };

  const keystore = new KeystoreStack(app, deployment, access, certificates);
  keystore.addDependency(vault ?? foundation);
  const kes = new KesStack(app, deployment, certificates, access.caFile ?? SYSTEM_CA);
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

function externalVault(environment: Environment, variables: VaultVariables): VaultAccess {
  if (environment.vault.mode !== 'external') throw new Error('externalVault asked for an embedded one');
  const address = environment.vault.address ?? variables.address;
  if (address === undefined) {
    throw new UsageError(
      'vault.address: must be given for an external Vault, got nothing',
      'write it into the environment file, or set VAULT_ADDR',
    );
  }
  if (!address.startsWith('https://')) {
    throw new UsageError(`VAULT_ADDR: must be an https:// address, got: ${address}`, 'put TLS before Vault');
  }
  const namespace = environment.vault.namespace ?? variables.namespace;
  const caFile = environment.vault.caFile ?? variables.caFile;
  return {
    url: address,
    endpointForKes: address,
    embedded: false,
    ...(namespace === undefined ? {} : { namespace }),
    ...(caFile === undefined ? {} : { caFile }),
  };
}
