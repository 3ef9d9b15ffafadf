import { Network } from '@cdktf/provider-docker/lib/network';
import type { Construct } from 'constructs';
import { KES_ALIAS, LEAVES, MINIO_ALIAS, VAULT_ALIAS } from '../config/deployment-names';
import { environmentLabels, Image } from '../constructs/docker';
import { Operation } from '../constructs/operation';
import { Certificates } from '../constructs/tls/certificates';
import { type Deployment, imageSource } from './deployment';
import { EnvironmentStack } from './environment-stack';

/** What everything else stands on: network, images, certificates, root credentials. */
export class FoundationStack extends EnvironmentStack {
  readonly certificates: Certificates;

  constructor(scope: Construct, deployment: Deployment) {
    super(scope, 'foundation', deployment);
    this.useDocker();
    const { environment, state, runner } = deployment;

    new Network(this, 'Network', { name: this.names.network, labels: environmentLabels(environment.name) });
    if (environment.vault.mode === 'embedded') {
      new Image(this, 'VaultImage', { source: imageSource(deployment, 'vault') });
    }
    new Image(this, 'KesImage', { source: imageSource(deployment, 'kes') });
    new Image(this, 'MinioImage', { source: imageSource(deployment, 'minio') });

    const address = environment.docker.publishAddress;
    const ipAddresses = [...new Set(['127.0.0.1', ...(address === '0.0.0.0' ? [] : [address])])];
    const server = (name: string, alias: string, more: readonly string[] = []) => ({
      name,
      usage: 'server' as const,
      dnsNames: [...new Set([alias, 'localhost', ...more])],
      ipAddresses,
    });
    const client = (name: string) => ({ name, usage: 'client' as const, dnsNames: [], ipAddresses: [] });
    this.certificates = new Certificates(this, 'Certificates', {
      runner,
      environment: environment.name,
      certificateFolder: state.tls,
      privateKeyFolder: state.secret.tls,
      validityDays: environment.tls.validityDays,
      leaves: [
        ...(environment.vault.mode === 'embedded' ? [server(LEAVES.vault, VAULT_ALIAS)] : []),
        server(LEAVES.kes, KES_ALIAS),
        server(LEAVES.minio, MINIO_ALIAS, environment.minio.hostnames),
        client(LEAVES.minioClient),
        client(LEAVES.keyCreator),
        client(LEAVES.keyProver),
        client(LEAVES.health),
      ],
    });
    new Operation(this, 'RootCredentials', {
      runner,
      operation: 'create-root-credentials',
      input: { configEnvFile: state.secret.minioConfigEnv, rootFile: state.secret.minioRoot },
    });
  }
}
