/** Where MinIO is told to send its records. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { UsageError } from '../../../../operations/lib/errors';
import type { Secret } from '../../../../operations/lib/secret';
import { provisionAuditWebhook } from '../../../../operations/minio/webhooks/audit-webhook';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';
import { rejectionOf } from '../../../helpers/thrown';

const folder = useTemporaryFolder();
const SETTINGS = { endpoint: 'https://audit.example.com/x?y=1', queueFolder: '/audit-queue', queueSize: 5000 };

/** What MinIO was told. */
async function told(token?: string): Promise<string[]> {
  const tokenFile = path.join(folder(), 'token');
  if (token !== undefined) writeFileSync(tokenFile, token);
  const said: Secret[] = [];
  const admin = { putSetting: async (setting: Secret) => Promise.resolve(void said.push(setting)) };
  await provisionAuditWebhook(admin, { ...SETTINGS, ...(token === undefined ? {} : { tokenFile }) });
  return said.map((setting) => setting.reveal());
}

test('records wait in a queue on a volume, and the token comes from its file', async () => {
  expect(await told('abc.DEF-123\n')).toEqual([
    'audit_webhook:ebs enable=on endpoint="https://audit.example.com/x?y=1" auth_token="Bearer abc.DEF-123" queue_dir="/audit-queue" queue_size="5000"',
  ]);
});

test('without a token one that was set before goes', async () => {
  expect(await told()).toEqual([expect.stringContaining('auth_token="" queue_dir=')]);
});

test.each([
  ['nothing', ''],
  ['two words', 'a b'],
  ['a quote', 'a"b'],
])('a file with %s is refused, and its content is not repeated', async (_, token) => {
  const error = await rejectionOf(told(token));
  expect(error).toBeInstanceOf(UsageError);
  expect(error.message).toBe(
    `minio.audit.tokenFile: ${path.join(folder(), 'token')} must hold a token of printable characters without quotes and spaces`,
  );
});
