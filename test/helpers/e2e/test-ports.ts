import { freePorts } from '../../../operations/free-ports';

const FIRST = 20_000;
const END = 28_000;
const WORKERS = 4;

/** Free ports that no other worker of the tests draws: from the choice until somebody listens a minute may pass. */
export async function testPorts(count: number, address?: string): Promise<number[]> {
  const share = (END - FIRST) / WORKERS;
  const first = FIRST + share * ((Number(process.env.JEST_WORKER_ID ?? 1) - 1) % WORKERS);
  return freePorts(count, address, [first, first + share]);
}
