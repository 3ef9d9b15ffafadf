/** The audit webhook of MinIO with a real receiver: records arrive, wait while it is away, and the check tells of it. */
import { HeadBucketCommand } from '@aws-sdk/client-s3';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { NotYet, waitFor } from '../../operations/lib/wait';
import { mustSucceed } from '../helpers/e2e/command';
import { bridgeAddress } from '../helpers/e2e/bridge-address';
import { TestEnvironment } from '../helpers/e2e/test-environment';
import { Authority } from '../helpers/pki';
import { TlsServer } from '../helpers/servers/tls-server';

const TOKEN = 'a-token-of-the-webhook';
const CHECK = ['--only', 'minio-audit-sent'];
const record = z.object({ requestID: z.string().optional() });

let environment: TestEnvironment;
let server: TlsServer;
/** What the receiver does with a record. */
let receiver: 'takes' | 'refuses' | 'is away' = 'takes';
/** Ids of the requests that it has records of. */
const taken = new Set<string>();

beforeAll(async () => {
  environment = await TestEnvironment.create();
  const folder = environment.folderFor('webhook');
  const address = await bridgeAddress(environment.docker);
  const authority = await Authority.root('ca of the webhook');
  const { certificate, privateKey } = await authority.issue({ names: [address] });
  const file = (name: string, content: string): string => {
    const written = path.join(folder, name);
    writeFileSync(written, content, { mode: 0o600 });
    return written;
  };
  server = await TlsServer.start(
    { address, certificateFile: file('server.crt', certificate), privateKeyFile: file('server.key', privateKey) },
    (request, response, body) => {
      if (receiver === 'is away') {
        request.socket.destroy();
      } else if (receiver === 'refuses' || request.headers.authorization !== `Bearer ${TOKEN}`) {
        response.writeHead(403).end();
      } else {
        const { requestID } = body === '' ? {} : record.parse(JSON.parse(body));
        if (requestID !== undefined) taken.add(requestID);
        response.end();
      }
    },
  );
  environment.write({
    trustedCAs: [file('ca.crt', authority.certificate)],
    minio: { audit: { endpoint: server.url, tokenFile: file('token', TOKEN) } },
    buckets: [{ name: 'backup' }],
  });
  // its checks are the first that see records arrive
  mustSucceed(await environment.script('up'));
});

afterAll(async () => {
  await environment.remove();
  await server.stop();
});

async function request(): Promise<string> {
  const s3 = environment.s3();
  const { $metadata } = await s3.send(new HeadBucketCommand({ Bucket: 'backup' }));
  s3.destroy();
  return $metadata.requestId ?? '';
}

async function arrived(id: string): Promise<void> {
  await waitFor({ what: `the record of request ${id}`, timeoutMs: 60_000 }, () =>
    Promise.resolve(taken.has(id) || new NotYet(`${taken.size} others`)),
  );
}

test('the record of a request arrives, and the check passes', async () => {
  await arrived(await request());
  const { stdout } = mustSucceed(await environment.script('check', CHECK));
  expect(stdout).toContain('✔ minio-audit-sent');
});

test.each(['refuses', 'is away'] as const)('the receiver %s: the check is red, and nothing is lost', async (what) => {
  receiver = what;
  const id = await request();
  const { code, stdout } = await environment.script('check', CHECK);
  expect(code).toBe(1);
  expect(stdout).toMatch(
    new RegExp(
      `✘ minio-audit-sent: minio\\.audit\\.endpoint ${server.url} does not take what MinIO sends: \\d+ records? of `,
    ),
  );
  expect(stdout).toContain(`Records wait on the volume ${environment.containerName('minio-audit-queue')}`);
  expect(taken.has(id)).toBe(false);
  receiver = 'takes';
  await arrived(id);
  mustSucceed(await environment.script('check', CHECK));
});
