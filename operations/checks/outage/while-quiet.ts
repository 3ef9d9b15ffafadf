/** A run of checks by itself, outside a deploy. */
import { ExternalError } from '../../lib/errors';
import { describeHolder, type LockHolder, lockHolder } from '../../lib/lock';
import type { Report } from '../report/model';

/** No deploy takes less. */
const POLL_MS = 1_000;

/**
 * Refuses a run while another command changes the environment, and throws away one during which that began and in which
 * not all passed: half of what is delivered turns checks red for nothing. The run itself takes no lock, so that it never is in
 * the way of a deploy.
 *
 * @throws ExternalError that names who is, or was, at work
 */
export async function whileQuiet(
  lock: string,
  run: () => Promise<Report>,
  { pollMs = POLL_MS, holderOf = lockHolder } = {},
): Promise<Report> {
  const before = await holderOf(lock);
  if (before !== undefined) {
    throw new ExternalError(
      `the environment is being changed: ${describeHolder(before)}`,
      'Check again when it is done.',
    );
  }
  const seen: LockHolder[] = [];
  const look = async (): Promise<void> => {
    const holder = await holderOf(lock);
    if (holder !== undefined) seen.push(holder);
  };
  // who takes the lock may have released it before the end
  const watch = setInterval(() => void look().catch(() => undefined), pollMs);
  try {
    const report = await run();
    await look();
    const [overtaking] = seen;
    if (overtaking === undefined || report.outcome === 'passed') return report;
    throw new ExternalError(
      `the environment was changed while it was checked, so what did not pass may mean nothing: ${describeHolder(overtaking)}`,
      'Check again when it is done.',
    );
  } finally {
    clearInterval(watch);
  }
}
