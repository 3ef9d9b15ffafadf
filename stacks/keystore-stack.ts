import { VaultProvider } from '@cdktf/provider-vault/lib/provider';
import { Aspects } from 'cdktf';
import type { Construct } from 'constructs';
import { AUDIT_DEVICES, kesConfiguration, keyLocation, type VaultAccess } from '../config/key-store';
import { fileHash } from '../constructs/expressions';
import { KesConfigurationFile } from '../constructs/kes/kes-server';
import type { Certificates } from '../constructs/tls/certificates';
import { KeyStore } from '../constructs/vault/key-store';
import { VaultProviderCompatibility } from '../constructs/vault/provider-compatibility';
import type { Deployment } from './deployment';
import { EnvironmentStack } from './environment-stack';

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

    const store = new KeyStore(this, 'KeyStore', {
      ...keyLocation(environment),
      policyName: this.names.kesPolicy,
      appRole: {
        mount: keyStore.approle.mount,
        role: this.names.kesRole,
        tokenPeriod: keyStore.approle.tokenPeriod,
      },
      auditDevices: vault.embedded ? AUDIT_DEVICES : [],
      allowDataLoss: environment.allowDataLoss === environment.name,
    });

    const configuration = kesConfiguration(environment, deployment.retiredKeys, vault);
    const file = new KesConfigurationFile(this, 'KesConfiguration', {
      runner,
      configuration,
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
          configuration.clients.map(({ name }) => [`client ${name}`, fileHash(certificates.leaf(name).certificate)]),
        ),
      },
      dependsOn: [store.dependable],
    });
    this.configurationRunId = file.runId;
  }
}
