import type { LoadedEnvironment } from '../../state/load';
import { awsKeyMaterial } from './aws';
import { filesystemKeyMaterial } from './filesystem';
import type { KeyMaterial } from './key-material';
import { openVaultKeyMaterial } from './vault';

/**
 * @param kesConfiguration file that says how KES logs in at Vault. @default - that of the deployed KES
 * @throws ExternalError if the key store cannot be reached, or denies the login of KES
 */
export async function openKeyMaterial(
  loaded: LoadedEnvironment,
  kesConfiguration = loaded.state.secret.kesConfiguration,
): Promise<KeyMaterial> {
  const { keyStore } = loaded.environment;
  switch (keyStore.type) {
    case 'vault':
      return openVaultKeyMaterial(loaded, keyStore, kesConfiguration);
    case 'aws':
      return awsKeyMaterial(loaded, keyStore);
    case 'filesystem':
      return filesystemKeyMaterial(loaded, keyStore);
  }
}
