/**
 * Durations as Go and therefore Vault and KES write them: `90s`, `5m`, `1h30m`.
 */

const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;
const PATTERN = /^(?:\d+(?:ms|s|m|h))+$/;

/** What a duration must look like, to complete the sentence "<property> …". */
export const durationRule = 'must be a duration such as 30s, 5m or 1h30m';

/** Whether `text` is a duration. `0s` is one. */
export function isDuration(text: string): boolean {
  return PATTERN.test(text);
}

/**
 * The length of a duration in milliseconds.
 *
 * @throws RangeError if `text` is not a duration; ask {@link isDuration} first.
 */
export function durationToMs(text: string): number {
  if (!isDuration(text)) throw new RangeError(`duration ${durationRule}, got: ${text}`);
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+)(ms|s|m|h)/g)) {
    total += Number(amount) * UNITS[unit as keyof typeof UNITS];
  }
  return total;
}
