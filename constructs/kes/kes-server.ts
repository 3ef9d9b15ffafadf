import type { ITerraformDependable } from 'cdktf';
import { Construct } from 'constructs';
import {
  KES_FILES,
  KES_RELOADED,
  type KesConfiguration,
  kesConfigurationProblems,
  KEY_FOLDER,
} from '../../config/kes/kes-configuration';
import type { KeyStorePlace } from '../../config/keys/key-store-place';
import type { KesNode } from '../../config/node';
import type { CertificateFiles, OperationInput, TlsEndpoint } from '../../config/operation-inputs';
import { publishedUrl } from '../../config/docker/reachable';
import { DeclarationError } from '../declaration-error';
import { FileVolume, type Publication, ServiceContainer } from '../docker';
import { Operation, type OperationRunner } from '../operation';

/**
 * Where third-party CAs and that of the key store lie in the volume: each in a folder of its own, because KES trusts a
 * whole folder, and a volume keeps a file that is no longer declared.
 */
const TRUSTED_CAS = { thirdParty: 'trusted', keyStore: 'trusted-key-store' } as const;
/** Those that Go looks into where nobody names others. */
const SYSTEM_CA_FOLDERS = ['/etc/ssl/certs', '/etc/pki/tls/certs'];

export interface KesConfigurationFileProps {
  readonly runner: OperationRunner;
  readonly configuration: KesConfiguration;
  /** How the deploy reaches Vault, and how KES logs in. @default - the key store is none in Vault */
  readonly vault?: NonNullable<OperationInput<'write-kes-configuration'>['vault']>;
  /** Credentials for AWS. @default - none */
  readonly awsCredentialsFile?: string;
  /** Folder with the certificate of every client, named after it. */
  readonly certificateFolder: string;
  /** Where the file is written. */
  readonly file: string;
  /** Where the master keys are, and the file in which the first deploy notes it. */
  readonly place: KeyStorePlace;
  readonly placeFile: string;
  /** Values that make the file be written again. */
  readonly triggers: Readonly<Record<string, string>>;
  readonly dependsOn: readonly ITerraformDependable[];
}

/** The configuration file of KES, with its login in it, so it exists only in the secrets folder and in a volume. */
export class KesConfigurationFile extends Construct {
  private readonly operation: Operation<'write-kes-configuration'>;

  constructor(scope: Construct, id: string, props: KesConfigurationFileProps) {
    super(scope, id);
    const problems = kesConfigurationProblems(props.configuration);
    if (problems.length > 0) throw new DeclarationError(this, problems.join('; '));
    this.operation = new Operation(this, 'Write', {
      runner: props.runner,
      operation: 'write-kes-configuration',
      input: {
        ...(props.vault === undefined ? {} : { vault: props.vault }),
        ...(props.awsCredentialsFile === undefined ? {} : { awsCredentialsFile: props.awsCredentialsFile }),
        configuration: props.configuration,
        certificateFolder: props.certificateFolder,
        file: props.file,
        place: props.place,
        placeFile: props.placeFile,
      },
      ...(props.vault?.secretIdNote === undefined ? {} : { renewal: { note: props.vault.secretIdNote } }),
      triggers: props.triggers,
      dependsOn: props.dependsOn,
    });
  }

  /** Changes each time the file was written. */
  get runId(): string {
    return this.operation.runId;
  }
}

/** A volume, or an existing folder of the Docker host. */
export type KeyFolderSource = { readonly volume: string } | { readonly folder: string };

export interface KesServerProps {
  readonly runner: OperationRunner;
  readonly environment: string;
  readonly node: KesNode;
  readonly image: string;
  /** Path of the `kes` program in the image. */
  readonly program: string;
  readonly networks: readonly [string, ...string[]];
  readonly publish: Publication;
  /** The file that {@link KesConfigurationFile} writes. */
  readonly configurationFile: string;
  /** CA of the private certificates. */
  readonly ca: string;
  /** CA of Vault. @default - those that the image trusts */
  readonly vaultCa?: string;
  /** CA of a key store other than Vault. @default - those that the image trusts */
  readonly keyStoreCa?: string;
  /** Where master keys that are files lie. @default - they are no files */
  readonly keys?: KeyFolderSource;
  /**
   * Third-party CAs by which KES verifies its key store as well: a file of certificates.
   *
   * @default - those that the image trusts
   */
  readonly trustedCAs?: string;
  /** Such as HTTPS_PROXY. Visible to everybody who may use Docker: never a secret. @default - none */
  readonly variables?: Readonly<Record<string, string>>;
  readonly certificate: CertificateFiles;
  /** Certificate of the client that Docker's health check is. */
  readonly healthClient: CertificateFiles;
  readonly memoryMb: number;
  /** Processes and threads of the service user on the Docker host. @default - see ServiceContainer */
  readonly processLimit?: number | undefined;
}

/** One stateless KES server. Other files are read again without a restart. */
export class KesServer extends Construct {
  /** How the machine that deploys reaches it. */
  readonly endpoint: TlsEndpoint;
  readonly container: ServiceContainer;
  private readonly reload: Operation<'reload-container'>;

  constructor(scope: Construct, id: string, props: KesServerProps) {
    super(scope, id);
    const { environment, image, keys, node } = props;
    const trusted = [
      ...(props.trustedCAs === undefined ? [] : [{ folder: TRUSTED_CAS.thirdParty, source: props.trustedCAs }]),
      ...(props.keyStoreCa === undefined ? [] : [{ folder: TRUSTED_CAS.keyStore, source: props.keyStoreCa }]),
    ].map(({ folder, source }) => ({ folder, path: `${folder}/ca.crt`, source }));
    const files = new FileVolume(this, 'Files', {
      name: node.files,
      environment,
      image,
      files: [
        { path: 'server-config.yaml', source: props.configurationFile },
        { path: 'ca.crt', source: props.ca },
        ...(props.vaultCa === undefined ? [] : [{ path: 'vault-ca.crt', source: props.vaultCa }]),
        ...trusted.map(({ path, source }) => ({ path, source })),
        { path: 'server.crt', source: props.certificate.certificate },
        { path: 'server.key', source: props.certificate.privateKey },
        { path: 'health.crt', source: props.healthClient.certificate },
        { path: 'health.key', source: props.healthClient.privateKey },
      ],
    });
    this.container = new ServiceContainer(this, 'Server', {
      name: node.container,
      environment,
      image,
      command: [props.program, 'server', '--config', KES_FILES.configuration],
      networks: props.networks,
      alias: node.alias,
      volumes: [
        { name: files.name, path: '/files', readOnly: true },
        ...(keys === undefined || 'folder' in keys ? [] : [{ name: keys.volume, path: KEY_FOLDER, readOnly: false }]),
      ],
      ...(keys !== undefined && 'folder' in keys
        ? { folders: [{ host: keys.folder, path: KEY_FOLDER, readOnly: false }] }
        : {}),
      ports: [{ container: node.port, host: props.publish.port, address: props.publish.address }],
      healthCheck: {
        // the certificate is shown and verified on both sides, so this fails with a broken or expired one
        command: [
          'env',
          `KES_SERVER=127.0.0.1:${node.port}`,
          'KES_CLIENT_CERT=/files/health.crt',
          'KES_CLIENT_KEY=/files/health.key',
          `SSL_CERT_FILE=${KES_FILES.ca}`,
          props.program,
          'status',
          '--short',
        ],
      },
      memoryMb: props.memoryMb,
      processLimit: props.processLimit,
      variables: {
        ...props.variables,
        // Go reads these folders besides the file of the system, once (crypto/x509, root_unix.go)
        ...(trusted.length === 0
          ? {}
          : { SSL_CERT_DIR: [...SYSTEM_CA_FOLDERS, ...trusted.map(({ folder }) => `/files/${folder}`)].join(':') }),
      },
      readAtStart: trusted.map(({ path }) => files.versionOf(path)),
      dependsOn: [files.dependable],
    });
    this.endpoint = { url: publishedUrl(props.publish.address, props.publish.port), caFile: props.ca };
    this.reload = new Operation(this, 'Reload', {
      runner: props.runner,
      operation: 'reload-container',
      input: {
        container: node.container,
        signal: 'SIGHUP',
        proof: { ...KES_RELOADED, url: this.endpoint.url },
      },
      triggers: files.versions,
      dependsOn: [files.dependable, this.container.dependable],
    });
  }

  /** For the `dependsOn` of what needs KES with its present configuration. */
  get dependable(): ITerraformDependable {
    return this.reload.dependable;
  }

  /** Changes when KES was made to read other files. */
  get runId(): string {
    return this.reload.runId;
  }
}
