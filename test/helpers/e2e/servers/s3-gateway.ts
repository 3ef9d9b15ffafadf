/**
 * A gateway in front of MinIO that misbehaves: it ends TLS with the certificate of the environment, may change a request
 * or its answer in any way, and signs what it passes on with the root credentials, as a proxy would that somebody trusts
 * with them. Bodies are held in memory.
 */
import { createHash, createHmac } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Agent, createServer as createHttpsServer, request as httpsRequest } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import type { TlsOptions } from 'node:tls';
import type { TlsEndpoint } from '../../../../config/operation-inputs';
import type { S3Credentials } from '../../../../operations/minio/s3-client';

/** A request as the client sent it; what is changed here is passed on changed. */
export interface GatewayRequest {
  method: string;
  /** With the query. */
  path: string;
  /** Names in small letters. */
  headers: Record<string, string>;
  body: Buffer;
}

export interface GatewayAnswer {
  status: number;
  headers: Record<string, string>;
  body: Buffer;
}

export interface S3GatewayOptions {
  readonly upstream: TlsEndpoint;
  readonly region: string;
  readonly credentials: S3Credentials;
  /** PEM files of the server's certificate and key, and whatever else TLS should be. */
  readonly certificateFile: string;
  readonly privateKeyFile: string;
  readonly tls?: TlsOptions;
  /** What plain HTTP gets on the same port. @default - nothing, as it is no TLS */
  readonly plainHttp?: 'served';
}

/** One thing that a gateway does to what passes it. */
export interface Misbehaviour {
  /** Changes a request before it is passed on; an answer that it returns goes back to the client instead. */
  readonly onRequest?: (request: GatewayRequest) => GatewayAnswer | undefined;
  /** Changes the answer before it goes back; `request` is as it was passed on. */
  readonly onAnswer?: (answer: GatewayAnswer, request: GatewayRequest) => void;
  /** Signs a request that had no signature, too, so that nobody is anonymous. @default false */
  readonly signAnonymous?: boolean;
  /** Signs a presigned request anew, whatever its signature is worth. @default false */
  readonly signPresigned?: boolean;
}

export class S3Gateway {
  readonly url: string;
  private readonly misbehaviours: Misbehaviour[];
  private readonly stopServing: () => Promise<void>;

  private constructor(port: number, misbehaviours: Misbehaviour[], stopServing: () => Promise<void>) {
    this.url = `https://127.0.0.1:${port}`;
    this.misbehaviours = misbehaviours;
    this.stopServing = stopServing;
  }

  /** Starts one that changes nothing yet. */
  static async start(options: S3GatewayOptions): Promise<S3Gateway> {
    const { upstream } = options;
    const misbehaviours: Misbehaviour[] = [];
    const agent = new Agent({
      keepAlive: true,
      rejectUnauthorized: true,
      ...(upstream.caFile === undefined ? {} : { ca: readFileSync(upstream.caFile) }),
    });
    const handle = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
      serve({ ...options, agent, misbehaviours }, incoming, outgoing).catch((error: unknown) => {
        outgoing.destroy(error as Error);
      });
    };
    const https = createHttpsServer(
      { cert: readFileSync(options.certificateFile), key: readFileSync(options.privateKeyFile), ...options.tls },
      handle,
    );
    const plain = createHttpServer(handle);
    const sockets = new Set<Socket>();
    const front = createTcpServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => sockets.delete(socket));
      if (options.plainHttp === undefined) {
        https.emit('connection', socket);
        return;
      }
      socket.once('readable', () => {
        const first = socket.read() as Buffer | null;
        if (first === null) return;
        socket.unshift(first);
        // 22: a TLS record of the type "handshake"
        (first[0] === 22 ? https : plain).emit('connection', socket);
      });
    });
    front.listen(0, '127.0.0.1');
    await once(front, 'listening');
    return new S3Gateway((front.address() as AddressInfo).port, misbehaviours, async () => {
      agent.destroy();
      for (const socket of sockets) socket.destroy();
      front.close();
      await once(front, 'close');
    });
  }

  /** Begins to do this, besides what it does already. */
  misbehave(misbehaviour: Misbehaviour): void {
    this.misbehaviours.push(misbehaviour);
  }

  async stop(): Promise<void> {
    await this.stopServing();
  }
}

interface Passage extends S3GatewayOptions {
  readonly agent: Agent;
  readonly misbehaviours: readonly Misbehaviour[];
}

async function serve(passage: Passage, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const request: GatewayRequest = {
    method: incoming.method ?? 'GET',
    path: incoming.url ?? '/',
    headers: flat(incoming.headers),
    body: await bodyOf(incoming),
  };
  let answer: GatewayAnswer | undefined;
  for (const { onRequest } of passage.misbehaviours) answer ??= onRequest?.(request);
  if (answer === undefined) {
    answer = await passOn(passage, request);
    for (const { onAnswer } of passage.misbehaviours) onAnswer?.(answer, request);
  }
  const { 'transfer-encoding': _, connection: __, ...headers } = answer.headers;
  // the length of a HEAD is that of the object
  if (request.method !== 'HEAD') headers['content-length'] = String(answer.body.length);
  outgoing.writeHead(answer.status, headers);
  outgoing.end(request.method === 'HEAD' ? undefined : answer.body);
}

async function passOn(passage: Passage, request: GatewayRequest): Promise<GatewayAnswer> {
  const { upstream, agent, misbehaviours } = passage;
  const url = new URL(request.path, upstream.url);
  const presigned = url.searchParams.has('X-Amz-Signature');
  const lent = misbehaviours.some(({ signAnonymous, signPresigned }) => (presigned ? signPresigned : signAnonymous));
  const { authorization } = request.headers;
  // who has other credentials than the client of S3 keeps them
  const own = 'x-amz-security-token' in request.headers || authorization?.includes('/sts/aws4_request') === true;
  if (!own && (authorization !== undefined || lent)) sign(request, url, passage);
  // the signature of a URL is that of its host
  else if (!presigned && !own) request.headers.host = url.host;
  request.headers['content-length'] = String(request.body.length);
  delete request.headers['transfer-encoding'];
  delete request.headers.expect;
  const outgoing = httpsRequest(url, { method: request.method, headers: request.headers, agent });
  outgoing.end(request.body);
  const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
  return { status: answer.statusCode ?? 0, headers: flat(answer.headers), body: await bodyOf(answer) };
}

const IN_CHUNKS = 'STREAMING-UNSIGNED-PAYLOAD-TRAILER';

/**
 * Signs with Signature Version 4; a signature in the query is replaced by one in the headers. Source: Amazon S3 API
 * Reference, "Authenticating Requests (AWS Signature Version 4)".
 */
function sign(request: GatewayRequest, url: URL, { region, credentials }: S3GatewayOptions): void {
  for (const name of [...url.searchParams.keys()]) {
    if (/^x-amz-(?:algorithm|credential|date|expires|signedheaders|signature|content-sha256)$/i.test(name)) {
      url.searchParams.delete(name);
    }
  }
  const now = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '');
  const { headers } = request;
  delete headers.authorization;
  headers.host = url.host;
  headers['x-amz-date'] = now;
  // a body in chunks stays one
  const payload = headers['x-amz-content-sha256'] === IN_CHUNKS ? IN_CHUNKS : 'UNSIGNED-PAYLOAD';
  headers['x-amz-content-sha256'] = payload;
  const signedNames = Object.keys(headers)
    .filter((name) => name === 'host' || name === 'content-md5' || name.startsWith('x-amz-'))
    .sort();
  const query = [...url.searchParams]
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .sort()
    .join('&');
  url.search = query;
  const canonical = [
    request.method,
    url.pathname
      .split('/')
      .map((part) => encode(decodeURIComponent(part)))
      .join('/'),
    query,
    ...signedNames.map((name) => `${name}:${(headers[name] ?? '').trim()}`),
    '',
    signedNames.join(';'),
    payload,
  ].join('\n');
  const day = now.slice(0, 8);
  const scope = `${day}/${region}/s3/aws4_request`;
  const text = ['AWS4-HMAC-SHA256', now, scope, createHash('sha256').update(canonical).digest('hex')].join('\n');
  const key = [day, region, 's3', 'aws4_request'].reduce<Buffer>(
    hmac,
    Buffer.from(`AWS4${credentials.secretKey.reveal()}`),
  );
  const signature = hmac(key, text).toString('hex');
  headers.authorization = `AWS4-HMAC-SHA256 Credential=${credentials.accessKey}/${scope}, SignedHeaders=${signedNames.join(';')}, Signature=${signature}`;
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

/** As RFC 3986 has it, and so Amazon. */
function encode(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function flat(headers: IncomingMessage['headers']): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : (value ?? '')]),
  );
}

async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
