import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { proxyFor, registryProblem } from '../../../operations/toolchain/registry';

const url = new URL('https://registry.terraform.io/.well-known/terraform.json');

test.each<[NodeJS.ProcessEnv, string | undefined]>([
  [{}, undefined],
  [{ HTTPS_PROXY: '' }, undefined],
  [{ HTTPS_PROXY: 'http://proxy:3128' }, 'http://proxy:3128/'],
  [{ https_proxy: 'proxy:3128' }, 'http://proxy:3128/'],
  [{ HTTPS_PROXY: 'http://proxy:3128', NO_PROXY: 'localhost, .terraform.io' }, undefined],
  [{ HTTPS_PROXY: 'http://proxy:3128', NO_PROXY: 'form.io,10.0.0.0/8' }, 'http://proxy:3128/'],
  [{ HTTPS_PROXY: 'http://proxy:3128', no_proxy: '*' }, undefined],
])('with %j the proxy is %s', (env, expected) => {
  expect(proxyFor(url, env)?.href).toBe(expected);
});

test('a proxy that refuses is the reason why the registry cannot be reached', async () => {
  // GIVEN
  const asked: IncomingMessage[] = [];
  const proxy = createServer().on('connect', (request: IncomingMessage, socket) => {
    asked.push(request);
    socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const { port } = proxy.address() as AddressInfo;

  // WHEN
  const env = { HTTPS_PROXY: `http://ann:p%40ss@127.0.0.1:${port}` };
  const problem = await registryProblem('tofu', undefined, env);
  proxy.close();

  // THEN
  expect(problem).toBe(
    `https://registry.opentofu.org/.well-known/terraform.json: the proxy 127.0.0.1:${port} answered 407 Proxy Authentication Required`,
  );
  expect(asked[0]?.url).toBe('registry.opentofu.org:443');
  expect(asked[0]?.headers['proxy-authorization']).toBe(`Basic ${Buffer.from('ann:p@ss').toString('base64')}`);
});

test('an interrupted question is an interruption, not an unreachable registry', async () => {
  await expect(registryProblem('terraform', AbortSignal.abort(new Error('interrupted')))).rejects.toThrow(
    'interrupted',
  );
});
