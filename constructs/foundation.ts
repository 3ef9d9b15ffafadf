import { Construct } from 'constructs';
import { storageNetwork, vaultNetwork } from '../config/docker/networks';
import type { CertificateFiles } from '../config/operation-inputs';
import { certificateImport, certificateOrder } from '../config/state/certificate-files';
import { hostEngine } from '../config/state/layout';
import { notedPool } from '../config/node';
import { embeddedVault } from '../config/vault/vault';
import type { DeploymentBase } from './deployment';
import { declareNetwork, Image } from './docker';
import { fileHash, treeHash } from './expressions';
import { Operation } from './operation';
import { Certificates } from './tls/certificates';

export interface FoundationProps {
  readonly deployment: DeploymentBase;
}

/** What everything else stands on: the network of MinIO and KES, images, certificates, root credentials. */
export class Foundation extends Construct {
  /** The private CA, with the certificates of all servers and clients. */
  readonly ca: Certificates;

  constructor(scope: Construct, id: string, { deployment }: FoundationProps) {
    super(scope, id);
    this.ca = declareFoundation(this, deployment);
  }
}

/** The same without a construct around it. */
export function declareFoundation(scope: Construct, deployment: DeploymentBase): Certificates {
  const { environment, state, runner } = deployment;
  // several hosts have stacks of their own
  const onHost = environment.hosts === undefined ? [declareHost(scope, deployment)] : [];
  const certificates = new Certificates(scope, 'Certificates', {
    deployment,
    // it marks the environment as deployed: from then on the engine must be known
    dependsOn: onHost.map(({ dependable }) => dependable),
  });
  // it writes the marker of a deployment, see operations/state/intact-state.ts: a kill may leave no other secrets without that
  const dependsOn = [certificates.dependable];
  const trusted = new Operation(scope, 'TrustedCAs', {
    runner,
    operation: 'import-trusted-cas',
    input: { sources: environment.trustedCAs, file: state.trustedCAs, publicTrustFile: state.publicTrust },
    triggers: Object.fromEntries(environment.trustedCAs.map((source) => [source, treeHash(source)])),
  });
  deployment.made(trusted, state.trustedCAs, trusted.runId);
  declarePublicCertificates(scope, deployment, certificates);
  const { keyStore } = environment;
  if (keyStore.type === 'aws' && keyStore.credentials === 'chain') {
    const credentials = new Operation(scope, 'AwsCredentials', {
      runner,
      operation: 'store-aws-credentials',
      input: { region: keyStore.region, file: state.secret.awsCredentials },
      dependsOn,
    });
    deployment.made(credentials, state.secret.awsCredentials, credentials.runId);
  }
  const root = new Operation(scope, 'RootCredentials', {
    runner,
    operation: 'create-root-credentials',
    input: { configEnvFile: state.secret.minioConfigEnv, rootFile: state.secret.minioRoot },
    dependsOn,
  });
  deployment.made(root, state.secret.minioConfigEnv, root.runId);
  return certificates;
}

/** What everything on a host stands on: networks and images. */
export function declareHost(scope: Construct, deployment: DeploymentBase): Operation<'remember-engine'> {
  const { environment, node, state, runner } = deployment;
  declareNetwork(scope, 'Network', { ...storageNetwork(environment), deployment });
  // a Vault that the master keys have left is still in it
  if (node.host !== undefined) declareNetwork(scope, 'VaultNetwork', { ...vaultNetwork(environment), deployment });
  if (embeddedVault(environment) !== undefined && node.vault !== undefined) {
    new Image(scope, 'VaultImage', { deployment, program: node.vault.program });
  }
  new Image(scope, 'KesImage', { deployment, program: 'kes' });
  new Image(scope, 'MinioImage', { deployment, program: 'minio' });
  if (node.host !== undefined) new Image(scope, 'HaproxyImage', { deployment, program: 'haproxy' });

  return new Operation(scope, 'Engine', {
    runner,
    operation: 'remember-engine',
    input:
      node.host === undefined
        ? { file: state.engine }
        : { file: hostEngine(state, node.host.name), number: node.number, ...notedPool(environment, node) },
  });
}

/** Certificates of the S3 API that the private CA does not issue. */
function declarePublicCertificates(scope: Construct, deployment: DeploymentBase, ca: Certificates): void {
  const { environment, state, runner } = deployment;
  const { tls, trustedCAs } = environment;
  const dependsOn = [ca.dependable];
  if (tls.mode === 'self-signed') return;
  const triggers = (files: readonly (string | undefined)[]) =>
    Object.fromEntries<string>([
      ...files.flatMap((file): [string, string][] => (file === undefined ? [] : [[file, fileHash(file)]])),
      ...trustedCAs.map((source): [string, string] => [source, treeHash(source)]),
    ]);
  const noteMade = (operation: Operation<'import-certificates' | 'order-certificates'>, files: readonly string[]) => {
    for (const file of files) deployment.made(operation, file, operation.runId);
  };
  if (tls.mode === 'files') {
    const input = certificateImport(environment, tls, state);
    const sources = input.certificates.flatMap(({ from }) => [from.certificate, from.privateKey]);
    const makes = filesOf(input);
    const operation = new Operation(scope, 'PublicCertificates', {
      runner,
      operation: 'import-certificates',
      input,
      triggers: triggers([...sources, tls.ca]),
      renewal: { note: input.renewalNote, makes },
      dependsOn,
    });
    noteMade(operation, makes);
  } else {
    const input = certificateOrder(environment, tls, state);
    const makes = filesOf(input);
    const operation = new Operation(scope, 'PublicCertificates', {
      runner,
      operation: 'order-certificates',
      input,
      triggers: triggers([tls.ca, tls.directoryCaFile]),
      renewal: { note: input.renewalNote, makes },
      dependsOn,
    });
    noteMade(operation, makes);
  }
}

function filesOf({ certificates }: { readonly certificates: readonly { readonly to: CertificateFiles }[] }): string[] {
  return certificates.flatMap(({ to }) => [to.certificate, to.privateKey]);
}
