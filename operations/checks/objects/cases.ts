/** The cases of one check: the same thing for each mode, size or version. */
import { CheckFailure, type EvidenceValue } from '../check';

/** Enough to keep a server busy while the client hashes, few enough that four checks at a time do not starve each other. */
const AT_A_TIME = 4;

export interface Case<T extends EvidenceValue = EvidenceValue> {
  /** Completes a message: "<what went wrong> (<name>)". */
  readonly name: string;
  readonly run: () => Promise<T>;
}

/**
 * Runs every case to its end, whatever comes of the others: an object that arrives late would outlive its bucket.
 *
 * @returns the evidence of each, by name
 * @throws CheckFailure that says each thing that is broken once, with the cases in which it is; if nothing is broken
 * but a case could not find out, its error
 */
export async function everyCase<T extends EvidenceValue>(cases: readonly Case<T>[]): Promise<Record<string, T>> {
  const outcomes = await settled(cases.map(({ run }) => run));
  const evidence: Record<string, T> = {};
  const failures: { readonly name: string; readonly failure: CheckFailure }[] = [];
  let unknown: Error | undefined;
  for (const [index, { name }] of cases.entries()) {
    const outcome = outcomes[index];
    if (outcome?.status === 'fulfilled') evidence[name] = outcome.value;
    else if (outcome?.reason instanceof CheckFailure) failures.push({ name, failure: outcome.reason });
    else unknown ??= outcome?.reason as Error;
  }
  const [first] = failures;
  if (first !== undefined) {
    const messages = new Set(failures.map(({ failure }) => failure.message));
    const lines = [...messages].map((message) => {
      const names = failures.filter(({ failure }) => failure.message === message).map(({ name }) => name);
      return `${message} (${inShort(names)})`;
    });
    const failed = failures.map(({ name }) => name);
    throw new CheckFailure(lines.join('; '), first.failure.fix, { failed, passed: evidence });
  }
  if (unknown !== undefined) throw unknown;
  return evidence;
}

/** The evidence has them all. */
const NAMED = 4;

function inShort(names: readonly string[]): string {
  const rest = names.length - NAMED;
  return [...names.slice(0, NAMED), ...(rest > 0 ? [`and ${rest} more`] : [])].join(', ');
}

/** Like `Promise.allSettled`, but begins no more than a few at a time. */
async function settled<T>(actions: readonly (() => Promise<T>)[]): Promise<PromiseSettledResult<T>[]> {
  const outcomes: PromiseSettledResult<T>[] = [];
  // shared: whichever worker is free takes the next
  const queue = actions.entries();
  const worker = async (): Promise<void> => {
    for (const [index, action] of queue) {
      const [outcome] = await Promise.allSettled([action()]);
      outcomes[index] = outcome;
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, worker));
  return outcomes;
}
