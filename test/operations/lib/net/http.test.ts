import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { HttpClient } from '../../../../operations/lib/net/http';
import { ThrowawayCa } from '../../../helpers/certificates';
import { compiled } from '../../../helpers/compiled';
import { TlsServer } from '../../../helpers/servers/tls-server';
import { rejectionOf } from '../../../helpers/thrown';

interface Seen {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: Record<string, unknown>;
  readonly body: string;
  readonly client: string | undefined;
  readonly port: number | undefined;
}

let folder: string;
let ca: ThrowawayCa;
let otherCa: ThrowawayCa;
let open: TlsServer;
let mutual: TlsServer;
let client: { certificateFile: string; privateKeyFile: string };
let seen: Seen[];
let clients: HttpClient[];

beforeAll(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'ebs-http-'));
  ca = await ThrowawayCa.create(folder, 'ca');
  otherCa = await ThrowawayCa.create(folder, 'other-ca');
  client = await ca.issue('client');
  const server = await ca.issue('server');
  const start = (more: { clientCaFile?: string }) =>
    TlsServer.start({ ...server, ...more }, (request, response, body) => {
      const certificate = request.socket instanceof TLSSocket ? request.socket.getPeerCertificate() : undefined;
      seen.push({
        method: request.method,
        url: request.url,
        headers: request.headers,
        body,
        // an empty object when the client showed none
        client: certificate !== undefined && 'subject' in certificate ? String(certificate.subject.CN) : undefined,
        port: request.socket.remotePort,
      });
      if (request.url === '/never') return;
      if (
        request.url === '/closes-kept' &&
        seen.some(({ port }, at) => port === request.socket.remotePort && at < seen.length - 1)
      ) {
        request.socket.destroy();
        return;
      }
      if (request.url === '/broken') {
        response.writeHead(200, { 'content-length': '100' }).write('half');
        setTimeout(() => request.socket.destroy(), 20);
        return;
      }
      if (request.url === '/endless') {
        const piece = Buffer.alloc(1024, 'x');
        const more = (): void => {
          while (!response.destroyed && response.write(piece));
          if (!response.destroyed) response.once('drain', more);
        };
        more();
        return;
      }
      response.writeHead(request.url === '/none' ? 404 : 200, { 'x-answer': 'yes' }).end('an answer: é');
    });
  open = await start({});
  mutual = await start({ clientCaFile: ca.file });
});

afterAll(async () => {
  await open.stop();
  await mutual.stop();
  rmSync(folder, { recursive: true, force: true });
});

beforeEach(() => {
  seen = [];
  clients = [];
});

afterEach(() => {
  for (const each of clients) each.close();
});

function clientOf(endpoint: ConstructorParameters<typeof HttpClient>[0]): HttpClient {
  const made = new HttpClient(endpoint);
  clients.push(made);
  return made;
}

describe('a request', () => {
  test('is answered with status, headers and text', async () => {
    const response = await clientOf({ url: open.url, caFile: ca.file }).send({ method: 'GET', path: '/v1/a?b=c' });

    expect(response).toMatchObject({ status: 200, text: 'an answer: é', headers: { 'x-answer': 'yes' } });
    expect(seen).toMatchObject([{ method: 'GET', url: '/v1/a?b=c', body: '' }]);
  });

  test('is given up where the answer is longer than it may be, however long it goes on', async () => {
    const client = clientOf({ url: open.url, caFile: ca.file });
    const request = { method: 'GET', maxBytes: 20_000 } as const;
    const host = new URL(open.url).host;
    expect((await rejectionOf(client.send({ ...request, path: '/endless' }))).message).toBe(
      `GET /endless of ${host}: the answer is longer than 20000 bytes`,
    );
    expect(await client.send({ ...request, path: '/v1/a' })).toMatchObject({ status: 200 });
  });

  test('carries JSON and headers', async () => {
    await clientOf({ url: open.url, caFile: ca.file }).send({
      method: 'POST',
      path: '/v1/a',
      headers: { 'x-vault-token': 'a token' },
      json: { name: 'é' },
    });

    expect(seen).toMatchObject([
      {
        method: 'POST',
        body: '{"name":"é"}',
        headers: { 'x-vault-token': 'a token', 'content-type': 'application/json', 'content-length': '13' },
      },
    ]);
  });

  test('goes over the connection of the one before', async () => {
    const http = clientOf({ url: open.url, caFile: ca.file });
    await http.send({ method: 'GET', path: '/1' });
    await http.send({ method: 'GET', path: '/2' });
    expect(new Set(seen.map(({ port }) => port)).size).toBe(1);
  });

  test('is not a failure when the server says that something is', async () => {
    const response = await clientOf({ url: open.url, caFile: ca.file }).send({ method: 'GET', path: '/none' });
    expect(response.status).toBe(404);
  });
});

describe('a failure says which server it was about', () => {
  const host = () => new URL(open.url).host;

  test('no answer in time', async () => {
    const http = clientOf({ url: open.url, caFile: ca.file });
    const error = await rejectionOf(http.send({ method: 'GET', path: '/never', timeoutMs: 50 }));
    expect(error.message).toBe(`${host()}: no answer from ${host()} in time`);
  });

  test('nobody listens', async () => {
    const gone = await TlsServer.start(await ca.issue('gone'), () => undefined);
    await gone.stop();
    const error = await rejectionOf(clientOf({ url: gone.url, caFile: ca.file }).send({ method: 'GET', path: '/' }));
    expect(error.message).toMatch(new RegExp(`^${new URL(gone.url).host}: connect ECONNREFUSED`));
    expect(error.cause).toHaveProperty('code', 'ECONNREFUSED');
  });
});

test('an answer that breaks off is a failure, not a short answer', async () => {
  const http = clientOf({ url: open.url, caFile: ca.file });
  const error = await rejectionOf(http.send({ method: 'GET', path: '/broken' }));
  expect(error.message).toBe(
    `${new URL(open.url).host}: the connection ended in the middle of the answer to GET /broken`,
  );
});

describe('certificates', () => {
  test('of the client are shown', async () => {
    await clientOf({ url: mutual.url, caFile: ca.file, ...client }).send({ method: 'GET', path: '/' });
    expect(seen).toMatchObject([{ client: 'client' }]);
  });

  test('of the client are needed where the server asks for one', async () => {
    const http = clientOf({ url: mutual.url, caFile: ca.file });
    const error = await rejectionOf(http.send({ method: 'GET', path: '/' }));
    expect(error.message).toMatch(/certificate required|ECONNRESET|hang up/);
    expect(seen).toEqual([]);
  });

  test('of the client must come from the right CA', async () => {
    const stranger = await otherCa.issue('stranger');
    const http = clientOf({ url: mutual.url, caFile: ca.file, ...stranger });
    await expect(http.send({ method: 'GET', path: '/' })).rejects.toThrow();
    expect(seen).toEqual([]);
  });

  test('of the server must come from the right CA', async () => {
    const error = await rejectionOf(
      clientOf({ url: open.url, caFile: otherCa.file }).send({ method: 'GET', path: '/' }),
    );
    expect(error.message).toMatch(/unable to verify the first certificate|self.signed certificate/);
    expect(seen).toEqual([]);
  });

  test('of the server must come from a CA of the system when no other is named', async () => {
    await expect(clientOf({ url: open.url }).send({ method: 'GET', path: '/' })).rejects.toThrow(/certificate/);
    expect(seen).toEqual([]);
  });

  test('of the server must be for the address that is called', async () => {
    const elsewhere = open.url.replace('127.0.0.1', 'localhost');
    const error = await rejectionOf(clientOf({ url: elsewhere, caFile: ca.file }).send({ method: 'GET', path: '/' }));
    expect(error.message).toMatch(/Hostname\/IP does not match certificate's altnames/);
  });
});

describe('an endpoint is refused', () => {
  test('when it would be spoken to in the clear', () => {
    expect(() => new HttpClient({ url: 'http://127.0.0.1:1' })).toThrow(
      'address must begin with https://, got: http://127.0.0.1:1',
    );
  });

  test('when its CA cannot be read', () => {
    expect(() => new HttpClient({ url: open.url, caFile: path.join(folder, 'none.crt') })).toThrow(/ENOENT.*none\.crt/);
  });
});

test('a server of another CA is refused, also where the environment says to verify nothing', async () => {
  // a process of its own, because Node reads the variable outside of what jest lets a test change
  const source = compiled('operations/lib/net/http.ts', path.join(folder, 'http.cjs'));
  const endpoint = JSON.stringify({ url: open.url, caFile: otherCa.file });
  const program = `
    const { HttpClient } = require(${JSON.stringify(source)});
    const http = new HttpClient(${endpoint});
    http.send({ method: 'GET', path: '/' }).then(
      () => console.log('answered'),
      (error) => console.log(error.cause.code),
    ).finally(() => http.close());`;
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', program], {
    env: { PATH: process.env.PATH, NODE_TLS_REJECT_UNAUTHORIZED: '0' },
  });
  expect(stdout.trim()).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE');
});

test('a kept connection that the server closes at that moment is replaced by a new one', async () => {
  // GIVEN
  const http = clientOf({ url: open.url, caFile: ca.file });
  await http.send({ method: 'GET', path: '/' });

  // WHEN
  const { status } = await http.send({ method: 'PUT', path: '/closes-kept' });

  // THEN
  expect(status).toBe(200);
  const [first, closed, again] = seen.map(({ port }) => port);
  expect(closed).toBe(first);
  expect(again).not.toBe(first);
});

test('… but not for a POST, which the server may have carried out', async () => {
  const http = clientOf({ url: open.url, caFile: ca.file });
  await http.send({ method: 'GET', path: '/' });

  await expect(http.send({ method: 'POST', path: '/closes-kept' })).rejects.toThrow(/ECONNRESET|socket hang up/);
  expect(seen).toHaveLength(2);
});

test('… unless it does no harm twice', async () => {
  const http = clientOf({ url: open.url, caFile: ca.file });
  await http.send({ method: 'GET', path: '/' });

  expect((await http.send({ method: 'POST', path: '/closes-kept', repeatable: true })).status).toBe(200);
});
