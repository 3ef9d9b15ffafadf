/** Connections to whichever of several servers answers. */
import { Agent, type AgentOptions } from 'node:https';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { TlsEndpoint } from '../../../config/operation-inputs';
import { messageOf } from '../errors';
import { socketAddress } from './socket-address';

/** A host without power does not refuse a connection, it says nothing. */
const CONNECT_LIMIT_MS = 3_000;

type Connected = (error: Error | null, socket: Duplex) => void;

/** An agent for the servers of an endpoint: where there is one, nothing is different from any agent. */
export function agentFor(
  { url, otherUrls = [] }: Pick<TlsEndpoint, 'url' | 'otherUrls'>,
  options: AgentOptions,
): Agent {
  return otherUrls.length === 0 ? new Agent(options) : new FailoverAgent([url, ...otherUrls], options);
}

/**
 * Each new connection is tried with the server that took the last one, then with the others in their order. Whichever it
 * is, its certificate is verified for its own address. A certificate that is refused ends the search: no client is to be led
 * past it.
 */
class FailoverAgent extends Agent {
  private order: readonly string[];

  constructor(urls: readonly string[], options: AgentOptions) {
    super(options);
    this.order = urls;
  }

  override createConnection(options: object, connected?: Connected): undefined {
    this.connect(options).then(
      (socket) => connected?.(null, socket),
      (error: unknown) => connected?.(error as Error, undefined as unknown as Duplex),
    );
    return undefined;
  }

  private async connect(options: object): Promise<TLSSocket> {
    const problems: string[] = [];
    let code: string | undefined;
    for (const url of this.order) {
      try {
        const socket = await opened(super.createConnection({ ...options, ...socketAddress(url) }) as TLSSocket);
        this.order = [url, ...this.order.filter((other) => other !== url)];
        return socket;
      } catch (error) {
        if (!isOfNetwork(error)) throw error;
        ({ code } = error);
        problems.push(messageOf(error));
      }
    }
    throw Object.assign(new Error(problems.join('; ')), { code });
  }
}

async function opened(socket: TLSSocket): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const limit = setTimeout(() => {
      const problem = `connect: no answer within ${CONNECT_LIMIT_MS / 1000} s`;
      socket.destroy(Object.assign(new Error(problem), { code: 'ETIMEDOUT', errno: 0 }));
    }, CONNECT_LIMIT_MS);
    const failed = (error: Error): void => {
      clearTimeout(limit);
      reject(error);
    };
    socket.once('error', failed);
    socket.once('secureConnect', () => {
      clearTimeout(limit);
      socket.off('error', failed);
      resolve(socket);
    });
  });
}

/** Errors of the network have an errno, those of TLS have not. */
function isOfNetwork(error: unknown): error is NodeJS.ErrnoException {
  const { errno, code } = error as NodeJS.ErrnoException;
  return errno !== undefined || code === 'ECONNRESET';
}
