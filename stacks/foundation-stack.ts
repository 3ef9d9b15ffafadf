import type { Construct } from 'constructs';
import { leafCertificates } from '../config/certificates/leaf-certificates';
import { embeddedVault } from '../config/vault/vault';
import type { CertificateFiles } from '../config/operation-inputs';
import { storageNetwork } from '../config/docker/networks';
import { certificateImport, certificateOrder } from '../config/state/certificate-files';
import { declareNetwork, Image } from '../constructs/docker';
import { fileHash, treeHash } from '../constructs/expressions';
import { Operation } from '../constructs/operation';
import { Certificates } from '../constructs/tls/certificates';
import { type Deployment, imageSource, registryLogins } from './deployment';
import { EnvironmentStack } from './environment-stack';

/** What everything else stands on: the network of MinIO and KES, images, certificates, root credentials. */
export class FoundationStack extends EnvironmentStack {
  readonly certificates: Certificates;

  constructor(scope: Construct, deployment: Deployment) {
    super(scope, 'foundation', deployment);
    this.useDocker(registryLogins(deployment.environment));
    const { environment, state, runner } = deployment;

    declareNetwork(this, 'Network', { ...storageNetwork(environment), environment: environment.name });
    if (embeddedVault(environment) !== undefined) {
      new Image(this, 'VaultImage', { source: imageSource(deployment, 'vault') });
    }
    new Image(this, 'KesImage', { source: imageSource(deployment, 'kes') });
    new Image(this, 'MinioImage', { source: imageSource(deployment, 'minio') });

    const engine = new Operation(this, 'Engine', {
      runner,
      operation: 'remember-engine',
      input: { file: state.engine },
    });
    this.certificates = new Certificates(this, 'Certificates', {
      runner,
      environment: environment.name,
      certificateFolder: state.tls,
      privateKeyFolder: state.secret.tls,
      validityDays: environment.tls.validityDays,
      leaves: leafCertificates(environment),
      // it marks the environment as deployed: from then on the engine must be known
      dependsOn: [engine.dependable],
    });
    // it writes the marker of a deployment, see operations/state/intact-state.ts: a kill may leave no other secrets without that
    const dependsOn = [this.certificates.dependable];
    new Operation(this, 'TrustedCAs', {
      runner,
      operation: 'import-trusted-cas',
      input: { sources: environment.trustedCAs, file: state.trustedCAs, publicTrustFile: state.publicTrust },
      triggers: Object.fromEntries(environment.trustedCAs.map((source) => [source, treeHash(source)])),
    });
    this.declarePublicCertificates(deployment);
    const { keyStore } = environment;
    if (keyStore.type === 'aws' && keyStore.credentials === 'chain') {
      new Operation(this, 'AwsCredentials', {
        runner,
        operation: 'store-aws-credentials',
        input: { region: keyStore.region, file: state.secret.awsCredentials },
        dependsOn,
      });
    }
    new Operation(this, 'RootCredentials', {
      runner,
      operation: 'create-root-credentials',
      input: { configEnvFile: state.secret.minioConfigEnv, rootFile: state.secret.minioRoot },
      dependsOn,
    });
  }

  /** Certificates of the S3 API that the private CA does not issue. */
  private declarePublicCertificates({ environment, state, runner }: Deployment): void {
    const { tls, trustedCAs } = environment;
    const dependsOn = [this.certificates.dependable];
    if (tls.mode === 'self-signed') return;
    const triggers = (files: readonly (string | undefined)[]) =>
      Object.fromEntries<string>([
        ...files.flatMap((file): [string, string][] => (file === undefined ? [] : [[file, fileHash(file)]])),
        ...trustedCAs.map((source): [string, string] => [source, treeHash(source)]),
      ]);
    if (tls.mode === 'files') {
      const input = certificateImport(environment, tls, state);
      const sources = input.certificates.flatMap(({ from }) => [from.certificate, from.privateKey]);
      new Operation(this, 'PublicCertificates', {
        runner,
        operation: 'import-certificates',
        input,
        triggers: triggers([...sources, tls.ca]),
        renewal: { note: input.renewalNote, makes: filesOf(input) },
        dependsOn,
      });
    } else {
      const input = certificateOrder(environment, tls, state);
      new Operation(this, 'PublicCertificates', {
        runner,
        operation: 'order-certificates',
        input,
        triggers: triggers([tls.ca, tls.directoryCaFile]),
        renewal: { note: input.renewalNote, makes: filesOf(input) },
        dependsOn,
      });
    }
  }
}

function filesOf({ certificates }: { readonly certificates: readonly { readonly to: CertificateFiles }[] }): string[] {
  return certificates.flatMap(({ to }) => [to.certificate, to.privateKey]);
}
