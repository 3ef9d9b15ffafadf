/** A client of several servers that answer for the same. */
import { createServer, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import { HttpClient } from '../../../../operations/lib/net/http';
import { ThrowawayCa } from '../../../helpers/certificates';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';
import { rejectionOf } from '../../../helpers/thrown';
import { TlsServer } from '../../../helpers/servers/tls-server';

const folder = useTemporaryFolder();
/** A port on which nobody listens. */
const NOBODY = 'https://127.0.0.1:1';

let ca: ThrowawayCa;
let first: TlsServer;
let second: TlsServer;
let client: HttpClient | undefined;

beforeEach(async () => {
  ca = await ThrowawayCa.create(folder(), 'ca');
  const server = await ca.issue('server');
  const saying = (name: string) =>
    TlsServer.start(server, (_, response) => {
      response.end(name);
    });
  first = await saying('first');
  second = await saying('second');
});

afterEach(async () => {
  client?.close();
  await first.stop();
  await second.stop();
});

function of(url: string, ...otherUrls: string[]): HttpClient {
  client = new HttpClient({ url, otherUrls, caFile: ca.file });
  return client;
}

const ask = async (http: HttpClient, method: 'GET' | 'POST' = 'GET') => (await http.send({ method, path: '/' })).text;

test('the first one is asked while it answers', async () => {
  const http = of(first.url, second.url);
  expect([await ask(http), await ask(http)]).toEqual(['first', 'first']);
});

test.each(['GET', 'POST'] as const)('a %s goes to the next one where nobody listens', async (method) => {
  expect(await ask(of(NOBODY, second.url), method)).toBe('second');
});

test('one that goes away is left for the next, and the next is kept', async () => {
  const http = of(first.url, second.url);
  expect(await ask(http)).toBe('first');
  await first.stop();
  expect([await ask(http), await ask(http)]).toEqual(['second', 'second']);
});

test('a host that says nothing at all is given up after 3 s', async () => {
  // it reads, so that its socket ends with that of the client
  const silent: Server = createServer((socket) => socket.resume());
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as AddressInfo;
  const startedAt = performance.now();
  expect(await ask(of(`https://127.0.0.1:${port}`, second.url))).toBe('second');
  expect(performance.now() - startedAt).toBeGreaterThan(2_900);
  client?.close();
  silent.close();
});

test('a certificate of somebody else is no reason to ask the next one', async () => {
  const other = await ThrowawayCa.create(folder(), 'other');
  const foreign = await TlsServer.start(await other.issue('foreign'), (_, response) => {
    response.end('foreign');
  });
  const error = await rejectionOf(ask(of(foreign.url, second.url)));
  expect(error.message).toContain('unable to verify the first certificate');
  await foreign.stop();
});

test('when none answers, the error says so of each', async () => {
  const error = await rejectionOf(ask(of(NOBODY, 'https://127.0.0.1:2')));
  expect(error.message).toBe('127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1; connect ECONNREFUSED 127.0.0.1:2');
  expect((error.cause as NodeJS.ErrnoException).code).toBe('ECONNREFUSED');
});
