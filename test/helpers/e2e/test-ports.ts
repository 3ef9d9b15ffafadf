import { freePorts } from '../../../operations/lib/net/free-ports';

const FIRST = 20_000;
const END = 28_000;
const WORKERS = 4;

const drawn = new Set<number>();

/** Free ports that nobody else in the tests draws: from the choice until somebody listens a minute may pass. */
export async function testPorts(count: number, address?: string): Promise<number[]> {
  const share = (END - FIRST) / WORKERS;
  const first = FIRST + share * ((Number(process.env.JEST_WORKER_ID ?? 1) - 1) % WORKERS);
  const found: number[] = [];
  while (found.length < count) {
    const [port = 0] = await freePorts(1, address, [first, first + share]);
    if (drawn.has(port)) continue;
    drawn.add(port);
    found.push(port);
  }
  return found;
}
