import { stringify } from 'yaml';
import { type KesLogin, renderKesConfiguration, type VaultKeyStore } from '../config/kes-configuration';
import { writeKeyStoreNote } from '../config/key-store-place';
import type { OperationInput } from '../config/operation-inputs';
import { AppRole, readKesLogin } from './approle';
import { readAwsCredentials } from './aws-credentials';
import { readIfExists, writeFileAtomically } from './files';
import { kesIdentities } from './kes-identity';
import { KEYS_BESIDE_DATA } from './preflight/key-folder';

type Input = OperationInput<'write-kes-configuration'>;
type VaultAccess = NonNullable<Input['vault']>;

/** Writes the configuration file of KES with what KES logs in by at its key store. */
export async function writeKesConfiguration(input: Input): Promise<void> {
  const identities = kesIdentities(input.configuration.clients, input.certificateFolder);
  const configuration = renderKesConfiguration(input.configuration, { identities, login: await loginOf(input) });
  // before the file, so that keys are never made in a place that nobody knows of
  if (readIfExists(input.placeFile) === undefined) writeKeyStoreNote(input.placeFile, input.place);
  writeFileAtomically(input.file, stringify(configuration));
}

async function loginOf({ configuration, vault, awsCredentialsFile, file }: Input): Promise<KesLogin> {
  const { keyStore } = configuration;
  switch (keyStore.type) {
    case 'vault':
      if (vault === undefined) throw new Error('a key store in Vault, and nothing says how to reach it');
      return vaultLogin(vault, keyStore, file);
    case 'aws':
      return {
        type: 'aws',
        ...(awsCredentialsFile === undefined ? {} : { credentials: readAwsCredentials(awsCredentialsFile) }),
      };
    case 'filesystem':
      process.stderr.write(`${KEYS_BESIDE_DATA}\n`);
      return { type: 'filesystem' };
  }
}

/** The SecretID of the role of KES: the one that the file has, or a new one. */
async function vaultLogin(access: VaultAccess, store: VaultKeyStore, file: string): Promise<KesLogin> {
  const role = new AppRole(access, store.appRole);
  try {
    const roleId = await role.roleId();
    const present = readKesLogin(file);
    if (present?.roleId === roleId && (await role.accessorOf(present.secretId)) !== undefined) {
      return { type: 'vault', ...present };
    }
    const { secretId } = await role.mint();
    process.stderr.write('minted a SecretID for KES\n');
    return { type: 'vault', roleId, secretId };
  } finally {
    role.close();
  }
}
