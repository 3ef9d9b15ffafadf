import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { NotYet, waitFor } from '../../../../operations/lib/wait';
import { testPorts } from '../test-ports';

const entry = z.object({
  requestID: z.string().optional(),
  api: z.object({
    name: z.string().optional(),
    bucket: z.string().optional(),
    object: z.string().optional(),
    statusCode: z.number().optional(),
  }),
});
type Entry = z.infer<typeof entry>;

/** Takes what a MinIO sends to its audit webhook. */
export class AuditReceiver {
  readonly url: string;
  private readonly server: Server;
  private readonly entries = new Map<string, Entry>();

  private constructor(url: string) {
    this.url = url;
    this.server = createServer((request, response) => {
      void text(request).then((body) => {
        const parsed = body === '' ? undefined : entry.safeParse(JSON.parse(body));
        if (parsed?.data?.requestID !== undefined) this.entries.set(parsed.data.requestID, parsed.data);
        response.end();
      });
    });
  }

  static async start(): Promise<AuditReceiver> {
    const [port = 0] = await testPorts(1);
    const receiver = new AuditReceiver(`http://127.0.0.1:${port}`);
    receiver.server.listen(port, '127.0.0.1');
    await once(receiver.server, 'listening');
    return receiver;
  }

  async entryOf(requestId: string): Promise<Entry> {
    return waitFor({ what: `the audit entry of request ${requestId}`, timeoutMs: 60_000 }, () =>
      Promise.resolve(this.entries.get(requestId) ?? new NotYet(`${this.entries.size} other entries`)),
    );
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }
}
