/**
 * One HTTPS request with its own CA and, if need be, a client certificate. Certificates are always verified.
 */
import { readFileSync } from 'node:fs';
import { type Agent, request as httpsRequest } from 'node:https';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import type { ClientEndpoint } from '../../../config/operation-inputs';
import { agentFor } from './failover-agent';

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE' | 'HEAD' | 'LIST';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Sent as it is; not together with `json`. */
  readonly body?: Buffer;
  /** @default 30000 */
  readonly timeoutMs?: number;
  /** Whether it may be sent again where a kept connection was closed meanwhile. @default - all but POST */
  readonly repeatable?: boolean;
  /** Bytes of an answer; a longer one is an error. @default {@link MAX_ANSWER_BYTES} */
  readonly maxBytes?: number;
}

/** Bytes of an answer that is held in memory: no server that is asked here has more to say. */
export const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

export interface HttpResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  /** The same as UTF-8. */
  readonly text: string;
}

/** A client certificate and its key, PEM. */
export interface ClientIdentity {
  readonly certificate: string;
  readonly privateKey: string;
}

/** Codes of a failed request that no server answered (Node.js, `error.cause.code`); undefined is our own time limit. */
export const NO_CONNECTION: readonly (string | undefined)[] = [
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  undefined,
];

/** No answer, or not to the end: what the server would say is not known. */
export class NoAnswer extends Error {}

/** The server closed a kept connection at the moment in which it was used again (Node.js, `request.reusedSocket`). */
class ClosedMeanwhile extends NoAnswer {}

/** Sends requests to one server over a kept connection. */
export class HttpClient {
  private readonly agent: Agent;
  private readonly base: URL;

  /**
   * @param identity a client certificate that is in no file
   * @throws if a certificate or key file cannot be read
   */
  constructor(endpoint: ClientEndpoint, identity?: ClientIdentity) {
    this.base = new URL(endpoint.url);
    if (this.base.protocol !== 'https:') throw new Error(`address must begin with https://, got: ${endpoint.url}`);
    this.agent = agentFor(endpoint, {
      keepAlive: true,
      // said, because NODE_TLS_REJECT_UNAUTHORIZED=0 changes only the default
      rejectUnauthorized: true,
      ...(endpoint.caFile === undefined ? {} : { ca: readFileSync(endpoint.caFile) }),
      ...(endpoint.serverName === undefined ? {} : { servername: endpoint.serverName }),
      ...(endpoint.certificateFile === undefined ? {} : { cert: readFileSync(endpoint.certificateFile) }),
      ...(endpoint.privateKeyFile === undefined ? {} : { key: readFileSync(endpoint.privateKeyFile) }),
      ...(identity === undefined ? {} : { cert: identity.certificate, key: identity.privateKey }),
    });
  }

  /** Whatever the server answers is a response; only a failure to get one rejects. */
  async send(request: HttpRequest): Promise<HttpResponse> {
    const response = await this.open(request);
    const { statusCode: status = 0, headers } = response;
    const what = `${request.method} ${request.path} of ${this.base.host}`;
    const bytes = await bounded(response, request.maxBytes ?? MAX_ANSWER_BYTES, what).catch((error: unknown) => {
      // what Node says of a stream that lacks bytes
      if ((error as NodeJS.ErrnoException).code !== 'ECONNRESET') throw error;
      throw new NoAnswer(
        `${this.base.host}: the connection ended in the middle of the answer to ${request.method} ${request.path}`,
        { cause: error },
      );
    });
    return { status, headers, bytes, text: bytes.toString('utf8') };
  }

  /** The same, with an answer that is read while it comes. */
  async open(request: HttpRequest): Promise<IncomingMessage> {
    for (;;) {
      try {
        return await this.attempt(request);
      } catch (error) {
        // ends: each time it is another of the kept connections, and at last a new one
        if (!(error instanceof ClosedMeanwhile) || !(request.repeatable ?? request.method !== 'POST')) throw error;
      }
    }
  }

  private async attempt(request: HttpRequest): Promise<IncomingMessage> {
    const json = request.json !== undefined;
    const body = json ? Buffer.from(JSON.stringify(request.json)) : request.body;
    return new Promise((resolve, reject) => {
      const outgoing = httpsRequest(
        new URL(request.path, this.base),
        {
          method: request.method,
          agent: this.agent,
          timeout: request.timeoutMs ?? 30_000,
          headers: {
            ...(json ? { 'content-type': 'application/json' } : {}),
            ...(body === undefined ? {} : { 'content-length': body.length }),
            ...request.headers,
          },
        },
        resolve,
      );
      outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer from ${this.base.host} in time`)));
      outgoing.on('error', (error: NodeJS.ErrnoException) => {
        const message = `${this.base.host}: ${error.message || (error.code ?? 'connection failed')}`;
        const closed = outgoing.reusedSocket && ['ECONNRESET', 'EPIPE'].includes(error.code ?? '');
        reject(new (closed ? ClosedMeanwhile : NoAnswer)(message, { cause: error }));
      });
      outgoing.end(body);
    });
  }

  /** Closes the kept connections, so that the program can end. */
  close(): void {
    this.agent.destroy();
  }
}

/**
 * All bytes of a stream, if they are few enough.
 *
 * @param what the subject of the error
 * @throws if there are more than `limit`; the rest is not read
 */
export async function bounded(stream: Readable, limit: number, what: string): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of stream as AsyncIterable<Buffer>) {
    length += piece.length;
    if (length > limit) {
      stream.destroy();
      throw new Error(`${what}: the answer is longer than ${limit} bytes`);
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}
