import { App } from 'cdktf';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { RetiredKeys } from '../../config/kes/kes-clients';
import type { VaultVariables } from '../../config/vault/external-vault';
import { DEFAULT_SOCKET, resolveEngine } from '../../config/docker/docker-engine';
import { parseEnvironment } from '../../config/load';
import { stateLayout } from '../../config/state/layout';
import { PROVIDER_VERSIONS } from '../../config/provider-versions';
import { registryToolchain } from '../../operations/toolchain/findings';
import type { Toolchain } from '../../config/toolchain';
import type { EnvironmentInput } from '../../config/environment';
import { DeploymentBase } from '../../constructs/deployment';
import { Foundation } from '../../constructs/foundation';
import { KesConfigurationFile, KesServer } from '../../constructs/kes/kes-server';
import { MasterKeys } from '../../constructs/kes/master-keys';
import type { Certificates } from '../../constructs/tls/certificates';
import { KeyStore } from '../../constructs/vault/key-store';
import { declareStacks } from '../../stacks';
import { type Block, newStack, synthApp, type Synthesized } from './synth';

/** A folder that is not there: whoever declares stacks must not look for it. */
export const STATE_ROOT = '/nonexistent/state';

/** What the toolchain step leaves where it built everything. */
export const BUILT: Toolchain = {
  images: {
    vault: { context: '/cache/vault', hash: 'a'.repeat(64) },
    kes: { context: '/cache/kes', hash: 'b'.repeat(64) },
    minio: { context: '/cache/minio', hash: 'c'.repeat(64) },
    haproxy: { context: '/cache/haproxy', hash: 'd'.repeat(64) },
    openbao: { context: '/cache/openbao', hash: 'e'.repeat(64) },
  },
  providers: { source: 'mirror', ...PROVIDER_VERSIONS },
};

/** What is used where the registries can be reached. */
export const REGISTRY: Toolchain = registryToolchain;

export interface Variation {
  /** Text of the environment file. @default - `name: local` */
  readonly environment?: string;
  /** @default - {@link BUILT} */
  readonly toolchain?: Toolchain;
  /** @default - none */
  readonly retiredKeys?: RetiredKeys;
  /** @default false */
  readonly hadClients?: boolean;
  /** @default - none is set */
  readonly vaultVariables?: VaultVariables;
}

/** A digest of an image; which one is nobody's business. */
export const digest = (letter: string) => `sha256:${letter.repeat(64)}`;
// pieces of environment files: each is one way to have images, Vault or master keys
export const FROM_REGISTRY = `
images:
  source: registry
  vault: docker.io/hashicorp/vault@${digest('1')}
  kes: quay.io/minio/kes@${digest('2')}
  minio: quay.io/minio/minio@${digest('3')}
`;
/** The same as settings. */
export const REGISTRY_IMAGES: Partial<EnvironmentInput> = {
  images: {
    source: 'registry',
    vault: `docker.io/hashicorp/vault@${digest('1')}`,
    kes: `quay.io/minio/kes@${digest('2')}`,
    minio: `quay.io/minio/minio@${digest('3')}`,
  },
};
export const EXTERNAL = 'name: local\nvault: { mode: external, address: "https://vault.example.org:8200" }\n';
export const FILESYSTEM = 'name: local\nkeyStore: { type: filesystem }\n';
export const AWS =
  'name: local\nkeyStore: { type: aws, region: eu-central-1, kmsKey: alias/kes, caFile: /etc/aws.pem }\n';
/** Three hosts, for an environment file. */
export const HOSTS = `
hosts:
  - { name: a, docker: ssh://deploy@192.0.2.11, address: 192.0.2.11 }
  - { name: b, docker: ssh://deploy@192.0.2.12, address: 192.0.2.12 }
  - { name: c, docker: tcp://192.0.2.13:2376, certificates: /etc/ebs/docker-c, address: 192.0.2.13 }
`;
export const EVERYTHING = `name: local
buckets:
  - { name: backup }
  - { name: archive, encryption: { type: sse-kms, key: archive-key }, versioning: true, objectLock: true }
`;

/** What the constructs of one environment share. */
export function deploymentOf(variation: Variation = {}): DeploymentBase {
  const environment = parseEnvironment(variation.environment ?? 'name: local', 'test.yaml');
  return new DeploymentBase({
    environment,
    engine: resolveEngine(environment.docker, { DOCKER_HOST: DEFAULT_SOCKET }),
    environmentFile: '/project/environments/test.yaml',
    state: stateLayout(environment.name, STATE_ROOT),
    toolchain: variation.toolchain ?? BUILT,
    retiredKeys: variation.retiredKeys ?? {},
    hadClients: variation.hadClients ?? false,
    runner: { program: '/project/operations/run' },
    vaultVariables: variation.vaultVariables ?? {},
  });
}

/** What the constructs of a deployment with these settings share. */
export const deploymentWith = (settings: Partial<EnvironmentInput> = {}, variation: Variation = {}): DeploymentBase =>
  deploymentOf({ ...variation, environment: JSON.stringify({ name: 'local', ...settings }) });

/** What other constructs stand on, in a stack of its own, for which nobody waits. */
export function groundOf(deployment: DeploymentBase): {
  readonly ca: Certificates;
  readonly configuration: KesConfigurationFile;
  readonly kes: KesServer;
  readonly keys: MasterKeys;
} {
  const stack = newStack();
  const { ca } = new Foundation(stack, 'Foundation', { deployment });
  const inVault = deployment.environment.keyStore.type === 'vault';
  const configuration = new KesConfigurationFile(stack, 'Configuration', {
    deployment,
    ca,
    ...(inVault ? { keyStore: new KeyStore(stack, 'KeyStore', { deployment }) } : {}),
  });
  const kes = new KesServer(stack, 'Kes', { deployment, configuration, certificate: ca.issue('kes') });
  return { ca, configuration, kes, keys: new MasterKeys(stack, 'Keys', { deployment, kes }) };
}

/** Declares the stacks of one environment. */
export function declareDeployment(app: App, variation: Variation = {}): string {
  const deployment = deploymentOf(variation);
  declareStacks(app, deployment);
  return deployment.name;
}

/** Synthesizes the stacks of one environment, by the end of their name. */
export function synthDeployment(variation: Variation = {}): Stacks {
  const outdir = mkdtempSync(path.join(tmpdir(), 'ebs-synth-'));
  try {
    // the validations of cdktf run `terraform version` once for each resource of its own; one test has them
    const app = new App({ outdir, skipValidation: true });
    const environment = declareDeployment(app, variation);
    return Object.fromEntries(
      Object.entries(synthApp(app)).map(([name, stack]) => [name.slice(environment.length + 1), stack]),
    );
  } finally {
    rmSync(outdir, { recursive: true, force: true });
  }
}

/** The stacks of one environment, by the end of their name. */
export type Stacks = Readonly<Record<string, Synthesized>>;

/** Finds one stack; a test that names one which is not there fails with its name. */
export const stackOf = (stacks: Stacks, name: string): Synthesized => {
  const stack = stacks[name];
  if (stack === undefined) throw new Error(`there is no stack ${name}, only ${Object.keys(stacks).join(', ')}`);
  return stack;
};

export const containersOf = (stacks: Stacks): Block[] =>
  Object.values(stacks).flatMap((stack) => Object.values(stack.resources('docker_container')));
/** Containers that are started and are to stay. */
export const servicesOf = (stacks: Stacks): Block[] =>
  containersOf(stacks).filter(({ start, must_run }) => start !== false && must_run !== false);
