import { setTimeout as delay } from 'node:timers/promises';
import { ExternalError, messageOf } from './errors';

export interface WaitOptions {
  /** What is waited for, to complete the sentence "waited 30 s for …". */
  readonly what: string;
  readonly timeoutMs: number;
  /** @default 250 */
  readonly intervalMs?: number;
  /** What to do when it never comes. */
  readonly hint?: string;
}

/**
 * Tries until `attempt` returns a value. An attempt that throws or returns a {@link NotYet} is tried again. A clock that
 * jumps makes the wait neither longer nor shorter.
 *
 * @throws ExternalError when the time is over, saying what the last attempt saw
 */
export async function waitFor<T>(options: WaitOptions, attempt: () => Promise<T | NotYet>): Promise<T> {
  const end = performance.now() + options.timeoutMs;
  let lastSeen = 'nothing';
  for (;;) {
    try {
      const result = await attempt();
      if (!(result instanceof NotYet)) return result;
      lastSeen = result.seen;
    } catch (error) {
      if (error instanceof GiveUp) throw error.reason;
      lastSeen = messageOf(error);
    }
    if (performance.now() >= end) {
      throw new ExternalError(
        `waited ${Math.round(options.timeoutMs / 1000)} s for ${options.what}; last seen: ${lastSeen}`,
        options.hint,
      );
    }
    await delay(options.intervalMs ?? 250);
  }
}

/** What an attempt saw when it was not there yet. */
export class NotYet {
  readonly seen: string;

  constructor(seen: string) {
    this.seen = seen;
  }
}

/** Thrown by an attempt to end the wait at once: it will never come. */
export class GiveUp extends Error {
  readonly reason: Error;

  constructor(reason: Error) {
    super(reason.message);
    this.reason = reason;
  }
}
