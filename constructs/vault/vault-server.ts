import type { ITerraformDependable } from 'cdktf';
import { Construct } from 'constructs';
import { vaultNames } from '../../config/deployment-names';
import { vaultNetwork } from '../../config/docker/networks';
import { programPaths } from '../../config/docker/program-paths';
import { publishedUrl } from '../../config/docker/reachable';
import { metricsPolicy, provisionerPolicy } from '../../config/keys/key-store';
import type { VaultNode } from '../../config/node';
import type { TlsEndpoint } from '../../config/operation-inputs';
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

const CLUSTER_PORT = 8201;

/**
 * Scales Raft's waits. By Vault's default, 5, a single server waits 5 to 10 s, after each start, for a leader that there
 * is not; with 1, "recommended for production", 1 to 2 s (developer.hashicorp.com, Vault, storage "raft").
 */
const RAFT_MULTIPLIER = 1;

/**
 * One Vault server with integrated storage, initialised, unsealed and left with a token that can do no more than
 * declare the key store. The root token is revoked.
 */
export class VaultServer extends Construct {
  /** How the machine that deploys reaches it. */
  readonly endpoint: TlsEndpoint;
  readonly container: ServiceContainer;
  private readonly initialize: Operation<'initialize-vault'>;

  constructor(scope: Construct, id: string, { deployment, certificate }: VaultServerProps) {
    super(scope, id);
    const { environment, runner, state } = deployment;
    const node = deployment.node.vault;
    const vault = embeddedVault(environment);
    if (vault === undefined || !isInVault(environment)) {
      throw new DeclarationError(this, '`deployment` must have an embedded Vault, got: another key store');
    }
    const image = deployment.image(this, 'vault');
    const program = programPaths(environment).vault;
    const network = vaultNetwork(environment);
    if (!deployment.isMade(network.name)) declareNetwork(this, 'Network', { ...network, deployment });
    const { caCertificate: ca } = state;
    const metrics = metricsPolicy(environment);
    const configuration = {
      ...serverConfiguration(node, deployment.hasPublishedImages),
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
      ],
    });
    const takeOver = deployment.hasPublishedImages ? { takeOverWith: image } : {};
    const data = new DataVolume(this, 'Data', { deployment, name: node.dataVolume, ...takeOver });
    const audit = new DataVolume(this, 'Audit', { deployment, name: node.auditVolume, ...takeOver });
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
      ports: [{ container: node.port, host: vault.port, address: vault.publishAddress }],
      healthCheck: {
        command: ['env', `VAULT_ADDR=https://127.0.0.1:${node.port}`, 'VAULT_CACERT=/files/ca.crt', program, 'status'],
        intervalSeconds: 10,
      },
      memoryMb: vault.memoryMb,
      stopSeconds: 30,
      // vault, command/server.go: telemetry is set up only then
      ...(metrics === undefined ? {} : { readAtStart: [files.versionOf('vault.json')] }),
      dependsOn: [files.dependable, data.dependable, audit.dependable],
    });
    this.endpoint = { url: publishedUrl(vault.publishAddress, vault.port), caFile: ca };

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
        },
      },
      triggers: files.versions,
      dependsOn: [files.dependable, this.container.dependable],
    });
    const renewalNote = `${state.tls}/provisioner-token.json`;
    const shares = Array.from({ length: vault.shares }, (_, index) => state.secret.unsealShare(index + 1));
    this.initialize = new Operation(this, 'Initialize', {
      runner,
      operation: 'initialize-vault',
      input: {
        environment: environment.name,
        endpoint: this.endpoint,
        shares: vault.shares,
        threshold: vault.threshold,
        unsealShareFiles: shares,
        rootTokenFile: state.secret.rootToken,
        provisionerTokenFile: state.secret.provisionerToken,
        provisionerPolicy: {
          name: vaultNames(environment).provisionerPolicy,
          document: provisionerPolicy(environment),
        },
        ...(metrics === undefined ? {} : { metrics: { tokenFile: state.secret.vaultMetricsToken, policy: metrics } }),
        // if it names master keys, an empty Vault has lost them and is not initialised
        canariesFile: state.canaries,
        placeFile: state.keyStore,
        renewalNote,
      },
      renewal: {
        note: renewalNote,
        ...(metrics === undefined ? {} : { makes: [state.secret.vaultMetricsToken] }),
      },
      // a container that was replaced starts sealed
      triggers: { container: this.container.containerId },
      dependsOn: [reload.dependable],
    });
    for (const share of shares) deployment.made(this, share, this.initialize.runId);
    if (vault.unseal === 'auto') this.addUnsealer(deployment, image, program, shares.slice(0, vault.threshold));
  }

  /** For the `dependsOn` of what needs an unsealed Vault. */
  get dependable(): ITerraformDependable {
    return this.initialize.dependable;
  }

  private addUnsealer(deployment: DeploymentBase, image: string, program: string, shares: readonly string[]): void {
    const node = deployment.node.vault;
    const files = new FileVolume(this, 'UnsealerFiles', {
      deployment,
      name: node.unsealer.files,
      image,
      files: [
        { path: 'unseal.sh', content: UNSEAL_SCRIPT },
        { path: 'ca.crt', source: deployment.state.caCertificate },
        // written by the initialisation in this same apply; a rekeying gets here by their hash
        ...shares.map((source, index) => ({ path: `unseal-share-${index + 1}`, source })),
      ],
      dependsOn: [this.initialize.dependable],
    });
    new ServiceContainer(this, 'Unsealer', {
      deployment,
      name: node.unsealer.container,
      image,
      command: ['sh', '/files/unseal.sh', program],
      networks: [deployment.reference(this, vaultNetwork(deployment.environment).name)],
      alias: node.unsealer.alias,
      volumes: [{ name: files.name, path: '/files', readOnly: true }],
      variables: { VAULT_ADDR: node.url, VAULT_CACERT: '/files/ca.crt' },
      memoryMb: 256,
      dependsOn: [files.dependable],
    });
  }
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
function serverConfiguration(
  { container, alias, port, url }: VaultNode,
  mayBeVersion2: boolean,
): Record<string, unknown> {
  return {
    ui: false,
    disable_mlock: true,
    api_addr: url,
    cluster_addr: `https://${alias}:${CLUSTER_PORT}`,
    storage: { raft: { path: '/vault/data', node_id: container, performance_multiplier: RAFT_MULTIPLIER } },
    listener: {
      tcp: {
        address: `0.0.0.0:${port}`,
        cluster_address: `0.0.0.0:${CLUSTER_PORT}`,
        tls_cert_file: '/files/server.crt',
        tls_key_file: '/files/server.key',
        tls_min_version: 'tls12',
      },
    },
    user_lockout: NO_LOCKOUT,
    ...(mayBeVersion2 ? { enable_unauthenticated_access: SHARES_ARE_ENOUGH } : {}),
  };
}
