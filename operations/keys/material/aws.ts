/** Master keys in AWS Secrets Manager: a secret each, of the same name. Source: minio/kes v0.24.0, internal/keystore/aws. */
import {
  CreateSecretCommand,
  GetSecretValueCommand,
  ResourceExistsException,
  ResourceNotFoundException,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager';
import { secretsManagerEndpoint } from '../../../config/keys/aws';
import type { AwsKeyStoreSettings } from '../../../config/environment';
import type { LoadedEnvironment } from '../../state/load';
import { awsOptions, readAwsCredentials } from '../aws-credentials';
import { ExternalError, messageOf } from '../../lib/errors';
import { anotherKey, type KeyMaterial } from './key-material';

export function awsKeyMaterial({ environment, state }: LoadedEnvironment, keyStore: AwsKeyStoreSettings): KeyMaterial {
  const credentials = keyStore.credentials === 'chain' ? readAwsCredentials(state.secret.awsCredentials) : undefined;
  const options = awsOptions(keyStore, credentials, environment.trustedCAs);
  const client = new SecretsManagerClient({ ...options, endpoint: secretsManagerEndpoint(keyStore) });
  const read = async (key: string): Promise<Buffer | undefined> => {
    try {
      const { SecretString, SecretBinary } = await client.send(new GetSecretValueCommand({ SecretId: key }));
      return SecretString === undefined ? Buffer.from(SecretBinary ?? []) : Buffer.from(SecretString);
    } catch (error) {
      if (error instanceof ResourceNotFoundException) return undefined;
      throw failed(`read master key ${key}`, error);
    }
  };
  return {
    read,
    create: async (key, material) => {
      try {
        const { kmsKey } = keyStore;
        const SecretString = material.toString('utf8');
        const sealing = kmsKey === undefined ? {} : { KmsKeyId: kmsKey };
        await client.send(new CreateSecretCommand({ Name: key, SecretString, ...sealing }));
        return 'created';
      } catch (error) {
        if (!(error instanceof ResourceExistsException)) throw failed(`create master key ${key}`, error);
      }
      if ((await read(key))?.equals(material) !== true) throw anotherKey(key);
      return 'same';
    },
    close: () => {
      client.destroy();
      return Promise.resolve();
    },
  };
}

function failed(what: string, error: unknown): ExternalError {
  const name = error instanceof Error ? error.name : 'error';
  return new ExternalError(
    `AWS Secrets Manager: ${what}: ${name}: ${messageOf(error)}`,
    'docs/key-stores.md has the rights that are needed',
    { cause: error },
  );
}
