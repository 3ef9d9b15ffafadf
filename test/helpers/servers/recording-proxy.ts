/** A proxy that passes on what it is asked to, and remembers for whom. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { urlHost } from '../../../config/docker/reachable';

export class RecordingProxy {
  /** `http://host:port`. */
  readonly url: string;
  /** `host:port` of every connection, and the address of every plain request, in their order. */
  readonly asked: string[] = [];
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();

  private constructor(server: Server, address: string) {
    this.server = server;
    this.url = `http://${urlHost(address)}:${(server.address() as AddressInfo).port}`;
  }

  static async start(address = '127.0.0.1'): Promise<RecordingProxy> {
    const server = createServer();
    server.listen(0, address);
    await once(server, 'listening');
    const proxy = new RecordingProxy(server, address);
    server.on('connection', (socket: Socket) => proxy.sockets.add(socket));
    server.on('request', (request, response) => {
      proxy.asked.push(request.url ?? '');
      response.writeHead(502).end();
    });
    server.on('connect', (request: IncomingMessage, socket: Socket, head: Buffer) => {
      const target = request.url ?? '';
      proxy.asked.push(target);
      const { hostname, port } = new URL(`http://${target}`);
      const outside = connect(Number(port || '80'), hostname.replace(/^\[|\]$/g, ''));
      proxy.sockets.add(outside);
      let open = false;
      outside.on('connect', () => {
        open = true;
        socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
        outside.write(head);
        outside.pipe(socket).pipe(outside);
      });
      outside.on('error', () => {
        if (open) socket.destroy();
        else socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
      });
      socket.on('error', () => outside.destroy());
    });
    return proxy;
  }

  /** The variables by which programs find it, in all their spellings. */
  get variables(): Record<string, string> {
    return {
      HTTPS_PROXY: this.url,
      HTTP_PROXY: this.url,
      ALL_PROXY: this.url,
      https_proxy: this.url,
      http_proxy: this.url,
      all_proxy: this.url,
      NO_PROXY: '',
      no_proxy: '',
    };
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }
}
