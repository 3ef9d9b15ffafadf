import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** Ports of this machine that nobody listens on, below those that the system gives to outgoing connections. */
export async function freePorts(count: number, address = '127.0.0.1'): Promise<number[]> {
  const found = new Set<number>();
  while (found.size < count) {
    const port = randomInt(20_000, 32_000);
    if (await isFree(address, port)) found.add(port);
  }
  return [...found];
}

async function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => {
      resolve(false);
    });
    server.listen({ port, host, exclusive: true }, () => {
      server.close(() => {
        resolve(true);
      });
    });
  });
}
