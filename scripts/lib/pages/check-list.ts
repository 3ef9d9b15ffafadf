import type { Check, CheckDescription } from '../../../operations/checks/check';

/** What there is to say of checks without running them. */
export function checkList(checks: readonly Check[]): CheckDescription[] {
  return checks.map(({ id, title, proves, doesNotProve, severity }) => ({ id, title, severity, proves, doesNotProve }));
}

export function checkListText(checks: readonly Check[]): string {
  return checks
    .map(
      ({ id, title, severity, proves, doesNotProve }) =>
        `${id} (${severity})\n  ${title}\n  proves:         ${proves}\n  does not prove: ${doesNotProve}\n`,
    )
    .join('\n');
}
