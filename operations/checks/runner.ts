/** Runs checks: several at a time, every one to its end, results in the order of the catalogue. */
import { messageOf } from '../lib/errors';
import {
  AcceptedRisk,
  type Check,
  type CheckContext,
  type CheckDescription,
  CheckFailure,
  type Evidence,
  type OutsideCheck,
  type OutsideContext,
  hasVault,
  type ServiceCheck,
  type ServiceContext,
  type VaultCheck,
} from './check';

/** Enough to overlap the waiting, few enough that the checks do not slow each other down on two cores. */
const CONCURRENCY = 4;

/** Far more than any check needs, also on a machine that is busy; one that waits longer has met something that will not come. */
const TIME_LIMIT_MS = 120_000;
/** … and than a program needs to stop, to start and to be found again by the others. */
const DISRUPTIVE_TIME_LIMIT_MS = 180_000;

/**
 * - `passed`: what the check guards is as it should be
 * - `failed`: it is not
 * - `accepted`: it is not, and the environment file says that it may be; it counts neither way
 * - `skipped`: the check means nothing for this environment, or follows from another that failed; the message says which
 * - `could-not-check`: it is not known
 */
export const STATUSES = ['passed', 'failed', 'accepted', 'skipped', 'could-not-check'] as const;
export type CheckStatus = (typeof STATUSES)[number];

/** What came of one check. */
export interface CheckResult extends CheckDescription {
  readonly status: CheckStatus;
  readonly durationMs: number;
  /** Why it did not pass. */
  readonly message?: string;
  /** What to do about it. */
  readonly fix?: string;
  readonly evidence?: Evidence;
}

/** A check together with what it looks at. */
export interface BoundCheck extends CheckDescription {
  readonly skipReason?: string;
  /** Runs by itself, after all others. */
  readonly disruptive?: true;
  readonly run: () => Promise<Evidence>;
}

/** A check of a deployment. */
export function bind(check: Check, context: CheckContext): BoundCheck {
  if (check.from === 'outside') return bindOutside(check, context);
  if (check.from === 'vault' || check.needs !== undefined) return bindService(check, context);
  const { environment, state } = context.loaded;
  return {
    ...bound(check, check.skipReason?.(environment, state), () => check.run(context)),
    ...(check.disruptive === undefined ? {} : { disruptive: check.disruptive }),
  };
}

/** A check of a deployment whose services may be away. */
export function bindService(check: ServiceCheck | VaultCheck, context: ServiceContext): BoundCheck {
  if (check.from === 'vault') return bindVault(check, context);
  const { environment, state } = context.loaded;
  return bound(check, check.skipReason?.(environment, state), () => check.run(context));
}

function bindVault(check: VaultCheck, context: ServiceContext): BoundCheck {
  if (hasVault(context)) return bound(check, check.skipReason?.(context.loaded.environment), () => check.run(context));
  const { type } = context.loaded.environment.keyStore;
  return bound(check, `the master keys are not in Vault (keyStore.type: ${type})`, () => Promise.resolve({}));
}

/** A check of any endpoint. */
export function bindOutside(check: OutsideCheck, context: OutsideContext): BoundCheck {
  return bound(check, check.skipReason?.(context.expected), () => check.run(context));
}

function bound(check: CheckDescription, skipReason: string | undefined, run: BoundCheck['run']): BoundCheck {
  const { id, title, proves, doesNotProve, severity } = check;
  return { id, title, proves, doesNotProve, severity, run, ...(skipReason === undefined ? {} : { skipReason }) };
}

export interface RunOptions {
  /** Ends the run: what is under way is given up, what has not begun does not begin. */
  readonly signal?: AbortSignal;
  /** Told each result in the order of the catalogue, as early as that allows. */
  readonly onResult?: (result: CheckResult) => void;
  /** @default 4 */
  readonly concurrency?: number;
  /** A check that takes longer could not check. @default - 120000, and 180000 for one that interrupts service */
  readonly timeLimitMs?: number;
}

/**
 * Runs all checks.
 *
 * @throws the signal's reason if the run was ended
 */
export async function runAll(checks: readonly BoundCheck[], options: RunOptions = {}): Promise<CheckResult[]> {
  const { signal, concurrency = CONCURRENCY } = options;
  const results: CheckResult[] = [];
  let told = 0;
  const all = checks.map((check, index) => ({ check, index }));
  const work = async (queue: typeof all, workers: number): Promise<void> => {
    const left = [...queue];
    const worker = async (): Promise<void> => {
      for (let next = left.shift(); next !== undefined; next = left.shift()) {
        signal?.throwIfAborted();
        const { check, index } = next;
        const usual = check.disruptive === true ? DISRUPTIVE_TIME_LIMIT_MS : TIME_LIMIT_MS;
        results[index] = await runOne(check, options.timeLimitMs ?? usual, signal);
        for (let ready = results[told]; ready !== undefined; ready = results[++told]) options.onResult?.(ready);
      }
    };
    await Promise.all(Array.from({ length: Math.min(workers, queue.length) }, worker));
  };
  await work(
    all.filter(({ check }) => check.disruptive !== true),
    concurrency,
  );
  await work(
    all.filter(({ check }) => check.disruptive === true),
    1,
  );
  return results;
}

async function runOne(check: BoundCheck, timeLimitMs: number, signal: AbortSignal | undefined): Promise<CheckResult> {
  const { id, title, proves, doesNotProve, severity } = check;
  const started = performance.now();
  const result = (status: CheckStatus, rest: Pick<CheckResult, 'message' | 'fix' | 'evidence'>): CheckResult => ({
    ...{ id, title, proves, doesNotProve, severity, status },
    durationMs: Math.round(performance.now() - started),
    ...rest,
  });
  if (check.skipReason !== undefined) return result('skipped', { message: check.skipReason });
  try {
    return result('passed', { evidence: await within(timeLimitMs, signal, () => check.run()) });
  } catch (error) {
    signal?.throwIfAborted();
    if (!(error instanceof CheckFailure)) return result('could-not-check', { message: oneLine(messageOf(error)) });
    return result(error instanceof AcceptedRisk ? 'accepted' : 'failed', {
      message: error.message,
      ...(error.fix === undefined ? {} : { fix: error.fix }),
      ...(error.evidence === undefined ? {} : { evidence: error.evidence }),
    });
  }
}

/** OpenSSL and Docker end their messages with line breaks. */
function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim();
}

/** The result of `action`, unless the time or the run ends first. */
async function within<T>(limitMs: number, signal: AbortSignal | undefined, action: () => Promise<T>): Promise<T> {
  const timeout = AbortSignal.timeout(limitMs);
  const end = signal === undefined ? timeout : AbortSignal.any([timeout, signal]);
  return new Promise<T>((resolve, reject) => {
    const giveUp = (): void => {
      reject(timeout.aborted ? new Error(`it did not end within ${limitMs / 1000} s`) : (signal?.reason as Error));
    };
    end.addEventListener('abort', giveUp, { once: true });
    // called later, so that even a `run` that throws at once only rejects
    void Promise.resolve()
      .then(action)
      .then(resolve, reject)
      .finally(() => {
        end.removeEventListener('abort', giveUp);
      });
  });
}
