import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { z } from 'zod';
import { TlsServer, type TlsServerOptions } from './tls-server';

const request = z.object({ ciphertext: z.string().optional(), context: z.string().default('') });

/**
 * A fake of KES: keys in memory, real cryptography, the paths, status codes and messages of minio/kes v0.24.0
 * (internal/api and kms-go's errors). It knows no policies but {@link denied}; test/e2e has the real ones.
 */
export class FakeKes {
  readonly url: string;
  /** The keys that it holds; take one away, or put another in its place. */
  readonly keys = new Map<string, Buffer>();
  /** Names of keys that its one client may not use. */
  readonly denied = new Set<string>();
  /** Answers everything with this instead. */
  failure: { readonly status: number; readonly body: string } | undefined;
  /** What the status says. */
  status: Record<string, unknown> = { version: 'fake' };
  private readonly server: TlsServer;

  private constructor(server: TlsServer) {
    this.server = server;
    this.url = server.url;
  }

  static async start(options: TlsServerOptions): Promise<FakeKes> {
    const server = await TlsServer.start(options, (incoming, response, body) => {
      const { status, body: text } = kes.failure ?? kes.answer(incoming.method ?? '', incoming.url ?? '', body);
      response.writeHead(status, { 'content-type': 'application/json', server: 'fake KES of the unit tests' });
      response.end(text);
    });
    const kes = new FakeKes(server);
    return kes;
  }

  stop(): Promise<void> {
    return this.server.stop();
  }

  private answer(method: string, path: string, body: string): { status: number; body: string } {
    const ok = (value?: unknown) => ({ status: 200, body: value === undefined ? '' : JSON.stringify(value) });
    const refuse = (status: number, message: string) => ({ status, body: JSON.stringify({ message }) });
    if (method === 'GET' && path === '/v1/status') return ok(this.status);
    const [, action = '', name = ''] = /^\/v1\/key\/(create|generate|decrypt)\/([\w-]+)$/.exec(path) ?? [];
    if (method !== 'PUT' || action === '') return refuse(404, 'not found');
    if (this.denied.has(name)) return refuse(403, 'not authorized: insufficient permissions');
    const key = this.keys.get(name);
    if (action === 'create') {
      if (key !== undefined) return refuse(400, 'key already exists');
      this.keys.set(name, randomBytes(32));
      return ok();
    }
    if (key === undefined) return refuse(404, 'key does not exist');
    const { ciphertext, context } = request.parse(JSON.parse(body));
    if (action === 'generate') {
      const plaintext = randomBytes(32);
      return ok({ plaintext: plaintext.toString('base64'), ciphertext: seal(key, plaintext, context) });
    }
    const plaintext = open(key, ciphertext ?? '', context);
    return plaintext === undefined
      ? refuse(400, 'decryption failed: ciphertext is not authentic')
      : ok({ plaintext: plaintext.toString('base64') });
  }
}

function seal(key: Buffer, plaintext: Buffer, context: string): string {
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(context, 'base64'));
  const sealed = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64');
}

function open(key: Buffer, ciphertext: string, context: string): Buffer | undefined {
  const bytes = Buffer.from(ciphertext, 'base64');
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12))
      .setAAD(Buffer.from(context, 'base64'))
      .setAuthTag(bytes.subarray(12, 28));
    return Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]);
  } catch {
    return undefined;
  }
}
