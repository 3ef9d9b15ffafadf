import { DockerProvider } from '@cdktf/provider-docker/lib/provider';
import { VaultProvider } from '@cdktf/provider-vault/lib/provider';
import { TerraformStack, TerraformVariable } from 'cdktf';
import type { IConstruct } from 'constructs';
import {
  DEFAULT_SOCKET,
  type EngineAddress,
  deployVariables,
  engineVariables,
  resolveEngine,
  SSH_OPTIONS,
} from '../config/docker/docker-engine';
import {
  type ImageSource,
  imageReference,
  imageSource,
  type Program,
  registryLogins,
} from '../config/docker/image-source';
import { type Environment, type EnvironmentInput } from '../config/environment';
import type { RetiredKeys } from '../config/kes/kes-clients';
import { type Node, type Nodes, nodesOf } from '../config/node';
import { PROVIDER_VERSIONS } from '../config/provider-versions';
import { environmentOf } from '../config/settings';
import { type StateLayout, stateLayout } from '../config/state/layout';
import { vaultAccess, type VaultAccess } from '../config/state/endpoints';
import type { Toolchain } from '../config/toolchain';
import type { VaultVariables } from '../config/vault/external-vault';
import { isInVault, VAULT_ADDRESS_VARIABLE } from '../config/vault/vault';
import type { KeyLocation } from '../config/vault/vault-policies';
import { fileHash, literal, quoted } from './expressions';
import { type OperationRunner, OWN_RUNNER } from './operation';

/** What a deployment is made of, once its settings are known to be right. */
export interface DeploymentParts {
  readonly environment: Environment;
  /** The Docker engine that it is deployed to. */
  readonly engine: EngineAddress;
  readonly state: StateLayout;
  readonly toolchain: Toolchain;
  /** Master keys that have a canary and are no longer declared: they stay readable. */
  readonly retiredKeys: RetiredKeys;
  /**
   * Whether an earlier deploy made clients of the S3 API, so that those which are no longer declared are taken away.
   *
   * @default false
   */
  readonly hadClients?: boolean;
  readonly runner: OperationRunner;
  /** Absolute path of the environment file. @default - there is none: the checks are told the settings */
  readonly environmentFile?: string;
  /** The place in this Vault that a migration takes the keys from. @default - none is under way */
  readonly migrationSource?: KeyLocation;
  /** The external Vault as `VAULT_ADDR` and its kin describe it; the settings win. */
  readonly vaultVariables: VaultVariables;
  /** The host that is declared. @default - the first, or the only one */
  readonly node?: Node;
}

/** Everything that the constructs of one deployment have in common. It declares nothing by itself. */
export class DeploymentBase {
  readonly environment: Environment;
  readonly engine: EngineAddress;
  readonly state: StateLayout;
  readonly toolchain: Toolchain;
  readonly retiredKeys: RetiredKeys;
  readonly hadClients: boolean;
  readonly runner: OperationRunner;
  readonly environmentFile: string | undefined;
  readonly migrationSource: KeyLocation | undefined;
  readonly vaultVariables: VaultVariables;
  /** Every host that it is on, with the names of what is there. */
  readonly nodes: Nodes;
  /** The host that is declared. */
  readonly node: Node;
  private readonly parts: DeploymentParts;
  private makers = new Map<string, { readonly stack: TerraformStack; readonly token: string }>();

  constructor(parts: DeploymentParts) {
    this.parts = parts;
    this.environment = parts.environment;
    this.engine = parts.engine;
    this.state = parts.state;
    this.toolchain = parts.toolchain;
    this.retiredKeys = parts.retiredKeys;
    this.hadClients = parts.hadClients ?? false;
    this.runner = parts.runner;
    this.environmentFile = parts.environmentFile;
    this.migrationSource = parts.migrationSource;
    this.vaultVariables = parts.vaultVariables;
    this.nodes = nodesOf(parts.environment);
    this.node = parts.node ?? this.nodes[0];
  }

  /** The same deployment on one of its hosts: what is declared with it is on that host, by an engine of its own. */
  at(node: Node): DeploymentBase {
    if (node.host === undefined) return this;
    const engine = resolveEngine(node.docker, {});
    const runner = { ...this.runner, variables: { ...this.runner.variables, ...engineVariables(engine) } };
    const there = new DeploymentBase({ ...this.parts, node, engine, runner });
    there.makers = this.makers;
    return there;
  }

  /** The names by which programs of this host reach the same programs of others. */
  peers(server: 'vault' | 'minio'): { readonly name: string; readonly address: string }[] {
    return this.nodes.flatMap((other) => {
      const name = other[server]?.alias;
      return other.number === this.node.number || other.host === undefined || name === undefined
        ? []
        : [{ name, address: other.host.address }];
    });
  }

  /** Containers, volumes and folders are named after it. */
  get name(): string {
    return this.environment.name;
  }

  /** Whether Terraform may delete master keys and data. */
  get allowsDataLoss(): boolean {
    return this.environment.allowDataLoss === this.name;
  }

  /** Whether images leave new volumes to root, as published ones do; and may hold a newer Vault than those built here. */
  get hasPublishedImages(): boolean {
    return this.environment.images.source === 'registry';
  }

  /** Where the image of a program comes from. */
  imageSource(program: Program): ImageSource {
    return imageSource(this, program);
  }

  /** How a container of `scope` names the image of a program. */
  image(scope: IConstruct, program: Program): string {
    return this.reference(scope, imageReference(this.imageSource(program)));
  }

  /** How the deploy reaches Vault; undefined where the master keys are not in one. */
  get vaultAccess(): VaultAccess | undefined {
    const { environment, state, vaultVariables } = this;
    return isInVault(environment) ? vaultAccess(environment, state, vaultVariables) : undefined;
  }

  /**
   * Declares the Docker provider in a stack.
   *
   * @param withLogins whether images are pulled there, from registries that ask for a login
   */
  useDocker(stack: TerraformStack, { withLogins = false }: { readonly withLogins?: boolean } = {}): void {
    const { host, transport, certPath } = this.engine;
    const logins = withLogins ? registryLogins(this.environment) : [];
    new DockerProvider(stack, 'docker', {
      host,
      ...(certPath === undefined ? {} : { certPath: literal(certPath) }),
      ...(transport === 'ssh' ? { sshOpts: [...SSH_OPTIONS] } : {}),
      ...(logins.length === 0
        ? {}
        : { registryAuth: logins.map(({ address, configFile }) => ({ address, configFile: literal(configFile) })) }),
    });
    stack.addOverride('terraform.required_providers.docker.version', this.toolchain.providers.docker);
  }

  /**
   * Declares the Vault provider in a stack. It reads its token when Terraform plans that stack: an embedded Vault must be
   * in another one, which is deployed before.
   */
  useVault(stack: TerraformStack): void {
    const vault = this.vaultAccess;
    if (vault === undefined) return;
    new VaultProvider(stack, 'vault', {
      address: this.vaultAddress(stack, vault),
      // evaluated by Terraform when it talks to Vault; a token of the environment is not even named
      ...(vault.tokenFile === undefined ? {} : { token: `\${trimspace(file(${quoted(vault.tokenFile)}))}` }),
      ...(vault.caFile === undefined ? {} : { caCertFile: literal(vault.caFile) }),
      ...(vault.certificateFile === undefined || vault.privateKeyFile === undefined
        ? {}
        : { clientAuth: [{ certFile: literal(vault.certificateFile), keyFile: literal(vault.privateKeyFile) }] }),
      ...(vault.namespace === undefined ? {} : { namespace: vault.namespace }),
      // a child is for secrets that end with it; no resource here has one, and each deploy would leave a token behind
      skipChildToken: true,
      // a Vault that was just unsealed answers 5xx until it is active; the default of 2 gives up after some four seconds
      maxRetries: 5,
    });
    stack.addOverride('terraform.required_providers.vault.version', this.toolchain.providers.vault);
  }

  /** Of several Vaults the first; another where a deploy says so, because that host is away. */
  private vaultAddress(stack: TerraformStack, { url, otherUrls }: VaultAccess): string {
    if (otherUrls === undefined) return url;
    const variable = new TerraformVariable(stack, VAULT_ADDRESS_VARIABLE, {
      type: 'string',
      default: url,
      description: 'Address of a Vault that answers',
    });
    return variable.stringValue;
  }

  /**
   * Notes who makes what others need by its name: an image, a network, a file.
   *
   * @param token Terraform's expression for the name, or for what changes with the file
   */
  made(maker: IConstruct, name: string, token: string): void {
    this.makers.set(name, { stack: TerraformStack.of(maker), token });
  }

  /** Whether somebody has declared what has that name. */
  isMade(name: string): boolean {
    return this.makers.has(name);
  }

  /** The name, in a way that waits for what makes it, where that is in the same stack. Other stacks are deployed before. */
  reference(scope: IConstruct, name: string): string {
    return this.tokenIn(scope, name) ?? name;
  }

  /** Changes when the content of a file does. The plan finds its hash, unless an operation of the same stack makes it. */
  fileVersion(scope: IConstruct, file: string): string {
    const token = this.tokenIn(scope, file);
    // the plan has long looked at what the same apply makes: unknown, then both
    return token === undefined ? fileHash(file) : `${token} ${fileHash(file)}`;
  }

  private tokenIn(scope: IConstruct, name: string): string | undefined {
    const maker = this.makers.get(name);
    return maker?.stack === TerraformStack.of(scope) ? maker.token : undefined;
  }
}

/**
 * The settings of an environment file, but for those that are props of a {@link Deployment}, and for `hosts`: what is on one of
 * several hosts has stacks of its own, in an order that an environment file has.
 */
export type DeploymentSettings = Omit<EnvironmentInput, 'state' | 'providers' | 'hosts'>;

export interface DeploymentProps extends DeploymentSettings {
  /**
   * Folder of state and secrets, on the machine that deploys.
   *
   * @default - that of the environment of this name: ~/.local/state/encrypted-backup-storage/NAME
   */
  readonly stateDirectory?: string;
  /**
   * Folders from which images are built, for `images: {source: build}`: the `images` of `.toolchain/toolchain.json`.
   *
   * @default - there are none; name images of a registry in `images`
   */
  readonly imageContexts?: Toolchain['images'];
  /**
   * Master keys that were declared once, by the client of KES that used them. What is under them stays readable.
   *
   * @default - none
   */
  readonly retiredKeys?: RetiredKeys;
  /**
   * Whether clients were declared once: those that are no longer declared are taken away.
   *
   * @default false
   */
  readonly hadClients?: boolean;
  /** @default - the operations of this package */
  readonly runner?: OperationRunner;
}

/**
 * A deployment of encrypted backup storage: the one prop that all its constructs share. It is named and described as in an
 * environment file, and its settings are looked at together: an error names everything that is wrong.
 */
export class Deployment extends DeploymentBase {
  constructor(props: DeploymentProps) {
    super(partsOf(props));
  }
}

function partsOf(props: DeploymentProps): DeploymentParts {
  const { stateDirectory, imageContexts, retiredKeys, hadClients, runner, ...settings } = props;
  const environment = environmentOf(settings, `deployment ${props.name}`);
  const state = stateLayout(environment.name, stateDirectory);
  // nothing of this machine is read: two synths are equal
  const [{ docker }] = nodesOf(environment);
  const engine: EngineAddress =
    docker.host === undefined ? { host: DEFAULT_SOCKET, transport: 'unix' } : resolveEngine(docker, {});
  return {
    environment: { ...environment, state: { backend: 'local', directory: state.root } },
    engine,
    state,
    toolchain: {
      ...(imageContexts === undefined ? {} : { images: imageContexts }),
      providers: { source: 'registry', ...PROVIDER_VERSIONS },
    },
    retiredKeys: retiredKeys ?? {},
    ...(hadClients === undefined ? {} : { hadClients }),
    runner: runner ?? {
      program: OWN_RUNNER,
      variables: deployVariables(environment, engine),
      journal: state.operations,
    },
    vaultVariables: {},
  };
}
