/** Whether a Terraform provider registry can be reached from here: directly, or through the proxy that is set. */
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { messageOf, UsageError } from '../../lib/errors';
import { parsedJson } from '../../lib/text/json';
import { TunnelAgent } from '../../lib/net/tunnel';
import { goPlatform } from '../../lib/machine';

/** The hosts under which Terraform and OpenTofu look for `namespace/name`. */
export const REGISTRY_HOSTS = { terraform: 'registry.terraform.io', tofu: 'registry.opentofu.org' } as const;
export type TerraformFlavour = keyof typeof REGISTRY_HOSTS;

/** How long the registry may take to say that it is there. */
const TIMEOUT_MILLISECONDS = 10_000;

/** One version of one provider. */
export interface ProviderVersion {
  /** Namespace and name, such as `hashicorp/vault`. */
  readonly address: string;
  readonly version: string;
}

export interface RegistryQuestion {
  /** Versions that the registry has to have. @default - none */
  readonly wanted?: readonly ProviderVersion[];
  /** Versions that must be there to be downloaded: the registry only says where. @default - none */
  readonly downloads?: readonly ProviderVersion[];
  readonly signal?: AbortSignal | undefined;
  /** Names the proxy. @default process.env */
  readonly env?: NodeJS.ProcessEnv;
  /** How an address is asked. @default - over TLS, through the proxy */
  readonly ask?: Ask;
}

/** What came back. */
export interface Answer {
  readonly status: number;
  readonly reason?: string | undefined;
  /** Where else to ask, in a redirection. */
  readonly location?: string | undefined;
  /** Empty unless it was wanted. */
  readonly text: string;
}

/** @param part whether the whole answer is wanted, or only its beginning */
export type Ask = (url: URL, part: 'whole' | 'headers', signal: AbortSignal, env: NodeJS.ProcessEnv) => Promise<Answer>;

// https://developer.hashicorp.com/terraform/internals/provider-registry-protocol
const discovery = z.object({ 'providers.v1': z.string() });
const listing = z.object({ versions: z.array(z.object({ version: z.string() })) });
const download = z.object({ download_url: z.string() });

/** Downloads of GitHub's releases are redirected once. */
const MAXIMUM_REDIRECTIONS = 5;

/**
 * Asks the registry whether it is there, whether it has these versions, and whether what it offers can be downloaded: that
 * is on other hosts, which a company may not let through.
 *
 * @returns why the registry is of no use, or nothing
 * @throws UsageError for a version that the registry does not have
 */
export async function registryProblem(
  flavour: TerraformFlavour,
  { wanted = [], downloads = [], signal, env = process.env, ask = askOverTls }: RegistryQuestion = {},
): Promise<string | undefined> {
  let url = new URL(`https://${REGISTRY_HOSTS[flavour]}/.well-known/terraform.json`);
  let timeout = AbortSignal.timeout(TIMEOUT_MILLISECONDS);
  const answerOf = async (next: URL, part: 'whole' | 'headers'): Promise<Answer> => {
    url = next;
    timeout = AbortSignal.timeout(TIMEOUT_MILLISECONDS);
    return ask(next, part, signal === undefined ? timeout : AbortSignal.any([signal, timeout]), env);
  };
  const read = async (next: URL): Promise<unknown> => {
    const answer = await answerOf(next, 'whole');
    requireOk(answer);
    return parsedJson(answer.text);
  };
  try {
    const services = discovery.safeParse(await read(url));
    if (!services.success) return `${url.href} answered without a provider registry`;
    const providers = new URL(services.data['providers.v1'], url);
    for (const { address, version } of wanted) {
      const list = listing.safeParse(await read(new URL(`${address}/versions`, providers)));
      if (!list.success) return `${url.href} answered without a list of versions`;
      if (!list.data.versions.some((known) => known.version === version)) {
        throw new UsageError(
          `the Terraform registry has no version ${version} of the provider ${address} (${url.href})`,
          'Correct `providers:` in the environment file, or EBS_VAULT_PROVIDER_VERSION and EBS_DOCKER_PROVIDER_VERSION; without them the tested versions are used.',
        );
      }
    }
    for (const { address, version } of downloads) {
      const { os, architecture } = goPlatform();
      const offered = new URL(`${address}/${version}/download/${os}/${architecture}`, providers);
      const offer = download.safeParse(await read(offered));
      if (!offer.success) return `${url.href} answered without a download`;
      let answer = await answerOf(new URL(offer.data.download_url, url), 'headers');
      for (let left = MAXIMUM_REDIRECTIONS; left > 0 && answer.location !== undefined; left -= 1) {
        answer = await answerOf(new URL(answer.location, url), 'headers');
      }
      requireOk(answer);
    }
    return undefined;
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof UsageError) throw error;
    const { origin, pathname } = url;
    // a download may be signed in its query
    return `${origin}${pathname}: ${timeout.aborted ? `no answer within ${TIMEOUT_MILLISECONDS / 1000} s` : messageOf(error)}`;
  }
}

function requireOk({ status, reason = '' }: Answer): void {
  if (status !== 200) throw new Error(`the answer was ${status} ${reason}`.trim());
}

/** The proxy that Terraform, like every Go program, would use for this address. */
export function proxyFor(url: URL, env: NodeJS.ProcessEnv): URL | undefined {
  const proxy = [env.HTTPS_PROXY, env.https_proxy].find((value) => value !== undefined && value !== '');
  const exceptions = (env.NO_PROXY ?? env.no_proxy ?? '').split(',').map((entry) => entry.trim().replace(/^\*?\./, ''));
  const excepted = exceptions.some(
    (entry) => entry === '*' || (entry !== '' && (url.hostname === entry || url.hostname.endsWith(`.${entry}`))),
  );
  if (proxy === undefined || excepted) return undefined;
  return new URL(proxy.includes('://') ? proxy : `http://${proxy}`);
}

async function askOverTls(
  url: URL,
  part: 'whole' | 'headers',
  signal: AbortSignal,
  env: NodeJS.ProcessEnv,
): Promise<Answer> {
  const proxy = proxyFor(url, env);
  const agent = proxy === undefined ? false : new TunnelAgent(proxy, {});
  const request = httpsRequest(url, { signal, agent });
  request.end();
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const { statusCode: status = 0, statusMessage: reason, headers } = response;
  const { location } = status >= 300 && status < 400 ? headers : { location: undefined };
  const whole = part === 'whole' && status === 200 ? await text(response) : '';
  response.destroy();
  return { status, reason, location, text: whole };
}
