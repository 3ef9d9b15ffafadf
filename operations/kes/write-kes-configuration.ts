import { stringify } from 'yaml';
import { type KesLogin, renderKesConfiguration } from '../../config/kes/kes-configuration';
import { writeKeyStoreNote } from '../state/notes/key-store-note';
import type { OperationInput } from '../../config/operation-inputs';
import { readAwsCredentials } from '../keys/aws-credentials';
import { readIfExists, writeFileAtomically } from '../lib/files';
import { kesIdentities } from './kes-identity';
import { vaultLogin } from './kes-secret-id';
import { KEYS_BESIDE_DATA } from '../keys/key-folder-preflight';

type Input = OperationInput<'write-kes-configuration'>;

/** What KES logs in by, and what is to be done when the file with it is written. */
interface Login {
  readonly login: KesLogin;
  readonly finish?: () => Promise<void>;
}

/** Writes the configuration file of KES with what KES logs in by at its key store. */
export async function writeKesConfiguration(input: Input): Promise<void> {
  const identities = kesIdentities(input.configuration.clients, input.certificateFolder);
  const { login, finish } = await loginOf(input);
  const configuration = renderKesConfiguration(input.configuration, { identities, login });
  // before the file, so that keys are never made in a place that is not noted
  if (readIfExists(input.placeFile) === undefined) writeKeyStoreNote(input.placeFile, input.place);
  writeFileAtomically(input.file, stringify(configuration));
  await finish?.();
}

async function loginOf({ configuration, vault, awsCredentialsFile, file }: Input): Promise<Login> {
  const { keyStore } = configuration;
  switch (keyStore.type) {
    case 'vault':
      if (vault === undefined) throw new Error('a key store in Vault, and nothing says how to reach it');
      return vaultLogin(vault, keyStore, file);
    case 'aws':
      return {
        login: {
          type: 'aws',
          ...(awsCredentialsFile === undefined ? {} : { credentials: readAwsCredentials(awsCredentialsFile) }),
        },
      };
    case 'filesystem':
      process.stderr.write(`${KEYS_BESIDE_DATA}\n`);
      return { login: { type: 'filesystem' } };
  }
}
