import { VaultProvider } from '@cdktf/provider-vault/lib/provider';
import type { ITerraformDependable } from 'cdktf';
import type { Construct } from 'constructs';
import { vaultNames } from '../config/deployment-names';
import { durationToMs } from '../config/duration';
import type { VaultKeyStoreSettings } from '../config/environment';
import { AUDIT_DEVICES, kesConfiguration, keyLocation } from '../config/keys/key-store';
import { type VaultAccess, vaultAccess } from '../config/state/endpoints';
import { otherIdentities } from '../config/certificates/leaf-certificates';
import { declaredPlace } from '../config/keys/key-store-place';
import { fileHash, literal, quoted } from '../constructs/expressions';
import { KesConfigurationFile, type KesServerProps } from '../constructs/kes/kes-server';
import type { Certificates } from '../constructs/tls/certificates';
import { KeyStore } from '../constructs/vault/key-store';
import type { Deployment } from './deployment';
import { EnvironmentStack } from './environment-stack';

/** The place of the master keys, and the configuration of KES that leads there. */
export interface KeystoreStack extends EnvironmentStack {
  /** Changes when the configuration of KES was written. */
  readonly configurationRunId: string;
  /** What KES needs besides its configuration to get at the keys. */
  readonly forKes: Pick<KesServerProps, 'vaultCa' | 'keyStoreCa' | 'keys' | 'variables'>;
}

/** Master keys in Vault. */
export class VaultKeystoreStack extends EnvironmentStack implements KeystoreStack {
  readonly configurationRunId: string;
  readonly forKes: KeystoreStack['forKes'];

  constructor(scope: Construct, deployment: Deployment, keyStore: VaultKeyStoreSettings, certificates: Certificates) {
    super(scope, 'keystore', deployment);
    const { environment, state, toolchain, vaultVariables } = deployment;
    const vault = vaultAccess(keyStore, state, vaultVariables);
    const names = vaultNames(environment);

    new VaultProvider(this, 'vault', {
      address: vault.url,
      // evaluated by Terraform when it talks to Vault; a token of the environment is not even named
      ...(vault.tokenFile === undefined ? {} : { token: `\${trimspace(file(${quoted(vault.tokenFile)}))}` }),
      ...(vault.caFile === undefined ? {} : { caCertFile: literal(vault.caFile) }),
      ...(vault.namespace === undefined ? {} : { namespace: vault.namespace }),
      // a child is for secrets that end with it; no resource here has one, and each deploy would leave a token behind
      skipChildToken: true,
      // a Vault that was just unsealed answers 5xx until it is active; the default of 2 gives up after some four seconds
      maxRetries: 5,
    });
    this.addOverride('terraform.required_providers.vault.version', toolchain.providers.vault);

    const { migrationSource } = deployment;
    const store = new KeyStore(this, 'KeyStore', {
      ...keyLocation(keyStore),
      existingMount: keyStore.existingMount,
      policyName: names.kesPolicy,
      appRole: {
        mount: keyStore.approle.mount,
        existingMount: keyStore.approle.existingMount,
        role: names.kesRole,
        tokenPeriod: keyStore.approle.tokenPeriod,
        secretIdTtl: keyStore.approle.secretId.ttl,
      },
      ...(migrationSource === undefined ? {} : { migrationSource }),
      auditDevices: keyStore.vault.mode === 'embedded' ? AUDIT_DEVICES : [],
      allowDataLoss: environment.allowDataLoss === environment.name,
    });

    const file = declareKesConfiguration(this, deployment, certificates, {
      vault,
      triggers: { role: store.roleId },
      dependsOn: [store.dependable],
    });
    this.configurationRunId = file.runId;
    this.forKes = vault.caFile === undefined ? {} : { vaultCa: vault.caFile };
  }
}

/** The configuration of KES, for any key store. */
export function declareKesConfiguration(
  scope: Construct,
  { environment, state, runner, retiredKeys, vaultVariables }: Deployment,
  certificates: Certificates,
  store: {
    /** For master keys in Vault. */
    readonly vault?: VaultAccess;
    /** For master keys in AWS, unless KES asks the instance. */
    readonly awsCredentialsFile?: string;
    /** Values that make the file be written again, besides other clients. */
    readonly triggers?: Readonly<Record<string, string>>;
    readonly dependsOn?: readonly ITerraformDependable[];
  } = {},
): KesConfigurationFile {
  const { vault, awsCredentialsFile } = store;
  const { keyStore } = environment;
  const configuration = kesConfiguration(environment, retiredKeys, vaultVariables);
  const secretId = keyStore.type === 'vault' ? keyStore.approle.secretId : undefined;
  return new KesConfigurationFile(scope, 'KesConfiguration', {
    runner,
    configuration,
    ...(vault === undefined || secretId === undefined
      ? {}
      : {
          vault: {
            url: vault.url,
            ...(vault.caFile === undefined ? {} : { caFile: vault.caFile }),
            ...(vault.namespace === undefined ? {} : { namespace: vault.namespace }),
            ...(vault.tokenFile === undefined ? {} : { tokenFile: vault.tokenFile }),
            secretId,
            ...(durationToMs(secretId.ttl) === 0 ? {} : { secretIdNote: state.secretIdNote }),
            outdatedSecretIds: state.outdatedSecretIds,
          },
        }),
    ...(awsCredentialsFile === undefined ? {} : { awsCredentialsFile }),
    certificateFolder: state.tls,
    file: state.secret.kesConfiguration,
    place: declaredPlace(environment, vaultVariables),
    placeFile: state.keyStore,
    triggers: {
      ...store.triggers,
      // a certificate with another key is another identity
      ...Object.fromEntries(
        configuration.clients.flatMap(({ name }): [string, string][] => [
          [`client ${name}`, fileHash(certificates.leaf(name).certificate)],
          ...otherIdentities(name).map((other): [string, string] => [
            `client ${other}`,
            fileHash(`${state.tls}/${other}.crt`),
          ]),
        ]),
      ),
    },
    dependsOn: store.dependsOn ?? [],
  });
}
