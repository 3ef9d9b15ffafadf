import {
  GetBucketVersioningCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { ExternalError } from '../../../operations/lib/errors';
import { bytesOf, readCredentials, s3Client } from '../../../operations/minio/s3-client';
import { Secret } from '../../../operations/lib/secret';
import { ThrowawayCa } from '../../helpers/certificates';
import { useTemporaryFolder } from '../../helpers/temporary-folder';
import { rejectionOf, thrownBy } from '../../helpers/thrown';
import { TlsServer } from '../../helpers/servers/tls-server';

describe('a file of credentials', () => {
  const folder = useTemporaryFolder();
  const file = () => path.join(folder(), 'root.json');

  test('is read', () => {
    writeFileSync(file(), '{"accessKey":"root1","secretKey":"secret-of-root"}');
    const { accessKey, secretKey } = readCredentials(file());
    expect([accessKey, secretKey.reveal()]).toEqual(['root1', 'secret-of-root']);
  });

  test.each(['secret-of-root', '{"accessKey":"root1","secretKey":"secret-of-root"', '{"secretKey":"secret-of-root"}'])(
    'that is not whole is named and never quoted: %s',
    (text) => {
      writeFileSync(file(), text);
      const error = thrownBy(() => readCredentials(file()));
      expect(error).toBeInstanceOf(ExternalError);
      expect(error.message).toBe(`${file()} does not hold {accessKey, secretKey}`);
    },
  );
});

describe('an answer that ends in the middle of its body', () => {
  const folder = useTemporaryFolder();
  const object = { Bucket: 'b', Key: 'k' };
  const XML = '<?xml version="1.0"?><Error><Code>Acc';
  const REFUSED = { status: 403, whole: false, text: XML };

  test.each([
    [
      'an object',
      { status: 200, whole: false, text: 'half' },
      (s3: S3Client) => s3.send(new GetObjectCommand(object)).then(bytesOf),
      'the S3 API',
    ],
    [
      'a setting',
      { status: 200, whole: false, text: XML },
      (s3: S3Client) => s3.send(new GetBucketVersioningCommand(object)),
      undefined,
    ],
    [
      'a setting, by a proxy that ends it neatly',
      { status: 200, whole: true, text: XML },
      (s3: S3Client) => s3.send(new GetBucketVersioningCommand(object)),
      undefined,
    ],
    ['a refusal', REFUSED, (s3: S3Client) => s3.send(new GetObjectCommand(object)), undefined],
    [
      'a refusal of a write',
      REFUSED,
      (s3: S3Client) => s3.send(new PutObjectCommand({ ...object, Body: 'x' })),
      undefined,
    ],
  ])('is said as such: %s', async (_, { status, whole, text }, send, who) => {
    const ca = await ThrowawayCa.create(folder(), 'ca');
    const server = await TlsServer.start(await ca.issue('server'), (request, response) => {
      if (whole) response.writeHead(status).end(text);
      else {
        response.writeHead(status, { 'content-length': '1000' }).write(text);
        setTimeout(() => request.socket.destroy(), 20);
      }
    });
    const credentials = { accessKey: 'a', secretKey: new Secret('b') };
    const endpoint = { url: server.url, caFile: ca.file };
    const s3 = s3Client({ endpoint, region: 'us-east-1', credentials, attempts: 1 });
    const error = await rejectionOf(send(s3));
    s3.destroy();
    await server.stop();
    expect(error).toBeInstanceOf(ExternalError);
    expect(error.message).toMatch(
      new RegExp(
        `^${who ?? server.url} ended its answer in the middle of the body \\((?:aborted|@aws-sdk XML parse error).*\\)$`,
      ),
    );
  });
});

describe('an answer without end', () => {
  const folder = useTemporaryFolder();

  test.each<[string, string, (s3: S3Client) => Promise<unknown>]>([
    ['an object', '', (s3) => s3.send(new GetObjectCommand({ Bucket: 'b', Key: 'k' })).then(bytesOf)],
    ['a list', '<?xml version="1.0"?><ListBucketResult>', (s3) => s3.send(new ListObjectsV2Command({ Bucket: 'b' }))],
    ['an error', '<Error><Code>', (s3) => s3.send(new GetObjectCommand({ Bucket: 'b', Key: 'refused' }))],
  ])('is given up: %s', async (_, start, send) => {
    const ca = await ThrowawayCa.create(folder(), 'ca');
    const piece = Buffer.alloc(1024 * 1024, 'a');
    let sent = 0;
    let left: Promise<unknown> | undefined;
    const server = await TlsServer.start(await ca.issue('server'), (request, response) => {
      left = once(response, 'close');
      response.writeHead(request.url?.includes('refused') === true ? 403 : 200).write(start);
      const more = (): void => {
        while (!response.destroyed && response.write(piece)) sent += piece.length;
        if (!response.destroyed) response.once('drain', more);
      };
      more();
    });
    const endpoint = { url: server.url, caFile: ca.file };
    const credentials = { accessKey: 'a', secretKey: new Secret('b') };
    const s3 = s3Client({ endpoint, region: 'us-east-1', credentials, attempts: 1 });
    const error = await rejectionOf(send(s3));
    expect(error.message).toContain(`${server.url}: the answer is longer than ${64 * 1024 * 1024} bytes`);
    // the connection is hung up on
    await left;
    expect(sent).toBeLessThan(128 * 1024 * 1024);
    s3.destroy();
    await server.stop();
  });
});
