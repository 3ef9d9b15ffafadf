import { VaultProvider } from '@cdktf/provider-vault/lib/provider';
import { Aspects } from 'cdktf';
import type { Construct } from 'constructs';
import { masterKeys } from '../config/environment';
import type { KesClient } from '../config/kes-configuration';
import type { TlsEndpoint } from '../config/operation-inputs';
import { fileHash } from '../constructs/expressions';
import { KES_FILES, kesConfiguration, KesConfigurationFile } from '../constructs/kes/kes-server';
import type { Certificates } from '../constructs/tls/certificates';
import { type AuditDevice, KeyStore } from '../constructs/vault/key-store';
import { VaultProviderCompatibility } from '../constructs/vault/provider-compatibility';
import { AUDIT_LOG } from '../constructs/vault/vault-server';
import type { Deployment } from './deployment';
import { EnvironmentStack } from './environment-stack';
import { LEAVES } from './foundation-stack';

/** Two, because Vault stops answering when it can write to none. */
export const AUDIT_DEVICES: readonly AuditDevice[] = [
  { name: 'file', filePath: AUDIT_LOG },
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

/** The place of the master keys in Vault, and the configuration of KES that leads there. */
export class KeystoreStack extends EnvironmentStack {
  /** Changes when the configuration of KES was written. */
  readonly configurationRunId: string;

  constructor(scope: Construct, deployment: Deployment, vault: VaultAccess, certificates: Certificates) {
    super(scope, 'keystore', deployment);
    const { environment, state, toolchain, runner } = deployment;
    const { keyStore } = environment;

    new VaultProvider(this, 'vault', {
      address: vault.url,
      // evaluated by Terraform when it talks to Vault; a token of the environment is not even named
      ...(vault.tokenFile === undefined ? {} : { token: `\${trimspace(file(${JSON.stringify(vault.tokenFile)}))}` }),
      ...(vault.caFile === undefined ? {} : { caCertFile: vault.caFile }),
      ...(vault.namespace === undefined ? {} : { namespace: vault.namespace }),
    });
    this.addOverride('terraform.required_providers.vault.version', toolchain.providers.vault);
    Aspects.of(this).add(new VaultProviderCompatibility(toolchain.providers.vault));

    const location = { mount: keyStore.mount, prefix: this.names.keyPrefix, kvVersion: keyStore.kvVersion };
    const appRole = { mount: keyStore.approle.mount, role: this.names.kesRole };
    const store = new KeyStore(this, 'KeyStore', {
      ...location,
      policyName: this.names.kesPolicy,
      appRole: { ...appRole, tokenPeriod: keyStore.approle.tokenPeriod },
      auditDevices: vault.embedded ? AUDIT_DEVICES : [],
      allowDataLoss: environment.allowDataLoss === environment.name,
    });

    const clientCertificates = [LEAVES.minioClient, LEAVES.keyCreator, LEAVES.keyProver, LEAVES.health];
    const file = new KesConfigurationFile(this, 'KesConfiguration', {
      runner,
      configuration: kesConfiguration(
        kesClients(masterKeys(environment), deployment.retiredKeys),
        environment.kes.cache,
        {
          type: 'vault',
          endpoint: vault.endpointForKes,
          ...(vault.namespace === undefined ? {} : { namespace: vault.namespace }),
          ...location,
          appRole,
          ...(vault.caFile === undefined ? {} : { caFile: KES_FILES.vaultCa }),
          ping: '10s',
        },
      ),
      vault: {
        url: vault.url,
        ...(vault.caFile === undefined ? {} : { caFile: vault.caFile }),
        ...(vault.namespace === undefined ? {} : { namespace: vault.namespace }),
        ...(vault.tokenFile === undefined ? {} : { tokenFile: vault.tokenFile }),
      },
      certificateFolder: state.tls,
      file: state.secret.kesConfiguration,
      triggers: {
        role: store.roleId,
        // a certificate with another key is another identity
        ...Object.fromEntries(
          clientCertificates.map((name) => [`client ${name}`, fileHash(certificates.leaf(name).certificate)]),
        ),
      },
      dependsOn: [store.dependable],
    });
    this.configurationRunId = file.runId;
  }
}

/**
 * Who may do what with the master keys. MinIO may not create one: it would silently make a new key under the name of
 * one that is missing, and what was written before could never be read again.
 *
 * @param keys the keys that are declared
 * @param retired keys that were declared once: objects, and MinIO's own configuration, may still be under them
 */
export function kesClients(keys: readonly string[], retired: readonly string[]): KesClient[] {
  const use: KesClient['keys'] = [
    { actions: ['generate', 'decrypt', 'describe'], names: keys },
    ...(retired.length === 0 ? [] : [{ actions: ['decrypt', 'describe'] as const, names: retired }]),
  ];
  return [
    { name: LEAVES.minioClient, keys: use },
    { name: LEAVES.keyCreator, keys: [{ actions: ['create'], names: keys }] },
    { name: LEAVES.keyProver, keys: use, routes: ['/v1/status', '/v1/ready'] },
  ];
}
