import type { Construct } from 'constructs';
import { vaultNames } from '../config/deployment-names';
import type { EmbeddedVault } from '../config/environment';
import { provisionerPolicy } from '../config/keys/key-store';
import { vaultNetwork } from '../config/docker/networks';
import { programPaths } from '../config/docker/program-paths';
import type { Certificates } from '../constructs/tls/certificates';
import { VaultServer } from '../constructs/vault/vault-server';
import { declareNetwork, imageReference } from '../constructs/docker';
import { imageSource, type VaultDeployment } from './deployment';
import { EnvironmentStack } from './environment-stack';

/** An embedded Vault: in a network with KES alone, running, unsealed, with a token that can declare the key store and no more. */
export class VaultStack extends EnvironmentStack {
  readonly server: VaultServer;

  constructor(scope: Construct, deployment: VaultDeployment, vault: EmbeddedVault, certificates: Certificates) {
    super(scope, 'vault', deployment);
    this.useDocker();
    const { environment, state, runner } = deployment;
    const allowDataLoss = environment.allowDataLoss === environment.name;
    const { name } = declareNetwork(this, 'Network', { ...vaultNetwork(environment), environment: environment.name });
    this.server = new VaultServer(this, 'Vault', {
      runner,
      environment: environment.name,
      node: this.host.vault,
      image: imageReference(imageSource(deployment, 'vault')),
      program: programPaths(environment).vault,
      network: name,
      publish: { address: vault.publishAddress, port: vault.port },
      ca: certificates.ca,
      certificate: certificates.leaf(this.host.vault.certificate),
      memoryMb: vault.memoryMb,
      processLimit: environment.docker.processLimit,
      unseal: vault.unseal,
      shares: vault.shares,
      threshold: vault.threshold,
      unsealShareFiles: Array.from({ length: vault.shares }, (_, index) => state.secret.unsealShare(index + 1)),
      rootTokenFile: state.secret.rootToken,
      provisionerTokenFile: state.secret.provisionerToken,
      provisionerPolicy: {
        name: vaultNames(environment).provisionerPolicy,
        document: provisionerPolicy(environment),
      },
      canariesFile: state.canaries,
      placeFile: state.keyStore,
      noteFolder: state.tls,
      allowDataLoss,
      takeOverVolumes: environment.images.source === 'registry',
      mayBeVersion2: environment.images.source === 'registry',
    });
  }
}
