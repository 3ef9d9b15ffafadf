import type { ITerraformDependable } from 'cdktf';
import { Construct } from 'constructs';
import { otherIdentities } from '../../config/certificates/leaf-certificates';
import { CLIENTS, VAULT_CLIENTS } from '../../config/deployment-names';
import { networksOfService } from '../../config/docker/networks';
import { programPaths } from '../../config/docker/program-paths';
import { kesPublication } from '../../config/docker/reachable';
import { durationToMs } from '../../config/duration';
import type { VaultEnvironment } from '../../config/environment';
import { KES_FILES, KES_RELOADED, kesConfigurationProblems, KEY_FOLDER } from '../../config/kes/kes-configuration';
import { proxyVariables } from '../../config/kes/proxy';
import { kesConfiguration } from '../../config/keys/key-store';
import { declaredPlace } from '../../config/keys/key-store-place';
import type { MutualTlsEndpoint, OperationInput, TlsEndpoint } from '../../config/operation-inputs';
import { kesNodeEndpoint, type VaultAccess, vaultClientFiles } from '../../config/state/endpoints';
import type { StateLayout } from '../../config/state/layout';
import { embeddedVault, isInVault } from '../../config/vault/vault';
import { DeclarationError } from '../declaration-error';
import type { DeploymentBase } from '../deployment';
import { DataVolume, FileVolume, ServiceContainer } from '../docker';
import { fileHash } from '../expressions';
import { Operation } from '../operation';
import type { Certificates, IssuedCertificate } from '../tls/certificates';
import type { KeyStore } from '../vault/key-store';

/**
 * Where third-party CAs and that of the key store lie in the volume: each in a folder of its own, because KES trusts a
 * whole folder, and a volume keeps a file that is no longer declared.
 */
const TRUSTED_CAS = { thirdParty: 'trusted', keyStore: 'trusted-key-store' } as const;
/** Those that Go looks into by default. */
const SYSTEM_CA_FOLDERS = ['/etc/ssl/certs', '/etc/pki/tls/certs'];

export interface KesConfigurationFileProps {
  readonly deployment: DeploymentBase;
  /** The CA of the certificates by which KES knows its clients. */
  readonly ca: Certificates;
  /** Where the master keys are in Vault. @default - they are elsewhere, as the settings of the deployment say */
  readonly keyStore?: KeyStore;
}

/** The configuration file of KES, with its login in it, so it exists only in the secrets folder and in a volume. */
export class KesConfigurationFile extends Construct {
  private readonly operation: Operation<'write-kes-configuration'>;

  constructor(scope: Construct, id: string, { deployment, ca, keyStore }: KesConfigurationFileProps) {
    super(scope, id);
    const { environment, runner, state, vaultAccess, vaultVariables } = deployment;
    const configuration = kesConfiguration(environment, deployment.retiredKeys, vaultVariables);
    const problems = kesConfigurationProblems(configuration);
    if (problems.length > 0) throw new DeclarationError(this, problems.join('; '));
    if (isInVault(environment) !== (keyStore !== undefined)) {
      throw new DeclarationError(
        this,
        `\`keyStore\` must be given for master keys in Vault and for no others, got: ${keyStore === undefined ? 'none' : 'one'} with ${environment.keyStore.type}`,
      );
    }
    const vault =
      vaultAccess === undefined || !isInVault(environment) ? undefined : vaultLogin(environment, vaultAccess, state);
    const usesAwsCredentials = environment.keyStore.type === 'aws' && environment.keyStore.credentials === 'chain';
    const { awsCredentials } = state.secret;
    this.operation = new Operation(this, 'Write', {
      runner,
      operation: 'write-kes-configuration',
      input: {
        ...(vault === undefined ? {} : { vault }),
        ...(usesAwsCredentials ? { awsCredentialsFile: awsCredentials } : {}),
        configuration,
        certificateFolder: state.tls,
        file: state.secret.kesConfiguration,
        place: declaredPlace(environment, vaultVariables),
        placeFile: state.keyStore,
      },
      ...(vault?.secretIdNote === undefined ? {} : { renewal: { note: vault.secretIdNote } }),
      triggers: {
        ...(keyStore === undefined ? {} : { role: keyStore.roleId }),
        ...(usesAwsCredentials ? { credentials: deployment.fileVersion(this, awsCredentials) } : {}),
        // a certificate with another key is another identity
        ...Object.fromEntries(
          configuration.clients.flatMap(({ name }): [string, string][] => [
            [`client ${name}`, deployment.fileVersion(this, ca.leaf(name).certificate)],
            ...otherIdentities(name).map((other): [string, string] => [
              `client ${other}`,
              fileHash(`${state.tls}/${other}.crt`),
            ]),
          ]),
        ),
      },
      dependsOn: keyStore === undefined ? [] : [keyStore.dependable],
    });
    deployment.made(this, state.secret.kesConfiguration, this.operation.runId);
  }

  /** Changes each time the file was written. */
  get runId(): string {
    return this.operation.runId;
  }
}

/** How the deploy reaches Vault for the login of KES. */
function vaultLogin(
  { keyStore }: VaultEnvironment,
  { url, otherUrls, caFile, certificateFile, privateKeyFile, namespace, tokenFile }: VaultAccess,
  state: StateLayout,
): NonNullable<OperationInput<'write-kes-configuration'>['vault']> {
  const { secretId } = keyStore.approle;
  return {
    url,
    ...(caFile === undefined ? {} : { caFile }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(tokenFile === undefined ? {} : { tokenFile }),
    // several Vaults ask whoever connects for a certificate
    ...(otherUrls === undefined ? {} : { otherUrls }),
    ...(certificateFile === undefined ? {} : { certificateFile, privateKeyFile }),
    secretId,
    ...(durationToMs(secretId.ttl) === 0 ? {} : { secretIdNote: state.secretIdNote }),
    outdatedSecretIds: state.outdatedSecretIds,
  };
}

export interface KesServerProps {
  readonly deployment: DeploymentBase;
  readonly configuration: KesConfigurationFile;
  readonly certificate: IssuedCertificate;
}

/** One stateless KES server. Other files are read again without a restart. */
export class KesServer extends Construct {
  /** How the machine that deploys reaches it. */
  readonly endpoint: TlsEndpoint;
  readonly container: ServiceContainer;
  /** Issues the certificates of its clients. */
  readonly issuer: Certificates;
  private readonly reload: Operation<'reload-container'>;
  private readonly gate: Operation<'await-kes-node'> | undefined;

  constructor(scope: Construct, id: string, { deployment, certificate }: KesServerProps) {
    super(scope, id);
    const { environment, runner, state } = deployment;
    const { kes, keyStore, trustedCAs } = environment;
    const node = deployment.node.kes;
    this.issuer = certificate.issuer;
    const image = deployment.image(this, 'kes');
    const program = programPaths(environment).kes;
    const vaultCa = deployment.vaultAccess?.caFile;
    const { host } = deployment.node;
    const vaultClient =
      host === undefined || embeddedVault(environment) === undefined
        ? undefined
        : vaultClientFiles(state, VAULT_CLIENTS.kes);
    const trusted = [
      ...(trustedCAs.length === 0 ? [] : [{ folder: TRUSTED_CAS.thirdParty, source: state.trustedCAs }]),
      ...(keyStore.type !== 'aws' || keyStore.caFile === undefined
        ? []
        : [{ folder: TRUSTED_CAS.keyStore, source: keyStore.caFile }]),
    ].map(({ folder, source }) => ({ folder, path: `${folder}/ca.crt`, source }));
    const health = this.issuer.leaf(CLIENTS.health);
    const files = new FileVolume(this, 'Files', {
      deployment,
      name: node.files,
      image,
      files: [
        { path: 'server-config.yaml', source: state.secret.kesConfiguration },
        { path: 'ca.crt', source: state.caCertificate },
        ...(vaultCa === undefined ? [] : [{ path: 'vault-ca.crt', source: vaultCa }]),
        ...(vaultClient === undefined
          ? []
          : [
              { path: 'vault-client.crt', source: vaultClient.certificate },
              { path: 'vault-client.key', source: vaultClient.privateKey },
            ]),
        ...trusted.map(({ path, source }) => ({ path, source })),
        { path: 'server.crt', source: certificate.certificate },
        { path: 'server.key', source: certificate.privateKey },
        { path: 'health.crt', source: health.certificate },
        { path: 'health.key', source: health.privateKey },
      ],
    });
    const keys = keyStore.type === 'filesystem' ? keyStore : undefined;
    const keyVolume =
      keys === undefined || keys.path !== undefined || deployment.isMade(node.keyVolume)
        ? undefined
        : declareKeyVolume(this, deployment);
    const published = kesPublication(environment, deployment.node);
    const [network, ...networks] = networksOfService(environment, 'kes');
    this.container = new ServiceContainer(this, 'Server', {
      deployment,
      name: node.container,
      image,
      command: [program, 'server', '--config', KES_FILES.configuration],
      networks: [deployment.reference(this, network), ...networks.map((name) => deployment.reference(this, name))],
      alias: node.alias,
      volumes: [
        { name: files.name, path: '/files', readOnly: true },
        ...(keys === undefined || keys.path !== undefined
          ? []
          : [{ name: node.keyVolume, path: KEY_FOLDER, readOnly: false }]),
      ],
      ...(keys?.path === undefined ? {} : { folders: [{ host: keys.path, path: KEY_FOLDER, readOnly: false }] }),
      ports: [{ container: node.port, host: published.port, address: published.address }],
      healthCheck: {
        // the certificate is shown and verified on both sides, so this fails with a broken or expired one
        command: [
          'env',
          `KES_SERVER=127.0.0.1:${node.port}`,
          'KES_CLIENT_CERT=/files/health.crt',
          'KES_CLIENT_KEY=/files/health.key',
          `SSL_CERT_FILE=${KES_FILES.ca}`,
          program,
          'status',
          '--short',
        ],
      },
      memoryMb: kes.memoryMb,
      variables: {
        ...proxyVariables(keyStore),
        // Go reads these folders besides the file of the system, once (crypto/x509, root_unix.go)
        ...(trusted.length === 0
          ? {}
          : { SSL_CERT_DIR: [...SYSTEM_CA_FOLDERS, ...trusted.map(({ folder }) => `/files/${folder}`)].join(':') }),
      },
      readAtStart: trusted.map(({ path }) => files.versionOf(path)),
      dependsOn: [files.dependable, ...(keyVolume === undefined ? [] : [keyVolume.dependable])],
    });
    this.endpoint = kesNodeEndpoint(environment, state, deployment.node);
    this.reload = new Operation(this, 'Reload', {
      runner,
      operation: 'reload-container',
      input: {
        container: node.container,
        signal: 'SIGHUP',
        proof: { ...KES_RELOADED, url: this.endpoint.url },
      },
      triggers: files.versions,
      dependsOn: [files.dependable, this.container.dependable],
    });
    if (host === undefined) return;
    this.gate = new Operation(this, 'Await', {
      runner,
      operation: 'await-kes-node',
      input: { host: host.name, endpoint: this.as(CLIENTS.keyProver) },
      triggers: { container: this.container.containerId, reload: this.runId },
      dependsOn: [this.reload.dependable],
    });
  }

  /** How one of its clients reaches it from the machine that deploys. */
  as(client: string): MutualTlsEndpoint {
    const { certificate, privateKey } = this.issuer.leaf(client);
    return { ...this.endpoint, certificateFile: certificate, privateKeyFile: privateKey };
  }

  /** For the `dependsOn` of what needs KES with its present configuration. */
  get dependable(): ITerraformDependable {
    return (this.gate ?? this.reload).dependable;
  }

  /** Changes when KES was made to read other files. */
  get runId(): string {
    return this.reload.runId;
  }
}

/** The volume of master keys that are files. */
export function declareKeyVolume(scope: Construct, deployment: DeploymentBase): DataVolume {
  return new DataVolume(scope, 'Keys', {
    deployment,
    name: deployment.node.kes.keyVolume,
    // no image of KES has a folder for them, and that of MinIO can give one away
    takeOverWith: deployment.image(scope, 'minio'),
  });
}
