import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { NotYet, waitFor } from '../../../../operations/lib/wait';
import type { ThrowawayCa } from '../../certificates';
import { testPorts } from '../test-ports';

const posted = z.object({ EventName: z.string(), Key: z.string() });

/** An event as the webhook got it. */
export interface ReceivedEvent {
  readonly event: string;
  /** `bucket/key`. */
  readonly object: string;
  readonly authorization: string | undefined;
}

/** A webhook with TLS that takes events of buckets. */
export class EventReceiver {
  readonly url: string;
  readonly received: ReceivedEvent[] = [];
  private server: Server | undefined;
  private readonly port: number;
  private readonly certificate: { readonly cert: Buffer; readonly key: Buffer };
  private readonly address: string;

  private constructor(address: string, port: number, certificate: EventReceiver['certificate']) {
    this.address = address;
    this.port = port;
    this.certificate = certificate;
    this.url = `https://${address}:${port}/events`;
  }

  /** @param address by which MinIO reaches it */
  static async start(ca: ThrowawayCa, address = '127.0.0.1'): Promise<EventReceiver> {
    const { certificateFile, privateKeyFile } = await ca.issue('event-receiver', address);
    const certificate = { cert: readFileSync(certificateFile), key: readFileSync(privateKeyFile) };
    const [port = 0] = await testPorts(1);
    const receiver = new EventReceiver(address, port, certificate);
    await receiver.listen();
    return receiver;
  }

  async listen(): Promise<void> {
    const server = createServer(this.certificate, (request, response) => {
      void text(request).then((body) => {
        const { data } = posted.safeParse(body === '' ? {} : JSON.parse(body));
        if (data !== undefined) {
          const { authorization } = request.headers;
          this.received.push({ event: data.EventName, object: data.Key, authorization });
        }
        response.end();
      });
    });
    this.server = server;
    server.listen(this.port, this.address);
    await once(server, 'listening');
  }

  async eventOf(object: string): Promise<ReceivedEvent> {
    return waitFor({ what: `the event of ${object}`, timeoutMs: 120_000, intervalMs: 100 }, () =>
      Promise.resolve(
        this.received.find((one) => one.object === object) ??
          new NotYet(this.received.map((one) => one.object).join(', ') || 'no event'),
      ),
    );
  }

  async stop(): Promise<void> {
    const { server } = this;
    if (server?.listening !== true) return;
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  }
}
