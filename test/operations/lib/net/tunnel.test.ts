import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { type AgentOptions, request } from 'node:https';
import { text } from 'node:stream/consumers';
import { TunnelAgent } from '../../../../operations/lib/net/tunnel';
import { ThrowawayCa } from '../../../helpers/certificates';
import { RecordingProxy } from '../../../helpers/servers/recording-proxy';
import { useTemporaryFolder } from '../../../helpers/temporary-folder';
import { TlsServer } from '../../../helpers/servers/tls-server';

const folder = useTemporaryFolder();
let ca: ThrowawayCa;
let server: TlsServer;
let proxy: RecordingProxy;

beforeEach(async () => {
  ca = await ThrowawayCa.create(folder(), 'ca');
  server = await TlsServer.start(await ca.issue('server'), (_, response) => response.end('here'));
  proxy = await RecordingProxy.start();
});
afterEach(async () => {
  await proxy.stop();
  await server.stop();
});

async function get(proxyUrl: string, options: AgentOptions): Promise<string> {
  const asked = request(server.url, { agent: new TunnelAgent(new URL(proxyUrl), options) });
  asked.end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  return text(response);
}

const trusting = (): AgentOptions => ({ ca: readFileSync(ca.file), rejectUnauthorized: true });

test('asks through the proxy, and gets what the server says', async () => {
  expect(await get(proxy.url, trusting())).toBe('here');
  expect(proxy.asked).toEqual([new URL(server.url).host]);
});

test('a proxy may have an IPv6 address', async () => {
  const sixth = await RecordingProxy.start('::1');
  try {
    expect(await get(sixth.url, trusting())).toBe('here');
    expect(sixth.asked).toEqual([new URL(server.url).host]);
  } finally {
    await sixth.stop();
  }
});

test('verifies the server, not the proxy', async () => {
  await expect(get(proxy.url, { rejectUnauthorized: true })).rejects.toThrow('unable to verify the first certificate');
});

test('names a proxy that is not there', async () => {
  const { url } = proxy;
  await proxy.stop();
  await expect(get(url, trusting())).rejects.toThrow(`the proxy ${new URL(url).host} cannot be used: `);
  proxy = await RecordingProxy.start();
});
