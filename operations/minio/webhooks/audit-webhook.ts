/**
 * Tells MinIO where to send a record of every request. It is a setting of the server, which MinIO keeps encrypted under its
 * default master key: a variable of the container would show the token to who can ask Docker.
 */
import type { OperationInput } from '../../../config/operation-inputs';
import { UsageError } from '../../lib/errors';
import { readSecret, Secret } from '../../lib/secret';
import type { MinioAdmin } from '../minio-admin';

type Settings = NonNullable<OperationInput<'provision-buckets'>['audit']>;

/** Name of the target in MinIO. */
const TARGET = 'ebs';

/** @throws UsageError if the file of the token holds none */
export async function provisionAuditWebhook(admin: Pick<MinioAdmin, 'putSetting'>, settings: Settings): Promise<void> {
  const { endpoint, tokenFile, queueFolder, queueSize } = settings;
  const token = tokenFile === undefined ? undefined : webhookToken('minio.audit.tokenFile', tokenFile);
  const fields = [
    ...['enable=on', `endpoint="${endpoint}"`],
    ...(token === undefined ? ['auth_token=""'] : [`auth_token="Bearer ${token.reveal()}"`]),
    ...[`queue_dir="${queueFolder}"`, `queue_size="${queueSize}"`],
  ];
  await admin.putSetting(new Secret(`audit_webhook:${TARGET} ${fields.join(' ')}`));
}

/**
 * The token that a webhook expects.
 *
 * @param setting that names the file
 * @throws UsageError if the file holds none, or one that a setting of MinIO cannot hold
 */
export function webhookToken(setting: string, file: string): Secret {
  const token = readSecret(file);
  if (token !== undefined && /^[\x21\x23-\x7e]+$/.test(token.reveal())) return token;
  throw new UsageError(
    `${setting}: ${file} must hold a token of printable characters without quotes and spaces`,
    'write the token that the webhook expects into it, alone',
  );
}
