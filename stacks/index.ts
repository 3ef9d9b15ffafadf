import type { Construct } from 'constructs';
import { embeddedVault } from '../config/vault/vault';
import type { DeploymentBase } from '../constructs/deployment';
import type { Certificates } from '../constructs/tls/certificates';
import { AwsKeystoreStack } from './aws-keystore-stack';
import { ChecksStack } from './checks-stack';
import type { EnvironmentStack } from './environment-stack';
import { FilesystemKeystoreStack } from './filesystem-keystore-stack';
import { FoundationStack } from './foundation-stack';
import { HostStack } from './host-stack';
import { KesStack, KeysStack } from './kes-stack';
import { type KeystoreStack, VaultKeystoreStack } from './keystore-stack';
import { BucketsStack, MinioStack } from './minio-stack';
import { VaultStack } from './vault-stack';

/**
 * Declares every stack of an environment, each depending on the one before. With several hosts what is on one is in stacks
 * of its own, so that a change rolls from host to host, and one that is away stops no other.
 */
export function declareStacks(app: Construct, deployment: DeploymentBase): void {
  const { environment } = deployment;
  const deployments = mapped(deployment.nodes, (node) => deployment.at(node));
  const isCluster = environment.hosts !== undefined;
  const chain = new Chain();

  const { ca } = chain.add(new FoundationStack(app, deployment));
  if (isCluster) for (const there of deployments) chain.add(new HostStack(app, there));
  const vaults = (embeddedVault(environment) === undefined ? [] : deployments)
    .filter(({ node }) => node.vault !== undefined)
    .map((there) => chain.add(new VaultStack(app, there, ca)).server);
  const { configuration } = chain.add(declareKeystore(app, deployment, ca));
  const kes = mapped(deployments, (there) => chain.add(new KesStack(app, there, ca, configuration)));
  const keys = isCluster
    ? chain.add(
        new KeysStack(
          app,
          deployment,
          mapped(kes, ({ server }) => server),
        ),
      ).keys
    : kes[0].declareKeys(deployment);
  const minio = mapped(deployments, (there) => chain.add(new MinioStack(app, there, ca, keys)));
  const { buckets, clients } = isCluster
    ? chain.add(
        new BucketsStack(
          app,
          deployment,
          mapped(minio, ({ server }) => server),
        ),
      ).declared
    : minio[0].declareBuckets(deployment);

  chain.add(
    new ChecksStack(app, deployment, {
      ...numbered('vault', vaults, ({ container }) => container.containerId),
      'kes configuration': configuration.runId,
      ...numbered('kes', kes, ({ server }) => server.container.containerId),
      ...numbered('kes files', kes, ({ server }) => server.runId),
      keys: keys.runId,
      ...numbered('minio', minio, ({ server }) => server.container.containerId),
      ...numbered('minio files', minio, ({ server }) => server.runId),
      buckets: buckets.runId,
      ...(clients === undefined ? {} : { clients: clients.runId }),
      // nothing else is deployed when it is asked for
      ...(environment.requireDiskEncryption ? { 'disk encryption': 'required' } : {}),
    }),
  );
}

/** Stacks that are deployed one after the other. */
class Chain {
  private last: EnvironmentStack | undefined;

  add<Stack extends EnvironmentStack>(stack: Stack): Stack {
    if (this.last !== undefined) stack.addDependency(this.last);
    this.last = stack;
    return stack;
  }
}

/** What changes with each of several: the first has the name that the only one has. */
function numbered<T>(name: string, all: readonly T[], value: (one: T) => string): Record<string, string> {
  return Object.fromEntries(all.map((one, index) => [index === 0 ? name : `${name} ${index + 1}`, value(one)]));
}

/** `map` of a list that is not empty. */
function mapped<T, U>([head, ...tail]: readonly [T, ...T[]], make: (one: T) => U): readonly [U, ...U[]] {
  return [make(head), ...tail.map(make)];
}

function declareKeystore(app: Construct, deployment: DeploymentBase, ca: Certificates): KeystoreStack {
  const { keyStore } = deployment.environment;
  switch (keyStore.type) {
    case 'vault':
      return new VaultKeystoreStack(app, deployment, ca);
    case 'aws':
      return new AwsKeystoreStack(app, deployment, ca);
    case 'filesystem':
      return new FilesystemKeystoreStack(app, deployment, keyStore, ca);
  }
}
