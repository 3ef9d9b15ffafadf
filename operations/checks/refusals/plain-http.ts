/** Requests in the clear to a port that should speak TLS only. */
import { connect } from 'node:net';
import type { TlsEndpoint } from '../../../config/operation-inputs';
import { socketAddress } from '../../lib/net/socket-address';

const TIMEOUT_MS = 30_000;

export const SPEAKS_HTTP =
  'MinIO runs without its certificate, or a proxy in front of it speaks HTTP: see /files/certs in its container';

export interface PlainRequest {
  readonly method: 'GET' | 'PUT';
  /** With the query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface PlainAnswer {
  /** Whether it got no further than to a server that wants TLS. */
  readonly refused: boolean;
  /** The first line of the answer, or that there was none. */
  readonly said: string;
  /** HTTP status; 0 without an answer. */
  readonly status: number;
  /** The whole answer. */
  readonly text: string;
}

/** What the port answers to a plain HTTP request. */
export async function plainHttpAnswer({ url }: TlsEndpoint, request: PlainRequest): Promise<PlainAnswer> {
  const text = await exchange(url, request);
  if (text === '') return { refused: true, said: 'connection closed', status: 0, text };
  const [said = ''] = text.split('\r\n');
  const status = Number(/^HTTP\/1\.[01] (\d{3}) /.exec(said)?.[1] ?? 0);
  // Go's TLS listener says so itself, before any handler of MinIO sees the request (net/http, server.go)
  const wantsTls = status === 400 && text.includes('HTTP request to an HTTPS server');
  return { refused: wantsTls && !/^x-(?:amz|minio)-/im.test(text), said, status, text };
}

async function exchange(url: string, request: PlainRequest): Promise<string> {
  const { host } = new URL(url);
  const { method, path, headers, body = '' } = request;
  const lines = Object.entries({ Host: host, Connection: 'close', 'Content-Length': String(body.length), ...headers });
  const head = [`${method} ${path} HTTP/1.1`, ...lines.map(([name, value]) => `${name}: ${value}`), '', ''];
  return new Promise((resolve, reject) => {
    let answer = '';
    let connected = false;
    const socket = connect(socketAddress(url), () => {
      connected = true;
      socket.write(head.join('\r\n') + body);
    });
    socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error(`${host} does not answer plain HTTP`)));
    socket.on('data', (chunk) => (answer += chunk.toString('latin1')));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // reset once connected: the server hung up, which is a refusal, too
      if (connected && ['ECONNRESET', 'EPIPE'].includes(error.code ?? '')) resolve(answer);
      else reject(error);
    });
    socket.on('close', () => {
      resolve(answer);
    });
  });
}
