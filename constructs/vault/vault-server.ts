import type { ITerraformDependable } from 'cdktf';
import { Construct } from 'constructs';
import { VAULT_CLIENTS, vaultNames } from '../../config/deployment-names';
import { vaultNetwork } from '../../config/docker/networks';
import { programPaths } from '../../config/docker/program-paths';
import { vaultPublication } from '../../config/docker/reachable';
import type { EmbeddedVault, VaultEnvironment } from '../../config/environment';
import { AUDIT_DEVICES, auditDeviceSettings, metricsPolicy, provisionerPolicy } from '../../config/keys/key-store';
import { VAULT_CLUSTER_PORT, type VaultHost, vaultNodes } from '../../config/node';
import type { MutualTlsEndpoint, OperationInput, TlsEndpoint } from '../../config/operation-inputs';
import { vaultClientCa, vaultClientFiles, vaultNodeEndpoint } from '../../config/state/endpoints';
import type { StateLayout } from '../../config/state/layout';
import { declaredSeal, sealAccess, sealConfiguration, sealFiles, sealVariables } from '../../config/vault/seal';
import { embeddedVault, isInVault } from '../../config/vault/vault';
import { DeclarationError } from '../declaration-error';
import type { DeploymentBase } from '../deployment';
import { DataVolume, declareNetwork, FileVolume, ServiceContainer } from '../docker';
import { Operation } from '../operation';
import type { IssuedCertificate } from '../tls/certificates';
import { UNSEAL_SCRIPT } from './unseal-script';

export interface VaultServerProps {
  readonly deployment: DeploymentBase;
  readonly certificate: IssuedCertificate;
}

/**
 * Where unseal shares take the place of a token: to make a root token, by which a lost provisioner token is replaced, and
 * to replace the shares. Vault 1.x always lets whoever reaches the port begin and cancel both (CVE-2026-5807); 2.x does
 * where this is set (developer.hashicorp.com, Vault, "Configuration", enable_unauthenticated_access).
 */
const SHARES_ARE_ENOUGH = ['generate-root', 'rekey'];

/**
 * Scales Raft's waits (developer.hashicorp.com, Vault, storage "raft"). By Vault's default, 5, a single server waits 5 to
 * 10 s, after each start, for a leader that there is not; with 1, 1 to 2 s.
 *
 * One of several steps down when half of the others did not answer for 0.5 s times this, as when its processors are busy; and
 * others take over after 1 to 2 s times this. KES has the keys in use in its memory meanwhile.
 */
const RAFT_MULTIPLIER = { single: 1, several: 3 } as const;

/**
 * The same in OpenBao, which answers none of these endpoints by default from 2.5.3 and 2.5.0 on (openbao.org, "Deprecating
 * Unauthenticated Generate Root Endpoints", "… Rekey Endpoints"; same exposure as above).
 */
const SHARES_ARE_ENOUGH_FOR_OPENBAO = {
  disable_unauthed_generate_root_endpoints: false,
  disable_unauthed_rekey_endpoints: false,
};

/** Where the files are by which the Vaults of several hosts know their clients, and are known to each other. */
const CLIENT_FILES = { ca: 'clients-ca.crt', certificate: 'client.crt', privateKey: 'client.key' } as const;

/**
 * One Vault server with integrated storage, initialised, unsealed and left with a token that can do no more than
 * declare the key store. The root token is revoked. With several hosts it is a member of their Raft, which the first one
 * begins, and refuses a connection without a certificate of `vaultClientLeaves`.
 */
export class VaultServer extends Construct {
  /** How the machine that deploys reaches it. */
  readonly endpoint: TlsEndpoint;
  readonly container: ServiceContainer;
  /** The last thing that is done: it is unsealed. */
  readonly dependable: ITerraformDependable;

  constructor(scope: Construct, id: string, { deployment, certificate }: VaultServerProps) {
    super(scope, id);
    const { environment, runner, state } = deployment;
    const vault = embeddedVault(environment);
    if (vault === undefined || !isInVault(environment)) {
      throw new DeclarationError(this, '`deployment` must have an embedded Vault, got: another key store');
    }
    const host = hostOf(deployment, this);
    const node = host.vault;
    const isCluster = host.host !== undefined;
    const clients = isCluster ? clientFiles(state) : [];
    const image = deployment.image(this, node.program);
    const program = programPaths(environment)[node.program];
    const network = vaultNetwork(environment);
    if (!deployment.isMade(network.name)) declareNetwork(this, 'Network', { ...network, deployment });
    const { caCertificate: ca } = state;
    const metrics = metricsPolicy(environment);
    const seal = declaredSeal(vault);
    const configuration = {
      ...serverConfiguration(deployment, host),
      ...(seal === undefined ? {} : { seal: sealConfiguration(seal) }),
      ...(metrics === undefined ? {} : { telemetry: TELEMETRY }),
    };
    const files = new FileVolume(this, 'Files', {
      deployment,
      name: node.files,
      image,
      files: [
        { path: 'vault.json', content: JSON.stringify(configuration) },
        { path: 'ca.crt', source: ca },
        { path: 'server.crt', source: certificate.certificate },
        { path: 'server.key', source: certificate.privateKey },
        ...clients,
        ...(seal === undefined ? [] : sealFiles(seal)),
      ],
    });
    const takeOver = deployment.hasPublishedImages ? { takeOverWith: image } : {};
    const data = new DataVolume(this, 'Data', { deployment, name: node.dataVolume, ...takeOver });
    const audit = new DataVolume(this, 'Audit', { deployment, name: node.auditVolume, ...takeOver });
    const published = vaultPublication(vault, host);
    this.container = new ServiceContainer(this, 'Server', {
      deployment,
      name: node.container,
      image,
      command: [program, 'server', '-config=/files/vault.json'],
      networks: [deployment.reference(this, network.name)],
      alias: node.alias,
      volumes: [
        { name: files.name, path: '/files', readOnly: true },
        { name: data.name, path: '/vault/data', readOnly: false },
        { name: audit.name, path: '/vault/audit', readOnly: false },
      ],
      hosts: deployment.peers('vault'),
      ports: [
        { container: node.port, host: published.port, address: published.address },
        ...(isCluster ? [{ container: VAULT_CLUSTER_PORT, host: VAULT_CLUSTER_PORT, address: published.address }] : []),
      ],
      healthCheck: {
        command: [
          'env',
          `VAULT_ADDR=https://127.0.0.1:${node.port}`,
          'VAULT_CACERT=/files/ca.crt',
          ...(isCluster ? Object.entries(CLIENT_VARIABLES).map(([name, value]) => `${name}=${value}`) : []),
          program,
          'status',
        ],
        intervalSeconds: 10,
      },
      ...(seal === undefined ? {} : { variables: sealVariables(seal) }),
      memoryMb: vault.memoryMb,
      stopSeconds: 30,
      readAtStart: [
        // vault, command/server.go: telemetry and the seal are set up only then
        ...(metrics === undefined && seal === undefined ? [] : ['vault.json']),
        ...(seal === undefined ? [] : sealFiles(seal).map((file) => file.path)),
        // vault, internalshared/listenerutil/listener.go: so are those whose clients are let in
        ...(isCluster ? [CLIENT_FILES.ca] : []),
      ].map((file) => files.versionOf(file)),
      dependsOn: [files.dependable, data.dependable, audit.dependable],
    });
    this.endpoint = vaultNodeEndpoint(environment, vault, state, host);

    const reload = new Operation(this, 'Reload', {
      runner,
      operation: 'reload-container',
      input: {
        container: node.container,
        signal: 'SIGHUP',
        proof: {
          kind: 'certificates',
          url: this.endpoint.url,
          certificates: [{ file: certificate.certificate, caFile: ca }],
          ...(isCluster ? { client: vaultClientFiles(state, VAULT_CLIENTS.operator) } : {}),
        },
      },
      triggers: files.versions,
      dependsOn: [files.dependable, this.container.dependable],
    });
    const shares = shareFiles(state, vault.shares);
    const openers = shares.slice(0, vault.threshold);
    // the others join the first, and are opened by the same shares
    const peers = vaultNodes(deployment.nodes)
      .filter(({ number }) => number !== host.number)
      .map((peer) => ({ node: peer, endpoint: mutual(vaultNodeEndpoint(environment, vault, state, peer), state) }));
    const initialization = {
      ...vaultInitialization(environment, vault, state, this.endpoint),
      ...(isCluster ? { others: peers.map(({ endpoint }) => endpoint) } : {}),
    };
    const isFirst = host.number === vaultNodes(deployment.nodes)[0].number;
    const open = isFirst ? this.initialize(deployment, initialization, reload) : reload;
    if (vault.unseal === 'auto') this.addUnsealer(deployment, host, openers, open);
    if (!isCluster) {
      this.dependable = open.dependable;
      return;
    }
    const gate = new Operation(this, 'Await', {
      runner,
      operation: 'await-vault-node',
      input: {
        host: host.host.name,
        endpoint: mutual(this.endpoint, state),
        raftNode: node.raftId,
        peers: peers.map(({ node: peer, endpoint }) => ({ ...endpoint, raftNode: peer.vault.raftId })),
        threshold: vault.threshold,
        // the unsealer gives them, and twice would be once too often
        unsealShareFiles: vault.unseal === 'auto' ? [] : shares,
        tokenFile: state.secret.provisionerToken,
        ...(isFirst ? {} : { initialization }),
        isLast: peers.every(({ node: peer }) => peer.number < host.number),
      },
      triggers: { container: this.container.containerId },
      dependsOn: [open.dependable],
    });
    this.dependable = gate.dependable;
  }

  /** Makes it the Vault of this deployment, and the first member of a Raft of several. */
  private initialize(
    deployment: DeploymentBase,
    input: OperationInput<'initialize-vault'>,
    reload: Operation<'reload-container'>,
  ): Operation<'initialize-vault'> {
    const initialize = new Operation(this, 'Initialize', {
      runner: deployment.runner,
      operation: 'initialize-vault',
      input,
      renewal: {
        note: input.renewalNote,
        ...(input.metrics === undefined ? {} : { makes: [input.metrics.tokenFile] }),
      },
      // a container that was replaced starts sealed
      triggers: { container: this.container.containerId },
      dependsOn: [reload.dependable],
    });
    for (const share of input.unsealShareFiles) deployment.made(this, share, initialize.runId);
    return initialize;
  }

  private addUnsealer(
    deployment: DeploymentBase,
    host: VaultHost,
    shares: readonly string[],
    after: Operation<'initialize-vault' | 'reload-container'>,
  ): void {
    const node = host.vault;
    const { environment, state } = deployment;
    const isCluster = host.host !== undefined;
    const image = deployment.image(this, node.program);
    const files = new FileVolume(this, 'UnsealerFiles', {
      deployment,
      name: node.unsealer.files,
      image,
      files: [
        { path: 'unseal.sh', content: UNSEAL_SCRIPT },
        { path: 'ca.crt', source: state.caCertificate },
        ...(isCluster ? clientFiles(state).filter(({ path }) => path !== CLIENT_FILES.ca) : []),
        // written by the initialisation in this same apply; a rekeying gets here by their hash
        ...shares.map((source, index) => ({ path: `unseal-share-${index + 1}`, source })),
      ],
      dependsOn: [after.dependable],
    });
    new ServiceContainer(this, 'Unsealer', {
      deployment,
      name: node.unsealer.container,
      image,
      command: ['sh', '/files/unseal.sh', programPaths(environment)[node.program]],
      networks: [deployment.reference(this, vaultNetwork(environment).name)],
      alias: node.unsealer.alias,
      volumes: [{ name: files.name, path: '/files', readOnly: true }],
      variables: {
        VAULT_ADDR: node.url,
        VAULT_CACERT: '/files/ca.crt',
        ...(isCluster ? CLIENT_VARIABLES : {}),
      },
      memoryMb: 256,
      dependsOn: [files.dependable],
    });
  }
}

/** What `initialize-vault` is told of every Vault of a deployment. */
function vaultInitialization(
  environment: VaultEnvironment,
  vault: EmbeddedVault,
  state: StateLayout,
  endpoint: TlsEndpoint,
): OperationInput<'initialize-vault'> {
  const { shares, threshold } = vault;
  const metrics = metricsPolicy(environment);
  const seal = declaredSeal(vault);
  return {
    environment: environment.name,
    endpoint,
    shares,
    threshold,
    ...(vault.distribution === 'vault' ? {} : { distribution: vault.distribution }),
    unsealShareFiles: shareFiles(state, shares),
    rootTokenFile: state.secret.rootToken,
    provisionerTokenFile: state.secret.provisionerToken,
    provisionerPolicy: {
      name: vaultNames(environment).provisionerPolicy,
      document: provisionerPolicy(environment),
    },
    ...(metrics === undefined ? {} : { metrics: { tokenFile: state.secret.vaultMetricsToken, policy: metrics } }),
    ...(seal === undefined
      ? {}
      : {
          seal: {
            access: sealAccess(seal),
            recoveryShareFiles: Array.from({ length: shares }, (_, index) => state.secret.recoveryShare(index + 1)),
            leave: seal.leave,
            noteFile: state.vaultSeal,
          },
        }),
    // if it names master keys, an empty Vault has lost them and is not initialised
    canariesFile: state.canaries,
    placeFile: state.keyStore,
    renewalNote: `${state.tls}/provisioner-token.json`,
  };
}

const shareFiles = (state: StateLayout, count: number): string[] =>
  Array.from({ length: count }, (_, index) => state.secret.unsealShare(index + 1));

/** The host that is declared, where it has a Vault. */
function hostOf({ node }: DeploymentBase, scope: Construct): VaultHost {
  const { vault } = node;
  if (vault === undefined)
    throw new DeclarationError(scope, '`deployment` must be at a host with a Vault, got: another');
  return { ...node, vault };
}

/** By which Vault’s own program is known to it. */
const CLIENT_VARIABLES = {
  VAULT_CLIENT_CERT: `/files/${CLIENT_FILES.certificate}`,
  VAULT_CLIENT_KEY: `/files/${CLIENT_FILES.privateKey}`,
};

function clientFiles(state: StateLayout): { readonly path: string; readonly source: string }[] {
  const { certificate, privateKey } = vaultClientFiles(state, VAULT_CLIENTS.vault);
  return [
    { path: CLIENT_FILES.ca, source: vaultClientCa(state) },
    { path: CLIENT_FILES.certificate, source: certificate },
    { path: CLIENT_FILES.privateKey, source: privateKey },
  ];
}

function mutual(endpoint: TlsEndpoint, state: StateLayout): MutualTlsEndpoint {
  const { certificate, privateKey } = vaultClientFiles(state, VAULT_CLIENTS.operator);
  return { ...endpoint, certificateFile: certificate, privateKeyFile: privateKey };
}

/**
 * By default Vault refuses every login of a role, with the right SecretID, too, for 15 minutes after five with a wrong one
 * (developer.hashicorp.com, Vault, "User lockout"). A KES whose SecretID was revoked tries more often than that within a
 * minute, and so can anybody who knows the RoleID, which is no secret. A SecretID of 122 random bits is not guessed.
 */
const NO_LOCKOUT = { approle: { disable_lockout: true } };

/** How long Vault keeps a value that does not change: a counter that is forgotten between two looks says nothing. */
const TELEMETRY = { prometheus_retention_time: '24h', disable_hostname: true };

/**
 * Vault's configuration file. `disable_mlock` and `cluster_addr` must be written with integrated storage, or Vault
 * 1.20 and later does not start (hashicorp/vault, command/server.go).
 */
function serverConfiguration(deployment: DeploymentBase, { host, vault }: VaultHost): Record<string, unknown> {
  const { alias, port, raftId, url, program } = vault;
  const isOpenbao = program === 'openbao';
  const others = vaultNodes(deployment.nodes).filter((peer) => peer.vault.raftId !== raftId);
  return {
    ui: false,
    disable_mlock: true,
    api_addr: url,
    cluster_addr: `https://${alias}:${VAULT_CLUSTER_PORT}`,
    storage: {
      raft: {
        path: '/vault/data',
        node_id: raftId,
        performance_multiplier: others.length === 0 ? RAFT_MULTIPLIER.single : RAFT_MULTIPLIER.several,
        ...(others.length === 0
          ? {}
          : {
              retry_join: others.map((peer) => ({
                leader_api_addr: peer.vault.url,
                leader_ca_cert_file: '/files/ca.crt',
                leader_client_cert_file: CLIENT_VARIABLES.VAULT_CLIENT_CERT,
                leader_client_key_file: CLIENT_VARIABLES.VAULT_CLIENT_KEY,
              })),
            }),
      },
    },
    listener: {
      tcp: {
        address: `0.0.0.0:${port}`,
        cluster_address: `0.0.0.0:${VAULT_CLUSTER_PORT}`,
        tls_cert_file: '/files/server.crt',
        tls_key_file: '/files/server.key',
        tls_min_version: 'tls12',
        ...(isOpenbao ? SHARES_ARE_ENOUGH_FOR_OPENBAO : {}),
        ...(host === undefined
          ? {}
          : { tls_require_and_verify_client_cert: true, tls_client_ca_file: `/files/${CLIENT_FILES.ca}` }),
      },
    },
    user_lockout: NO_LOCKOUT,
    ...(isOpenbao ? { audit: AUDIT_DEVICES.map(auditDeviceSettings) } : {}),
    ...(!isOpenbao && deployment.hasPublishedImages ? { enable_unauthenticated_access: SHARES_ARE_ENOUGH } : {}),
  };
}
