/**
 * What an environment declares about Vault and KES, as plain values: the constructs make it so, the checks compare it
 * with what is there.
 */
import { vaultNames } from '../deployment-names';
import type { Environment, VaultEnvironment, VaultKeyStoreSettings, VaultSettings } from '../environment';
import { secretsManagerEndpoint } from './aws';
import { externalVaultAddress, type VaultVariables } from '../vault/external-vault';
import { embeddedVault } from '../vault/vault';
import { type RetiredKeys, kesClients } from '../kes/kes-clients';
import {
  KES_FILES,
  type KesConfiguration,
  type KesKeyStore,
  KEY_FOLDER,
  type VaultKeyStore,
} from '../kes/kes-configuration';
import { nodesOf, firstVault } from '../node';
import {
  kesPolicyRules,
  type KeyLocation,
  METRICS_RULES,
  policyDocument,
  type PolicyRule,
  provisionerPolicyRules,
} from '../vault/vault-policies';

/** A file audit device. */
export interface AuditDevice {
  readonly name: string;
  /** Path in the Vault container, or `stdout`. */
  readonly filePath: string;
}

/** In the Vault container. */
export const AUDIT_LOG = '/vault/audit/audit.log';

/** Of an embedded Vault. Two, because Vault stops answering when it can write to none. */
export const AUDIT_DEVICES: readonly AuditDevice[] = [
  { name: 'file', filePath: AUDIT_LOG },
  { name: 'stdout', filePath: 'stdout' },
];

/** An audit device as Vault’s API and OpenBao’s configuration file take it. */
export const auditDeviceSettings = ({ name, filePath }: AuditDevice) => ({
  path: name,
  type: 'file',
  description: 'encrypted-backup-storage',
  options: { file_path: filePath, mode: '0600' },
});

/** The audit devices that Terraform makes. OpenBao has them from its configuration file, and the API cannot remove those. */
export function provisionedAuditDevices(environment: Pick<Environment, 'keyStore'>): readonly AuditDevice[] {
  return embeddedVault(environment)?.distribution === 'vault' ? AUDIT_DEVICES : [];
}

/** Where the master keys are in Vault. */
export function keyLocation({ mount, prefix, kvVersion }: VaultKeyStoreSettings): KeyLocation {
  return { mount, prefix, kvVersion };
}

/** The policy of KES in Vault. */
export function kesPolicy(keyStore: VaultKeyStoreSettings): string {
  return policyDocument(kesPolicyRules(keyStore));
}

/** What the token that provisions Vault for an environment must be allowed there, and nothing more. */
export function provisionerRules(environment: VaultEnvironment): PolicyRule[] {
  const { keyStore } = environment;
  const names = vaultNames(environment);
  const embedded = keyStore.vault.mode === 'embedded';
  const metrics = metricsPolicy(environment);
  return provisionerPolicyRules({
    keys: keyLocation(keyStore),
    existingKvMount: keyStore.existingMount,
    kesPolicy: names.kesPolicy,
    ...(embedded ? { provisionerPolicy: names.provisionerPolicy } : {}),
    ...(metrics === undefined ? {} : { metricsPolicy: metrics.name }),
    appRoleMount: keyStore.approle.mount,
    existingAppRoleMount: keyStore.approle.existingMount,
    role: names.kesRole,
    mintsSecretId: keyStore.approle.secretId.delivery === 'minted',
    isCluster: embedded && environment.hosts !== undefined,
    seesAuditDevices: embedded,
    auditDevices: provisionedAuditDevices(environment).map(({ name }) => name),
    allowDataLoss: environment.allowDataLoss === environment.name,
  });
}

/** The policy of the token that reads the metrics of an embedded Vault; undefined without `monitoring`. */
export function metricsPolicy(environment: Environment): { name: string; document: string } | undefined {
  if (environment.monitoring === undefined || embeddedVault(environment) === undefined) return undefined;
  return { name: vaultNames(environment).metricsPolicy, document: policyDocument(METRICS_RULES) };
}

/** The same as a policy: that of the token with which an embedded Vault is provisioned. */
export function provisionerPolicy(environment: VaultEnvironment): string {
  return policyDocument(provisionerRules(environment));
}

/**
 * The configuration of KES.
 *
 * @param retiredKeys master keys that are no longer declared and stay readable
 * @throws UsageError if neither the file nor VAULT_ADDR has the address of an external Vault
 */
export function kesConfiguration(
  environment: Environment,
  retiredKeys: RetiredKeys,
  variables: VaultVariables,
): KesConfiguration {
  return {
    address: `0.0.0.0:${nodesOf(environment)[0].kes.port}`,
    tls: { key: KES_FILES.privateKey, certificate: KES_FILES.certificate, ca: KES_FILES.ca },
    clients: kesClients(environment, retiredKeys),
    cache: environment.kes.cache,
    keyStore: kesKeyStore(environment, variables),
  };
}

function kesKeyStore(environment: Environment, variables: VaultVariables): KesKeyStore {
  const { keyStore } = environment;
  switch (keyStore.type) {
    case 'vault': {
      const { endpoint, namespace, caFile, client } = vaultOfKes(environment, keyStore.vault, variables);
      return {
        type: 'vault',
        endpoint,
        ...(namespace === undefined ? {} : { namespace }),
        ...keyLocation(keyStore),
        appRole: { mount: keyStore.approle.mount, role: vaultNames(environment).kesRole },
        ...(caFile === undefined ? {} : { caFile }),
        ...(client === undefined ? {} : { client }),
        ping: '10s',
      };
    }
    case 'aws':
      return {
        type: 'aws',
        endpoint: secretsManagerEndpoint(keyStore),
        region: keyStore.region,
        ...(keyStore.kmsKey === undefined ? {} : { kmsKey: keyStore.kmsKey }),
      };
    case 'filesystem':
      return { type: 'filesystem', path: KEY_FOLDER };
  }
}

function vaultOfKes(
  environment: Environment,
  vault: VaultSettings,
  variables: VaultVariables,
): Pick<VaultKeyStore, 'endpoint' | 'namespace' | 'caFile' | 'client'> {
  if (vault.mode === 'embedded') {
    const { host, vault: node } = firstVault(environment);
    return {
      endpoint: node.sharedUrl,
      caFile: KES_FILES.vaultCa,
      ...(host === undefined ? {} : { client: { certificate: KES_FILES.vaultClient, key: KES_FILES.vaultClientKey } }),
    };
  }
  const { url, namespace, caFile } = externalVaultAddress(vault, variables);
  return {
    endpoint: url,
    ...(namespace === undefined ? {} : { namespace }),
    ...(caFile === undefined ? {} : { caFile: KES_FILES.vaultCa }),
  };
}
