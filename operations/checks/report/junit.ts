/**
 * The report as JUnit XML, which GitHub Actions, GitLab and Jenkins show test by test. Nobody owns the format; this keeps
 * to what all of them read (https://github.com/testmoapp/junitxml).
 */
import { type Markup, markup } from './markup';
import { type Report, type ReportedResult, subjectOf } from './model';

/** A test suite with a test case for each check, those that were left out, and accepted risks, among the skipped ones. */
export function junitOf(report: Report): string {
  const { counts, leftOut, results } = report;
  const suite = `post-deploy checks of ${subjectOf(report)}`;
  const testcases = [
    ...results.map((result) => testcase(suite, result)),
    ...leftOut.map(
      ({ id, title, reason }) =>
        markup`    <testcase classname="${suite}" name="${id}" time="0">
      <skipped message="excluded: ${oneLine(reason)}"/>
      <system-out>${title}</system-out>
    </testcase>
`,
    ),
  ];
  const totals = markup`tests="${testcases.length}" failures="${counts.failed}" errors="${counts['could-not-check']}" skipped="${counts.accepted + counts.skipped + leftOut.length}" time="${seconds(report.durationMs)}"`;
  return markup`<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="${report.tool.name}" ${totals}>
  <testsuite name="${suite}" ${totals} timestamp="${report.startedAt.replace(/\.\d+Z$/, 'Z')}">
    <properties>
      <property name="endpoint" value="${report.endpoint}"/>
      <property name="version" value="${report.tool.version}"/>
    </properties>
${testcases}  </testsuite>
</testsuites>
`.text;
}

function testcase(suite: string, result: ReportedResult): Markup {
  const { id, durationMs, title, severity, proves, doesNotProve } = result;
  return markup`    <testcase classname="${suite}" name="${id}" time="${seconds(durationMs)}">
${outcome(result)}      <system-out>${title}
severity: ${severity}
proves: ${proves}
does not prove: ${doesNotProve}${evidence(result)}</system-out>
    </testcase>
`;
}

function outcome(result: ReportedResult): Markup | undefined {
  const { status, message = '', fix, severity } = result;
  switch (status) {
    case 'passed':
      return undefined;
    case 'accepted':
      return markup`      <skipped message="accepted risk: ${oneLine(message)}"/>
`;
    case 'skipped':
      return markup`      <skipped message="${oneLine(message)}"/>
`;
    case 'could-not-check':
      return markup`      <error type="could-not-check" message="${oneLine(message)}">${message}</error>
`;
    case 'failed':
      return markup`      <failure type="${severity}" message="${oneLine(message)}">${message}${fix === undefined ? '' : `\nfix: ${fix}`}${evidence(result)}</failure>
`;
  }
}

function evidence(result: ReportedResult): string {
  return result.evidence === undefined ? '' : `\nevidence: ${JSON.stringify(result.evidence, null, 2)}`;
}

/** Readers of XML make a space of each line break in an attribute. */
function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim();
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(3);
}
