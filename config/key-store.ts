/**
 * What an environment declares about Vault and KES, as plain values: the constructs make it so, the checks compare it
 * with what is there.
 */
import { KES_PORT, namesOf, VAULT_ALIAS, VAULT_PORT } from './deployment-names';
import type { Environment, VaultKeyStoreSettings } from './environment';
import { embeddedVaultUrl } from './reachable';
import { secretsManagerEndpoint } from './aws';
import { externalVaultAddress, type VaultVariables } from './external-vault';
import { type RetiredKeys, kesClients } from './kes-clients';
import { KES_FILES, type KesConfiguration, type KesKeyStore, KEY_FOLDER } from './kes-configuration';
import type { TlsEndpoint } from './operation-inputs';
import type { StateLayout } from './state';
import {
  kesPolicyRules,
  type KeyLocation,
  policyDocument,
  type PolicyRule,
  provisionerPolicyRules,
} from './vault-policies';

/** A file audit device. */
export interface AuditDevice {
  readonly name: string;
  /** Path in the Vault container, or `stdout`. */
  readonly filePath: string;
}

/** Of an embedded Vault. Two, because Vault stops answering when it can write to none. */
export const AUDIT_DEVICES: readonly AuditDevice[] = [
  { name: 'file', filePath: '/vault/audit/audit.log' },
  { name: 'stdout', filePath: 'stdout' },
];

/** How Vault is reached by the deploy, and by KES. */
export interface VaultAccess extends TlsEndpoint {
  readonly namespace?: string;
  /** File with the token. Absent: VAULT_TOKEN. */
  readonly tokenFile?: string;
  /** Address by which KES reaches it. */
  readonly endpointForKes: string;
  /** Whether this deployment runs it, and so decides about audit devices. */
  readonly embedded: boolean;
}

/** @throws UsageError if nobody says where an external Vault is; Error if no Vault takes part */
export function vaultAccess(environment: Environment, state: StateLayout, variables: VaultVariables): VaultAccess {
  const { vault } = environment;
  if (vault.mode === 'external') {
    const address = externalVaultAddress(vault, variables);
    return {
      ...address,
      ...(vault.tokenFile === undefined ? {} : { tokenFile: vault.tokenFile }),
      endpointForKes: address.url,
      embedded: false,
    };
  }
  if (vault.mode === 'none') throw new Error(`environment ${environment.name} has no Vault`);
  return {
    url: embeddedVaultUrl(vault),
    caFile: state.caCertificate,
    tokenFile: state.secret.provisionerToken,
    endpointForKes: `https://${VAULT_ALIAS}:${VAULT_PORT}`,
    embedded: true,
  };
}

/**
 * How the master keys are kept in Vault.
 *
 * @throws Error if they are not
 */
export function inVault({ name, keyStore }: Environment): VaultKeyStoreSettings {
  if (keyStore.type !== 'vault') throw new Error(`environment ${name} does not keep its master keys in Vault`);
  return keyStore;
}

/**
 * Where the master keys of an environment are in Vault.
 *
 * @throws Error if they are not
 */
export function keyLocation(environment: Environment): KeyLocation {
  const { mount, kvVersion } = inVault(environment);
  return { mount, prefix: namesOf(environment).keyPrefix, kvVersion };
}

/** The policy of KES in Vault. */
export function kesPolicy(environment: Environment): string {
  return policyDocument(kesPolicyRules(keyLocation(environment)));
}

/** What the token that provisions Vault for an environment must be allowed there, and nothing more. */
export function provisionerRules(environment: Environment): PolicyRule[] {
  const keyStore = inVault(environment);
  const { vault } = environment;
  const names = namesOf(environment);
  const embedded = vault.mode === 'embedded';
  return provisionerPolicyRules({
    keys: keyLocation(environment),
    existingKvMount: keyStore.existingMount,
    kesPolicy: names.kesPolicy,
    ...(embedded ? { provisionerPolicy: names.provisionerPolicy } : {}),
    appRoleMount: keyStore.approle.mount,
    existingAppRoleMount: keyStore.approle.existingMount,
    role: names.kesRole,
    mintsSecretId: keyStore.approle.secretId.delivery === 'minted',
    auditDevices: embedded ? AUDIT_DEVICES.map(({ name }) => name) : [],
    allowDataLoss: environment.allowDataLoss === environment.name,
  });
}

/** The same as a policy: that of the token with which an embedded Vault is provisioned. */
export function provisionerPolicy(environment: Environment): string {
  return policyDocument(provisionerRules(environment));
}

/**
 * The configuration of KES.
 *
 * @param retiredKeys master keys that are no longer declared and stay readable
 * @param vault needed for master keys in Vault
 */
export function kesConfiguration(
  environment: Environment,
  retiredKeys: RetiredKeys,
  vault?: VaultAccess,
): KesConfiguration {
  return {
    address: `0.0.0.0:${KES_PORT}`,
    tls: { key: KES_FILES.privateKey, certificate: KES_FILES.certificate, ca: KES_FILES.ca },
    clients: kesClients(environment, retiredKeys),
    cache: environment.kes.cache,
    keyStore: kesKeyStore(environment, vault),
  };
}

function kesKeyStore(environment: Environment, vault: VaultAccess | undefined): KesKeyStore {
  const { keyStore } = environment;
  switch (keyStore.type) {
    case 'vault':
      if (vault === undefined) throw new Error('nothing says how KES reaches Vault');
      return {
        type: 'vault',
        endpoint: vault.endpointForKes,
        ...(vault.namespace === undefined ? {} : { namespace: vault.namespace }),
        ...keyLocation(environment),
        appRole: { mount: keyStore.approle.mount, role: namesOf(environment).kesRole },
        ...(vault.caFile === undefined ? {} : { caFile: KES_FILES.vaultCa }),
        ping: '10s',
      };
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
