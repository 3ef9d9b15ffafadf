import { createServer } from 'node:http';
import type { RequestListener } from 'node:http';
import { writeFileSync } from 'node:fs';
import type { CheckContext } from '../../../../operations/checks/check';
import { foreignCa } from '../../../../operations/checks/refusals/foreign-ca';
import { transportRefusals } from '../../../../operations/checks/refusals/transport';
import type { CheckResult } from '../../../../operations/checks/runner';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';
import { close, contextWith, type FakeDeployment, fakeDeployment, listen, resultOf } from '../fakes';

const folder = useTemporaryFolder();
let tls: FakeDeployment;

beforeEach(async () => {
  jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  tls = await fakeDeployment(folder(), (_, response) => response.end());
});
afterEach(async () => {
  jest.restoreAllMocks();
  await tls.close();
});

function contextAt(port: number): CheckContext {
  return {
    ...contextWith(tls.loaded, () => undefined),
    s3Endpoint: { url: `https://127.0.0.1:${port}`, caFile: tls.loaded.state.caCertificate },
  };
}

async function run(id: string, port: number): Promise<CheckResult> {
  return resultOf(transportRefusals, id, contextAt(port));
}

describe('plain-http-refused', () => {
  test('a TLS server that hangs up passes', async () => {
    expect(await run('plain-http-refused', tls.port)).toMatchObject({ status: 'passed' });
  });

  test.each<[string, RequestListener, number]>([
    ['an S3 API', (_, response) => response.writeHead(403, { 'x-amz-request-id': '1' }).end('<Error/>'), 403],
    ['a redirect', (_, response) => response.writeHead(301, { location: 'https://127.0.0.1/' }).end(), 301],
    ['any other 400', (_, response) => response.writeHead(400).end('<Error/>'), 400],
  ])('%s fails', async (_, handler, status) => {
    const server = createServer(handler);
    const port = await listen(server);
    const result = await run('plain-http-refused', port);
    await close(server);
    expect(result).toMatchObject({ status: 'failed' });
    expect(result.message).toMatch(new RegExp(`^the S3 port serves plain HTTP: HTTP/1.1 ${status} `));
  });

  test('what Go’s TLS listener says passes', async () => {
    const server = createServer((_, response) =>
      response.writeHead(400).end('Client sent an HTTP request to an HTTPS server.\n'),
    );
    const port = await listen(server);
    const result = await run('plain-http-refused', port);
    await close(server);
    expect(result).toMatchObject({ status: 'passed', evidence: { answer: 'HTTP/1.1 400 Bad Request' } });
  });

  test('nobody listening is no refusal', async () => {
    expect(await run('plain-http-refused', 1)).toMatchObject({ status: 'could-not-check' });
  });
});

describe('untrusted-ca-refused', () => {
  test('a certificate of the environment’s own CA passes, with the code of the refusal as evidence', async () => {
    expect(await run('untrusted-ca-refused', tls.port)).toMatchObject({
      status: 'passed',
      evidence: { trusted: { subject: 'CN=minio-server' }, withAnotherCa: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' },
    });
  });

  test('a certificate of another CA than the environment’s fails', async () => {
    writeFileSync(tls.loaded.state.caCertificate, await foreignCa());
    const result = await run('untrusted-ca-refused', tls.port);
    expect(result).toMatchObject({ status: 'failed' });
    expect(result.message).toMatch(/ca\.crt does not trust the S3 port: UNABLE_TO_VERIFY_LEAF_SIGNATURE$/);
  });

  test('nobody listening says nothing about certificates', async () => {
    expect(await run('untrusted-ca-refused', 1)).toMatchObject({ status: 'could-not-check' });
  });
});
