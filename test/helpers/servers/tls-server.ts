import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';

export interface TlsServerOptions {
  /** @default 127.0.0.1 */
  readonly address?: string;
  readonly certificateFile: string;
  readonly privateKeyFile: string;
  /** CA that clients must show a certificate of. @default - clients need none */
  readonly clientCaFile?: string;
}

/** An HTTPS server on a free port. */
export class TlsServer {
  readonly url: string;
  private readonly server: Server;

  private constructor(server: Server) {
    this.server = server;
    const { address, port } = server.address() as AddressInfo;
    this.url = `https://${address}:${port}`;
  }

  static async start(
    options: TlsServerOptions,
    answer: (request: IncomingMessage, response: ServerResponse, body: string) => void,
  ): Promise<TlsServer> {
    const server = createServer(
      {
        cert: readFileSync(options.certificateFile),
        key: readFileSync(options.privateKeyFile),
        ...(options.clientCaFile === undefined
          ? {}
          : { ca: readFileSync(options.clientCaFile), requestCert: true, rejectUnauthorized: true }),
      },
      (request, response) => {
        let body = '';
        request.on('data', (chunk: Buffer) => (body += chunk.toString()));
        request.on('end', () => {
          answer(request, response, body);
        });
      },
    );
    await new Promise<void>((resolve) => server.listen(0, options.address ?? '127.0.0.1', resolve));
    return new TlsServer(server);
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
