import type { Construct } from 'constructs';
import type { EmbeddedVault } from '../config/environment';
import type { Certificates } from '../constructs/tls/certificates';
import { policyDocument, provisionerPolicyRules } from '../constructs/vault/policies';
import { VaultServer } from '../constructs/vault/vault-server';
import { imageReference } from '../constructs/docker';
import { type Deployment, imageSource, PROGRAM_PATHS } from './deployment';
import { EnvironmentStack } from './environment-stack';
import { LEAVES } from './foundation-stack';
import { AUDIT_DEVICES } from './keystore-stack';

/** An embedded Vault: running, unsealed, with a token that can declare the key store and no more. */
export class VaultStack extends EnvironmentStack {
  readonly server: VaultServer;

  constructor(scope: Construct, deployment: Deployment, vault: EmbeddedVault, certificates: Certificates) {
    super(scope, 'vault', deployment);
    this.useDocker();
    const { environment, state, runner } = deployment;
    const allowDataLoss = environment.allowDataLoss === environment.name;
    this.server = new VaultServer(this, 'Vault', {
      runner,
      environment: environment.name,
      namePrefix: this.names.prefix,
      image: imageReference(imageSource(deployment, 'vault')),
      program: PROGRAM_PATHS.vault,
      network: this.names.network,
      publish: this.published(vault.port),
      ca: certificates.ca,
      certificate: certificates.leaf(LEAVES.vault),
      memoryMb: vault.memoryMb,
      unseal: vault.unseal,
      shares: vault.shares,
      threshold: vault.threshold,
      unsealShareFiles: Array.from({ length: vault.shares }, (_, index) => state.secret.unsealShare(index + 1)),
      rootTokenFile: state.secret.rootToken,
      provisionerTokenFile: state.secret.provisionerToken,
      provisionerPolicy: {
        name: this.names.provisionerPolicy,
        document: policyDocument(
          provisionerPolicyRules({
            kvMount: environment.keyStore.mount,
            kesPolicy: this.names.kesPolicy,
            provisionerPolicy: this.names.provisionerPolicy,
            appRoleMount: environment.keyStore.approle.mount,
            role: this.names.kesRole,
            auditDevices: AUDIT_DEVICES.map(({ name }) => name),
            allowDataLoss,
          }),
        ),
      },
      canariesFile: state.canaries,
      noteFolder: state.tls,
      allowDataLoss,
      takeOverVolumes: environment.images.source === 'registry',
    });
  }
}
