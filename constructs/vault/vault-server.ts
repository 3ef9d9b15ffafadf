import type { ITerraformDependable } from 'cdktf';
import { Construct } from 'constructs';
import type { VaultNode } from '../../config/node';
import type { CertificateFiles, TlsEndpoint } from '../../config/operation-inputs';
import { publishedUrl } from '../../config/docker/reachable';
import { DeclarationError } from '../declaration-error';
import { fileHash } from '../expressions';
import { DataVolume, FileVolume, type Publication, ServiceContainer } from '../docker';
import { Operation, type OperationRunner } from '../operation';
import { UNSEAL_SCRIPT } from './unseal-script';

export interface VaultServerProps {
  readonly runner: OperationRunner;
  readonly environment: string;
  readonly node: VaultNode;
  readonly image: string;
  /** Path of the `vault` program in the image. */
  readonly program: string;
  readonly network: string;
  /** Address and port on the Docker host. */
  readonly publish: Publication;
  readonly ca: string;
  readonly certificate: CertificateFiles;
  readonly memoryMb: number;
  /** Processes and threads of the service user on the Docker host. @default - see ServiceContainer */
  readonly processLimit?: number | undefined;
  readonly unseal: 'auto' | 'manual';
  readonly shares: number;
  readonly threshold: number;
  /** Files for the unseal shares, one each. */
  readonly unsealShareFiles: readonly string[];
  readonly rootTokenFile: string;
  readonly provisionerTokenFile: string;
  readonly provisionerPolicy: { readonly name: string; readonly document: string };
  /** If it names master keys, an empty Vault has lost them and is not initialised. */
  readonly canariesFile: string;
  /** The note of where their keys are. */
  readonly placeFile: string;
  /** Folder for the note about the provisioner token's renewal. */
  readonly noteFolder: string;
  readonly allowDataLoss: boolean;
  /** Whether the image leaves new volumes to root, as published images do. */
  readonly takeOverVolumes: boolean;
  /** Whether the image may hold Vault 2.x, which has to be told {@link SHARES_ARE_ENOUGH}; 1.x ignores it with a warning. */
  readonly mayBeVersion2: boolean;
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

  constructor(scope: Construct, id: string, props: VaultServerProps) {
    super(scope, id);
    if (props.unsealShareFiles.length !== props.shares) {
      throw new DeclarationError(
        this,
        `\`unsealShareFiles\` must be one per share, got: ${props.unsealShareFiles.length} for ${props.shares}`,
      );
    }
    const { environment, image, node, runner } = props;
    const files = new FileVolume(this, 'Files', {
      name: node.files,
      environment,
      image,
      files: [
        { path: 'vault.json', content: JSON.stringify(serverConfiguration(node, props.mayBeVersion2)) },
        { path: 'ca.crt', source: props.ca },
        { path: 'server.crt', source: props.certificate.certificate },
        { path: 'server.key', source: props.certificate.privateKey },
      ],
    });
    const takeOver = props.takeOverVolumes ? { takeOverWith: image } : {};
    const data = new DataVolume(this, 'Data', {
      name: node.dataVolume,
      environment,
      allowDataLoss: props.allowDataLoss,
      ...takeOver,
    });
    const audit = new DataVolume(this, 'Audit', {
      name: node.auditVolume,
      environment,
      allowDataLoss: props.allowDataLoss,
      ...takeOver,
    });
    this.container = new ServiceContainer(this, 'Server', {
      name: node.container,
      environment,
      image,
      command: [props.program, 'server', '-config=/files/vault.json'],
      networks: [props.network],
      alias: node.alias,
      volumes: [
        { name: files.name, path: '/files', readOnly: true },
        { name: data.name, path: '/vault/data', readOnly: false },
        { name: audit.name, path: '/vault/audit', readOnly: false },
      ],
      ports: [{ container: node.port, host: props.publish.port, address: props.publish.address }],
      healthCheck: {
        command: [
          'env',
          `VAULT_ADDR=https://127.0.0.1:${node.port}`,
          'VAULT_CACERT=/files/ca.crt',
          props.program,
          'status',
        ],
        intervalSeconds: 10,
      },
      memoryMb: props.memoryMb,
      processLimit: props.processLimit,
      stopSeconds: 30,
      dependsOn: [files.dependable, data.dependable, audit.dependable],
    });
    this.endpoint = { url: publishedUrl(props.publish.address, props.publish.port), caFile: props.ca };

    const reload = new Operation(this, 'Reload', {
      runner,
      operation: 'reload-container',
      input: {
        container: node.container,
        signal: 'SIGHUP',
        proof: {
          kind: 'certificates',
          url: this.endpoint.url,
          certificates: [{ file: props.certificate.certificate, caFile: props.ca }],
        },
      },
      triggers: files.versions,
      dependsOn: [files.dependable, this.container.dependable],
    });
    const renewalNote = `${props.noteFolder}/provisioner-token.json`;
    this.initialize = new Operation(this, 'Initialize', {
      runner,
      operation: 'initialize-vault',
      input: {
        environment,
        endpoint: this.endpoint,
        shares: props.shares,
        threshold: props.threshold,
        unsealShareFiles: [...props.unsealShareFiles],
        rootTokenFile: props.rootTokenFile,
        provisionerTokenFile: props.provisionerTokenFile,
        provisionerPolicy: props.provisionerPolicy,
        canariesFile: props.canariesFile,
        placeFile: props.placeFile,
        renewalNote,
      },
      renewal: { note: renewalNote },
      // a container that was replaced starts sealed
      triggers: { container: this.container.containerId },
      dependsOn: [reload.dependable],
    });
    if (props.unseal === 'auto') this.addUnsealer(props);
  }

  /** For the `dependsOn` of what needs an unsealed Vault. */
  get dependable(): ITerraformDependable {
    return this.initialize.dependable;
  }

  private addUnsealer(props: VaultServerProps): void {
    const { environment, image, node } = props;
    const files = new FileVolume(this, 'UnsealerFiles', {
      name: node.unsealer.files,
      environment,
      image,
      files: [
        { path: 'unseal.sh', content: UNSEAL_SCRIPT },
        { path: 'ca.crt', source: props.ca },
        // written by the initialisation in this same apply, when the plan has long looked at the file: unknown, then
        // both; afterwards the hash, by which a rekeying gets here
        ...props.unsealShareFiles.slice(0, props.threshold).map((source, index) => ({
          path: `unseal-share-${index + 1}`,
          source,
          version: `${this.initialize.runId} ${fileHash(source)}`,
        })),
      ],
      dependsOn: [this.initialize.dependable],
    });
    new ServiceContainer(this, 'Unsealer', {
      name: node.unsealer.container,
      environment,
      image,
      command: ['sh', '/files/unseal.sh', props.program],
      networks: [props.network],
      alias: node.unsealer.alias,
      volumes: [{ name: files.name, path: '/files', readOnly: true }],
      variables: { VAULT_ADDR: node.url, VAULT_CACERT: '/files/ca.crt' },
      memoryMb: 256,
      processLimit: props.processLimit,
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
