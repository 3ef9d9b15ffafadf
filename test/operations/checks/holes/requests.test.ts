import { newWriter, serverTime } from '../../../../operations/checks/holes/requests';
import type { HttpResponse } from '../../../../operations/lib/net/http';
import type { RawS3 } from '../../../../operations/minio/objects/raw-s3';

const DATE = 'Mon, 05 Jan 2026 10:00:00 GMT';

function answer(status: number, text: string): HttpResponse {
  return { status, headers: { date: DATE }, bytes: Buffer.from(text), text };
}

/** A server that gives one answer. */
function answering(response: HttpResponse): RawS3 {
  return { send: async () => Promise.resolve(response) } as unknown as RawS3;
}

test('a writer has credentials that end, and the time of the server', async () => {
  const keys = '<AccessKeyId>a</AccessKeyId><SecretAccessKey>b</SecretAccessKey><SessionToken>c</SessionToken>';
  const { credentials, now } = await newWriter(answering(answer(200, keys)), ['one']);
  expect({ ...credentials, secretKey: credentials.secretKey.reveal() }).toEqual({
    accessKey: 'a',
    secretKey: 'b',
    sessionToken: 'c',
  });
  expect(now).toEqual(new Date(DATE));
  expect(serverTime(answer(200, ''))).toEqual(new Date(DATE));
});

test('credentials that get none are told which do', async () => {
  const denied = answer(403, '<Error><Code>AccessDenied</Code></Error>');
  await expect(newWriter(answering(denied), ['one'])).rejects.toThrow(
    'credentials for a writer of some minutes could not be had: AssumeRole answered 403 AccessDenied. ' +
      'Use a user’s own credentials, no access key of theirs and no session: MinIO gives none to these',
  );
});
