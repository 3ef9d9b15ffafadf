import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** Below those that the system gives to outgoing connections; the end-to-end tests draw from below these. */
const RANGE = [28_000, 32_000] as const;

/**
 * Ports of this machine on which no server listens.
 *
 * @param range first port, and the first that is none any more
 */
export async function freePorts(
  count: number,
  address = '127.0.0.1',
  range: readonly [number, number] = RANGE,
): Promise<number[]> {
  const found = new Set<number>();
  while (found.size < count) {
    const port = randomInt(...range);
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
