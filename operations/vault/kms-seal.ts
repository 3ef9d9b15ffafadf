/** A seal that is a key of AWS KMS: asked here for what Vault asks of it. Apart, because the client takes long to load. */
import { DecryptCommand, DescribeKeyCommand, EncryptCommand, KMSClient } from '@aws-sdk/client-kms';
import { randomBytes } from 'node:crypto';
import type { KmsAccess } from '../../config/operation-inputs';
import { describeSeal } from '../../config/vault/seal';
import { awsOptions, type AwsCredentials } from '../keys/aws-credentials';
import { ExternalError, messageOf } from '../lib/errors';
import { readIfExists } from '../lib/files';
import { Secret } from '../lib/secret';

/** What AWS says of credentials that it does not accept, or that may not do it (AWS KMS API Reference, "Common Error Types"). */
const REFUSALS = new Set([
  'AccessDeniedException',
  'IncompleteSignature',
  'InvalidClientTokenId',
  'InvalidSignatureException',
  'NotAuthorized',
  'UnrecognizedClientException',
]);

/** @throws ExternalError that names the seal, if it is away or refuses */
export async function requireUsableKmsKey(access: KmsAccess): Promise<void> {
  const { region, key: KeyId, caFile, credentialsFile } = access;
  const what = `the seal of Vault, ${describeSeal(access)},`;
  const credentials = readCredentials(credentialsFile);
  const kms = new KMSClient({
    ...awsOptions({ region, ...(caFile === undefined ? {} : { caFile }) }, credentials, []),
    // given, so that no variable of this machine names another one: Vault would not ask that
    endpoint: access.endpoint ?? `https://kms.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`,
  });
  try {
    const { KeyMetadata } = await kms.send(new DescribeKeyCommand({ KeyId }));
    if (KeyMetadata?.KeyState !== 'Enabled') throw new Error(`it is ${KeyMetadata?.KeyState ?? 'of no state'}`);
    const plaintext = randomBytes(32);
    const { CiphertextBlob } = await kms.send(new EncryptCommand({ KeyId, Plaintext: plaintext }));
    const { Plaintext } = await kms.send(new DecryptCommand({ KeyId, CiphertextBlob }));
    if (Plaintext === undefined || !plaintext.equals(Plaintext)) {
      throw new ExternalError(`${what} decrypts to something else than was encrypted`);
    }
  } catch (error) {
    if (error instanceof ExternalError) throw error;
    const refused = error instanceof Error && REFUSALS.has(error.name);
    throw new ExternalError(
      `${what} ${refused ? `refuses access key ${credentials.accessKeyId}` : 'does not answer'}: ${messageOf(error)}`,
      refused
        ? 'the access key may have been deactivated, or may lack a right that ./scripts/policy prints'
        : 'see whether the key exists and is enabled. An embedded Vault that runs works on without it; one that starts does not open',
      { cause: error },
    );
  } finally {
    kms.destroy();
  }
}

/** The profile `default` of a shared credentials file, as Vault reads it. */
function readCredentials(file: string): AwsCredentials {
  const text = readIfExists(file) ?? '';
  const profile = /^\s*\[default\]\s*$(.*?)(?:^\s*\[|$(?![\s\S]))/ms.exec(text)?.[1] ?? '';
  const value = (name: string): string | undefined =>
    new RegExp(`^\\s*${name}\\s*=\\s*(\\S+)\\s*$`, 'm').exec(profile)?.[1];
  const [accessKeyId, secret] = [value('aws_access_key_id'), value('aws_secret_access_key')];
  if (accessKeyId === undefined || secret === undefined) {
    throw new ExternalError(
      `vault.unseal.credentialsFile: ${file} must hold [default] with aws_access_key_id and aws_secret_access_key, it does not`,
      'docs/seals.md shows one',
    );
  }
  if (value('aws_session_token') !== undefined) {
    throw new ExternalError(
      `vault.unseal.credentialsFile: ${file} must hold lasting credentials, got temporary ones (${accessKeyId})`,
      'Vault needs them at each start: give the access key of an IAM user with the policy that ./scripts/policy prints',
    );
  }
  return { accessKeyId, secretAccessKey: new Secret(secret) };
}
