/** Which webhooks MinIO is told of, and when it is started again. test/e2e/clients.e2e.test.ts has a real one. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { eventRules, provisionWebhooks } from '../../../../operations/minio/webhooks/event-webhooks';
import { RefusedByMinio } from '../../../../operations/minio/minio-admin';
import type { Secret } from '../../../../operations/lib/secret';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';
import { rejectionOf } from '../../../helpers/thrown';

const folder = useTemporaryFolder();
beforeEach(() => jest.spyOn(process.stderr, 'write').mockReturnValue(true));
afterEach(() => {
  jest.restoreAllMocks();
});

const INBOX = { name: 'inbox', endpoint: 'https://a.example.com/x?y=1', queueSize: 1000 };
const LINE =
  'notify_webhook:ebs-inbox endpoint=https://a.example.com/x?y=1 auth_token= queue_limit=1000 queue_dir=/event-queue client_cert= ';

/** What was done where MinIO works with these settings. */
async function done(settings: string, declared: readonly (typeof INBOX & { tokenFile?: string })[]): Promise<string[]> {
  const did: string[] = [];
  const admin = {
    exportSettings: async () => Promise.resolve(settings),
    putSetting: async (setting: Secret) => Promise.resolve(void did.push(setting.reveal())),
    removeSetting: async (name: string) => Promise.resolve(void did.push(`remove ${name}`)),
    eventTargets: async () => Promise.resolve(['arn:minio:sqs:eu:ebs-inbox:webhook']),
  };
  await provisionWebhooks(admin, 'eu', { declared: [...declared], queueFolder: '/event-queue' }, async () =>
    Promise.resolve(void did.push('restart')),
  );
  return did;
}

test('one that is new is set, and MinIO is started again', async () => {
  const tokenFile = path.join(folder(), 'token');
  writeFileSync(tokenFile, 'abc\n');
  expect(await done('', [{ ...INBOX, tokenFile }])).toEqual([
    'notify_webhook:ebs-inbox enable=on endpoint="https://a.example.com/x?y=1" auth_token="abc" queue_dir="/event-queue" queue_limit="1000"',
    'restart',
  ]);
});

test.each([
  ['nothing is declared and nothing is there', '', []],
  ['it is there as declared', LINE, [INBOX]],
  ['another one is there that no deploy made', LINE.replace('ebs-inbox', 'inbox'), []],
])('MinIO is left alone where %s', async (_, settings, declared) => {
  expect(await done(settings, declared)).toEqual([]);
});

test('one that is no longer declared is removed', async () => {
  expect(await done(LINE, [])).toEqual(['remove notify_webhook:ebs-inbox', 'restart']);
});

test('one that MinIO refuses is named with its address', async () => {
  const admin = {
    exportSettings: async () => Promise.resolve(''),
    putSetting: async () => Promise.reject(new RefusedByMinio('MinIO at m: PUT x: HTTP 400: not connected', 400)),
    removeSetting: async () => Promise.resolve(),
    eventTargets: async () => Promise.resolve([]),
  };
  const error = await rejectionOf(
    provisionWebhooks(admin, 'eu', { declared: [INBOX], queueFolder: '/q' }, async () => Promise.reject(new Error())),
  );
  expect(error.message).toBe('webhook inbox was not taken: MinIO at m: PUT x: HTTP 400: not connected');
  expect(error).toHaveProperty(
    'hint',
    'MinIO connects to a new webhook once: see whether https://a.example.com/x?y=1 can be reached from its container',
  );
});

test('rules as S3 is told of them', () => {
  expect(eventRules([{ webhook: 'inbox', on: ['created', 'removed'], prefix: 'a/', suffix: '.gz' }], 'eu')).toEqual([
    {
      Id: 'rule-1',
      QueueArn: 'arn:minio:sqs:eu:ebs-inbox:webhook',
      Events: ['s3:ObjectCreated:*', 's3:ObjectRemoved:*'],
      Filter: {
        Key: {
          FilterRules: [
            { Name: 'prefix', Value: 'a/' },
            { Name: 'suffix', Value: '.gz' },
          ],
        },
      },
    },
  ]);
});
