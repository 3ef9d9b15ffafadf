/** Whether a Terraform provider registry can be reached from here: directly, or through the proxy that is set. */
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Socket } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { z } from 'zod';
import { messageOf, UsageError } from '../../lib/errors';

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
  readonly signal?: AbortSignal | undefined;
  /** Names the proxy. @default process.env */
  readonly env?: NodeJS.ProcessEnv;
  /** Fetches a text, and rejects where the answer is not 200. @default - over TLS, through the proxy */
  readonly fetch?: (url: URL, signal: AbortSignal, env: NodeJS.ProcessEnv) => Promise<string>;
}

// https://developer.hashicorp.com/terraform/internals/provider-registry-protocol
const discovery = z.object({ 'providers.v1': z.string() });
const listing = z.object({ versions: z.array(z.object({ version: z.string() })) });

/**
 * Asks the registry whether it is there, and whether it has these versions.
 *
 * @returns why the registry does not answer, or nothing
 * @throws UsageError for a version that the registry does not have
 */
export async function registryProblem(
  flavour: TerraformFlavour,
  { wanted = [], signal, env = process.env, fetch = get }: RegistryQuestion = {},
): Promise<string | undefined> {
  let url = new URL(`https://${REGISTRY_HOSTS[flavour]}/.well-known/terraform.json`);
  const timeout = AbortSignal.timeout(TIMEOUT_MILLISECONDS);
  const either = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
  try {
    const services = discovery.safeParse(parsed(await fetch(url, either, env)));
    if (!services.success) return `${url.href} answered without a provider registry`;
    const providers = new URL(services.data['providers.v1'], url);
    for (const { address, version } of wanted) {
      url = new URL(`${address}/versions`, providers);
      const list = listing.safeParse(parsed(await fetch(url, either, env)));
      if (!list.success) return `${url.href} answered without a list of versions`;
      if (!list.data.versions.some((known) => known.version === version)) {
        throw new UsageError(
          `the Terraform registry has no version ${version} of the provider ${address} (${url.href})`,
          'Correct `providers:` in the environment file, or EBS_VAULT_PROVIDER_VERSION and EBS_DOCKER_PROVIDER_VERSION; without them the tested versions are used.',
        );
      }
    }
    return undefined;
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof UsageError) throw error;
    return `${url.href}: ${timeout.aborted ? `no answer within ${TIMEOUT_MILLISECONDS / 1000} s` : messageOf(error)}`;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
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

async function get(url: URL, signal: AbortSignal, env: NodeJS.ProcessEnv): Promise<string> {
  const proxy = proxyFor(url, env);
  const tunnel = proxy === undefined ? undefined : await openTunnel(proxy, url, signal);
  return new Promise((resolve, reject) => {
    const request = httpsRequest(
      url,
      {
        signal,
        ...(tunnel !== undefined && {
          createConnection: () => tlsConnect({ socket: tunnel, servername: url.hostname }),
        }),
      },
      (response) => {
        if (response.statusCode !== 200) {
          response.resume();
          reject(new Error(`the answer was ${response.statusCode} ${response.statusMessage ?? ''}`));
          return;
        }
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (text += chunk));
        response.on('end', () => {
          resolve(text);
        });
        response.on('error', reject);
      },
    );
    request.on('error', reject);
    request.end();
  });
}

/** A connection to the registry that the proxy has opened. */
async function openTunnel(proxy: URL, target: URL, signal: AbortSignal): Promise<Socket> {
  const { username, password } = proxy;
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return new Promise((resolve, reject) => {
    const request = (proxy.protocol === 'https:' ? httpsRequest : httpRequest)({
      host: proxy.hostname,
      port: proxy.port === '' ? (proxy.protocol === 'https:' ? 443 : 80) : proxy.port,
      method: 'CONNECT',
      path: `${target.hostname}:443`,
      signal,
      agent: false,
      headers: {
        host: `${target.hostname}:443`,
        ...(username !== '' && { 'proxy-authorization': `Basic ${Buffer.from(credentials).toString('base64')}` }),
      },
    });
    request.on('connect', (response, socket) => {
      if (response.statusCode === 200) {
        resolve(socket);
        return;
      }
      socket.destroy();
      reject(new Error(`the proxy ${proxy.host} answered ${response.statusCode} ${response.statusMessage ?? ''}`));
    });
    request.on('error', (error) => {
      reject(new Error(`the proxy ${proxy.host} cannot be used: ${error.message}`));
    });
    request.end();
  });
}
