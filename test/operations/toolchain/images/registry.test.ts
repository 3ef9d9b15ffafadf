import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { UsageError } from '../../../../operations/lib/errors';
import { goPlatform } from '../../../../operations/lib/machine';
import { type Ask, proxyFor, registryProblem } from '../../../../operations/toolchain/images/registry';

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
  const problem = await registryProblem('tofu', { env });
  proxy.close();

  // THEN
  expect(problem).toBe(
    `https://registry.opentofu.org/.well-known/terraform.json: the proxy 127.0.0.1:${port} answered 407 Proxy Authentication Required`,
  );
  expect(asked[0]?.url).toBe('registry.opentofu.org:443');
  expect(asked[0]?.headers['proxy-authorization']).toBe(`Basic ${Buffer.from('ann:p@ss').toString('base64')}`);
});

test('an interrupted question is an interruption, not an unreachable registry', async () => {
  await expect(registryProblem('terraform', { signal: AbortSignal.abort(new Error('interrupted')) })).rejects.toThrow(
    'interrupted',
  );
});

/** A registry that answers like the real one, and notes what it was asked. */
function registry(answers: Record<string, string>) {
  const asked: string[] = [];
  const ask: Ask = (url) => {
    asked.push(url.href);
    const text = answers[url.pathname];
    if (text === undefined) return Promise.resolve({ status: 502, reason: 'Bad Gateway', text: '' });
    if (text.startsWith('to ')) return Promise.resolve({ status: 302, location: text.slice(3), text: '' });
    return Promise.resolve({ status: 200, text });
  };
  return { asked, ask };
}
const DISCOVERY = { '/.well-known/terraform.json': '{"providers.v1":"/v1/providers/"}' };

describe('versions that were asked for', () => {
  const wanted = [
    { address: 'hashicorp/vault', version: '5.11.0' },
    { address: 'kreuzwerker/docker', version: '4.7.0' },
  ];
  const list = (...versions: string[]) => JSON.stringify({ versions: versions.map((version) => ({ version })) });
  const VAULT = { '/v1/providers/hashicorp/vault/versions': list('5.9.0', '5.11.0') };

  test('are looked up where the registry says that its providers are', async () => {
    const { asked, ask } = registry({
      ...DISCOVERY,
      ...VAULT,
      '/v1/providers/kreuzwerker/docker/versions': list('4.7.0'),
    });
    await expect(registryProblem('terraform', { wanted, ask })).resolves.toBeUndefined();
    expect(asked).toEqual([
      'https://registry.terraform.io/.well-known/terraform.json',
      'https://registry.terraform.io/v1/providers/hashicorp/vault/versions',
      'https://registry.terraform.io/v1/providers/kreuzwerker/docker/versions',
    ]);
  });

  test('are refused where the registry does not have them', async () => {
    const { ask } = registry({
      ...DISCOVERY,
      ...VAULT,
      '/v1/providers/kreuzwerker/docker/versions': list('4.6.0', '4.7.0-beta1'),
    });
    await expect(registryProblem('terraform', { wanted, ask })).rejects.toEqual(
      new UsageError(
        'the Terraform registry has no version 4.7.0 of the provider kreuzwerker/docker (https://registry.terraform.io/v1/providers/kreuzwerker/docker/versions)',
        'Correct `providers:` in the environment file, or EBS_VAULT_PROVIDER_VERSION and EBS_DOCKER_PROVIDER_VERSION; without them the tested versions are used.',
      ),
    );
  });

  test.each([
    ['an error', {}, ': the answer was 502 Bad Gateway'],
    ['a page', { '/v1/providers/hashicorp/vault/versions': '<html>' }, ' answered without a list of versions'],
  ])('are not said to be missing where the list of them is %s', async (_, answers, problem) => {
    const { ask } = registry({ ...DISCOVERY, ...answers });
    await expect(registryProblem('terraform', { wanted, ask })).resolves.toBe(
      `https://registry.terraform.io/v1/providers/hashicorp/vault/versions${problem}`,
    );
  });
});

describe('where the registry answers', () => {
  const { os, architecture } = goPlatform();
  const downloads = [{ address: 'hashicorp/vault', version: '5.9.0' }];
  const at = `/v1/providers/hashicorp/vault/5.9.0/download/${os}/${architecture}`;
  const offer = { [at]: '{"download_url":"https://releases.example.com/vault.zip?token=of-this-download"}' };

  test('what it offers is asked for where it is, through redirections', async () => {
    const { asked, ask } = registry({
      ...DISCOVERY,
      ...offer,
      '/vault.zip': 'to https://files.example.com/a/vault.zip',
      '/a/vault.zip': '…',
    });
    await expect(registryProblem('terraform', { downloads, ask })).resolves.toBeUndefined();
    expect(asked).toEqual([
      'https://registry.terraform.io/.well-known/terraform.json',
      `https://registry.terraform.io${at}`,
      'https://releases.example.com/vault.zip?token=of-this-download',
      'https://files.example.com/a/vault.zip',
    ]);
  });

  test.each([
    ['says nothing of a download', { [at]: '{}' }, `registry.terraform.io${at} answered without a download`],
    ['does not have it', {}, `registry.terraform.io${at}: the answer was 502 Bad Gateway`],
    ['is not all that is let through', offer, 'releases.example.com/vault.zip: the answer was 502 Bad Gateway'],
    [
      'leads in a circle',
      { ...offer, '/vault.zip': 'to https://releases.example.com/vault.zip' },
      'releases.example.com/vault.zip: the answer was 302',
    ],
  ])('and %s, it counts as away', async (_, answers, problem) => {
    const { ask } = registry({ ...DISCOVERY, ...answers });
    await expect(registryProblem('terraform', { downloads, ask })).resolves.toBe(`https://${problem}`);
  });
});
