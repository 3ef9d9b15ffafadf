import { type JunitCase, junitXml } from '../../lib/text/junit';
import { type Report, type ReportedResult, subjectOf } from './model';

/** A test suite with a test case for each check, those that were excluded, and accepted risks, among the skipped ones. */
export function junitOf(report: Report): string {
  const { tool, endpoint, leftOut, results, startedAt, durationMs } = report;
  const skipped = leftOut.map(({ id, title, reason }): JunitCase => ({
    name: id,
    seconds: 0,
    outcome: { kind: 'skipped', message: `excluded: ${reason}` },
    output: title,
  }));
  return junitXml({
    name: `post-deploy checks of ${subjectOf(report)}`,
    tool: tool.name,
    startedAt,
    seconds: durationMs / 1000,
    properties: { endpoint, version: tool.version },
    cases: [...results.map(caseOf), ...skipped],
  });
}

function caseOf(result: ReportedResult): JunitCase {
  const { id, durationMs, title, severity, proves, doesNotProve } = result;
  const outcome = outcomeOf(result);
  return {
    name: id,
    seconds: durationMs / 1000,
    ...(outcome === undefined ? {} : { outcome }),
    output: `${title}\nseverity: ${severity}\nproves: ${proves}\ndoes not prove: ${doesNotProve}${evidence(result)}`,
  };
}

function outcomeOf(result: ReportedResult): JunitCase['outcome'] {
  const { status, message = '', fix, severity } = result;
  switch (status) {
    case 'passed':
      return undefined;
    case 'accepted':
      return { kind: 'skipped', message: `accepted risk: ${message}` };
    case 'skipped':
      return { kind: 'skipped', message };
    case 'could-not-check':
      return { kind: 'error', type: status, message, text: message };
    case 'failed': {
      const text = `${message}${fix === undefined ? '' : `\nfix: ${fix}`}${evidence(result)}`;
      return { kind: 'failure', type: severity, message, text };
    }
  }
}

function evidence(result: ReportedResult): string {
  return result.evidence === undefined ? '' : `\nevidence: ${JSON.stringify(result.evidence, null, 2)}`;
}
