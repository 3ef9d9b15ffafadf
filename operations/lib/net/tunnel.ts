/** Connections that an HTTP proxy opens by CONNECT. What goes through them is TLS from end to end. */
import { request as httpRequest } from 'node:http';
import { Agent, type AgentOptions, request as httpsRequest, type RequestOptions } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as tlsConnect, type ConnectionOptions } from 'node:tls';
import { urlHost } from '../../../config/docker/reachable';

/** How long a proxy may take to reach what it is asked for. */
const TIMEOUT_MILLISECONDS = 15_000;

/** An agent for https whose every connection goes through this proxy. */
export class TunnelAgent extends Agent {
  private readonly proxy: URL;

  constructor(proxy: URL, options: AgentOptions) {
    super(options);
    this.proxy = proxy;
  }

  override createConnection(
    options: RequestOptions,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    const target = `${urlHost(options.host ?? '')}:${options.port ?? 443}`;
    openTunnel(this.proxy, target, AbortSignal.timeout(TIMEOUT_MILLISECONDS)).then(
      (socket) => callback?.(null, tlsConnect({ ...(options as ConnectionOptions), socket })),
      // Node takes no stream with an error
      (error: unknown) => (callback as ((error: unknown) => void) | undefined)?.(error),
    );
    return undefined;
  }
}

/**
 * Has a proxy open a connection.
 *
 * @param target `host:port`
 * @throws Error that names the proxy, never the credentials in its address
 */
async function openTunnel(proxy: URL, target: string, signal: AbortSignal): Promise<Socket> {
  const { username, password } = proxy;
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return new Promise((resolve, reject) => {
    const request = (proxy.protocol === 'https:' ? httpsRequest : httpRequest)({
      // an IPv6 address has brackets in a URL only
      host: proxy.hostname.replace(/^\[|\]$/g, ''),
      port: proxy.port === '' ? (proxy.protocol === 'https:' ? 443 : 80) : proxy.port,
      method: 'CONNECT',
      path: target,
      signal,
      agent: false,
      headers: {
        host: target,
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
