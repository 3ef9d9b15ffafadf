/** A run of the checks on a terminal. */
import type { CheckResult } from '../runner';
import { printable } from '../../lib/text/printable';
import type { LeftOut, Report } from './model';
import { withoutSecrets } from './secrets';

const SYMBOLS = { passed: '✔', failed: '✘', accepted: '!', skipped: '–', 'could-not-check': '?' } as const;

/** A result for people: one line, and another with what to do. */
export function describeResult(result: CheckResult): string {
  const { status, id, title, durationMs, message = '', fix } = withoutSecrets(result);
  const head = `${SYMBOLS[status]} ${id}`;
  switch (status) {
    case 'passed':
      return `${head}  ${title} (${(durationMs / 1000).toFixed(1)} s)`;
    case 'accepted':
      return printable(`${head}: accepted risk: ${message}`);
    case 'skipped':
      return `${head}  skipped: ${message}`;
    case 'could-not-check':
      return printable(`${head}: could not check: ${message}`);
    case 'failed':
      return printable(`${head}: ${message}${fix === undefined ? '' : `\n  fix: ${fix}`}`);
  }
}

/** A check that was not run. */
export function describeLeftOut({ id, reason }: LeftOut): string {
  return `– ${id}  excluded: ${reason}`;
}

/** The counts of a report in words. */
export function describeCounts({ counts, leftOut }: Report): string {
  const words = [
    `${counts.passed} passed`,
    `${counts.failed} failed`,
    ...(counts.accepted > 0 ? [`${counts.accepted} with an accepted risk`] : []),
    ...(counts['could-not-check'] > 0 ? [`${counts['could-not-check']} could not be checked`] : []),
    ...(counts.skipped > 0 ? [`${counts.skipped} skipped`] : []),
    ...(leftOut.length > 0 ? [`${leftOut.length} excluded`] : []),
  ];
  return words.join(', ');
}
